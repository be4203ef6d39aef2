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
    with restartable() as server:
        yield server.running


@contextmanager
def restartable() -> Iterator[Restartable]:
    """The same, to be killed and started again. Call it only where nothing is `missing`."""
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
        server = Restartable(programs, data, run, PostgresServer(_free_port()))
        server.begin()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Restartable:
    """One server's data, and the processes that serve them now."""

    programs: Path
    data: Path
    run: dict[str, Any]
    running: PostgresServer
    process: subprocess.Popen[bytes] | None = None
    databases: int = 0

    def begin(self) -> None:
        """Start it, and wait until it answers; after a kill it first repeats what was committed."""
        settings = {
            "port": self.running.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.data,
            # A killed process loses nothing that the kernel has; only a power cut would.
            "fsync": "off",
            "max_wal_senders": 0,
            "wal_level": "minimal",
            "shared_buffers": "16MB",
        }
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.data / "log").open("a") as log:
            self.process = subprocess.Popen(command, stderr=log, **self.run)
        _wait_until_ready(self.running, self.process, self.data / "log")

    def kill(self) -> None:
        """End all of its processes as they stand: SIGQUIT has the parent kill its children and leave no checkpoint."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=60)

    def new(self) -> str:
        """The URL of another, empty database."""
        self.databases += 1
        with self.running._connect() as connection:
            connection.execute(f"CREATE DATABASE chaos{self.databases}".encode())
        return self.running.url().removesuffix("postgres") + f"chaos{self.databases}"


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
