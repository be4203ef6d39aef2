"""A PostgreSQL server of our own for the tests: on loopback, in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "expander-secret"


@dataclass(frozen=True)
class PostgresServer:
    port: int

    def url(self, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://expander:{password}@127.0.0.1:{self.port}/postgres"

    def empty(self) -> str:
        """The URL of its database, after dropping all that is in it: faster than another database."""
        with self._connect() as connection:
            connection.execute("SET lock_timeout = '10s'; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return self.url()

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True, connect_timeout=5)


def missing() -> str | None:
    """Why no server can be started here; None where one can."""
    if _programs() is None:
        return "no PostgreSQL server under /usr/lib/postgresql"
    if os.geteuid() == 0 and _account() is None:
        return "PostgreSQL refuses to run as root, and there is no other account to run it as"
    return None


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A running server. Call it only where nothing is `missing`."""
    programs, account = _programs(), _account()
    assert programs is not None
    # Not under pytest's own folder, which another account cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="expander-postgres-"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if account is not None:
        shutil.chown(folder, account)
        shutil.chown(secret, account)
    run: dict[str, Any] = {} if account is None else {"user": account, "group": _group(account), "extra_groups": []}
    run |= {"cwd": folder, "stdout": subprocess.DEVNULL, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
    data = folder / "data"
    try:
        create = [programs / "initdb", "-D", data, "-U", "expander", f"--pwfile={secret}", "--auth=scram-sha-256"]
        create += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run([str(part) for part in create], check=True, timeout=120, **run)
        with _running(programs, data, run) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(programs: Path, data: Path, run: dict[str, Any]) -> Iterator[PostgresServer]:
    server = PostgresServer(_free_port())
    settings = {
        "port": server.port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": data,
        "fsync": "off",
        "max_wal_senders": 0,
        "wal_level": "minimal",
        "shared_buffers": "16MB",
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (data / "log").open("w") as log, subprocess.Popen(command, stderr=log, **run) as process:
        try:
            _wait_until_ready(server, process, data / "log")
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # stops at once: nothing in it is to be kept
            process.wait(timeout=60)


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server._connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start:\n{log.read_text()}") from None
            time.sleep(0.1)
        else:
            return


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found and (found[-1].parent / "postgres").exists() else None


def _account() -> str | None:
    """Whom to run the server as when we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _group(account: str) -> int:
    return pwd.getpwnam(account).pw_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
