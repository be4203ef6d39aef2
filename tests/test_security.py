"""What comes from outside is data: it is never run, never read from elsewhere, never shown raw; and no port is open."""

from __future__ import annotations

import ast
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Expander, Videos, command, environment, heed_ctrl_c
from servers import PASSWORD, PostgresServer
from test_report import DATA
from test_store import SPACE, FakeTraining, first_step, run

from expander.cli.password import without_store
from expander.errors import StepFailed
from expander.trial import Event, Failed, Trial
from results.store import open_store

ROOT = Path(__file__).parents[1]
PACKAGES = ("expander", "trainers", "results")
# The kernel's state of a TCP socket that listens.
LISTENS = "0A"
LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.made,)  # type: ignore[return-value]


def test_no_code_of_ours_unpickles_or_loads_yaml_with_objects() -> None:
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name, options = ast.unparse(call.func), {each.arg: ast.unparse(each.value) for each in call.keywords}
            where = f"{path}:{call.lineno}"
            assert name not in ("pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load", "eval", "exec"), where
            if name == "torch.load":
                assert options["weights_only"] == "True", where
            assert "allow_pickle" not in options, where


@pytest.mark.parametrize("name", ["weights.pyth", "weights.pt"])
def test_weights_from_elsewhere_run_no_code(name: str, tmp_path: Path, expander: Expander) -> None:
    made = tmp_path / "made"
    (tmp_path / name).write_bytes(pickle.dumps(Evil(made)))
    refused = expander("convert", "X2D", name, "--to", "expander", "--out", "x.safetensors", code=2)
    assert name in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not made.exists()


@pytest.mark.parametrize("suffix", ["space", "config"])
def test_yaml_from_elsewhere_runs_no_code(suffix: str, tmp_path: Path, expander: Expander) -> None:
    made = tmp_path / "made"
    (tmp_path / "evil.yaml").write_text(f"seed: !!python/object/apply:os.mkdir [{made}]\n")
    arguments = ("plan", "evil.yaml") if suffix == "space" else ("cost", "evil.yaml")
    refused = expander(*arguments, code=2)
    assert "evil.yaml" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not made.exists()


@pytest.mark.parametrize("path", ["/etc/hostname", "../elsewhere/a.mp4", "a/../../b.mp4"])
@pytest.mark.parametrize("form", ["{path} 0\n", "label,youtube_id,time_start,time_end\nx,{path},0,1\n"])
def test_a_manifest_cannot_leave_the_data_root(path: str, form: str, tmp_path: Path, expander: Expander) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "list.csv").write_text(form.format(path=path))
    refused = " ".join(expander("data", "check", folder / "list.csv", code=2).stderr.split())
    assert f"is outside of {folder}, where the paths of the list start" in refused
    assert "with --outside-root or data.outside_root: true" in refused


def test_a_manifest_that_is_trusted_may_leave_it(videos: Videos, tmp_path: Path, expander: Expander) -> None:
    lines = (f"{videos.val.parent / line}" for line in videos.val.read_text().splitlines())
    (tmp_path / "list.csv").write_text("\n".join(lines))
    assert "outside" in expander("data", "check", "list.csv", code=2).stderr
    expander("data", "check", "list.csv", "--outside-root")
    expander("data", "check", "list.csv", "--root", videos.val.parent)


def test_a_terminal_shows_control_characters_and_does_not_obey_them(tmp_path: Path, expander: Expander) -> None:
    (tmp_path / "list.csv").write_text("a\x1b]0;owned\x07\x1b[2J.mp4 x\n")
    said = expander("data", "check", "list.csv", code=2).stderr
    assert "owned" in said
    assert "\x1b" not in said
    assert "\x07" not in said


def test_a_report_shows_text_from_outside_as_text(tmp_path: Path, expander: Expander) -> None:
    trial = first_step().trials[0].id
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}", create=True)) as store:
        search = store.create(
            "first", space=SPACE, source=evil, overrides=[evil], data=DATA, runs=evil, versions={"machine": evil}
        )
        search.claim()
        training = Evilly({trial: 2}, evil)
        with pytest.raises(StepFailed):
            run(search, training)
        search.release("failed", evil)
    expander("report", "first", "--store", "sqlite:///store.db", "--out", "report.html")
    html = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html
    assert "<img src=x" not in html


class Evilly(FakeTraining):
    """Fails with a reason of somebody else's making."""

    def __init__(self, failing: Mapping[str, int], reason: str) -> None:
        super().__init__(failing)
        self.reason = reason

    def run(self, trials: Sequence[Trial], *rest: Any) -> Generator[Event, None, None]:
        for event in super().run(trials, *rest):
            yield Failed(event.trial, self.reason) if isinstance(event, Failed) else event


@pytest.mark.parametrize(
    ("arguments", "left", "url"),
    [
        (["search", "--store", "a://b", "x"], ["search", "x"], "a://b"),
        (["search", "--store=a://b", "x"], ["search", "x"], "a://b"),
        (["--store", "a", "--store=b"], [], "b"),
        (["search", "x"], ["search", "x"], None),
    ],
)
def test_the_url_of_the_store_is_taken_out_of_the_arguments(arguments: list[str], left: list[str], url: str) -> None:
    assert without_store(arguments) == (left, url)


@pytest.mark.slow
@pytest.mark.ray
def test_a_running_search_shows_no_password_and_opens_no_port(
    server: PostgresServer, videos: Videos, tmp_path: Path
) -> None:
    shrunk = ["recipe.epochs=40", "recipe.batch=12", "recipe.batchnorm_group=12", "views.clips=1"]
    arguments = command("search", "smoke", "--name", "smoke", "--train", videos.train, "--val", videos.val)
    arguments += [f"--set={key}" for key in shrunk] + ["--store", server.empty()]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            arguments, cwd=tmp_path, env=environment(), stdout=log, stderr=log, preexec_fn=heed_ctrl_c
        )
    try:
        checkpoints = tmp_path / "runs" / "trials"
        _wait(lambda: any(checkpoints.glob("*/log.txt")), running)
        family = [running.pid, *_descendants(running.pid)]
        assert any("raylet" in _title(pid) for pid in family)
        assert not [title for pid in family if PASSWORD in (title := _title(pid))]
        assert not [pid for pid in family[1:] if PASSWORD in _environment(pid)]
        assert _listening(family)
        assert {address for address in _listening(family) if address not in LOOPBACK} == set()
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 130
    texts = [tmp_path / "log", *(path for path in (tmp_path / "runs").rglob("*") if path.is_file())]
    assert not [path for path in texts if PASSWORD.encode() in path.read_bytes()]
    asked = ("smoke", "--store", server.url())
    for question in (("status", *asked), ("status", *asked, "--json"), ("report", *asked, "--out", "report.html")):
        done = subprocess.run(command(*question), cwd=tmp_path, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0
        assert PASSWORD not in done.stdout + done.stderr
    assert PASSWORD not in (tmp_path / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.ray
def test_a_cluster_with_a_token_is_joined_with_it_alone(tmp_path: Path, videos: Videos) -> None:
    (tmp_path / "token").write_text("f" * 64)
    known = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    port = _free_port()
    ray = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1"]
    # Not under pytest's own folder: the path of a socket has at most 107 characters.
    scratch = tempfile.mkdtemp(prefix="expander-ray-")
    ray += [f"--port={port}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={scratch}"]
    ray += [f"--object-store-memory={100 * 2**20}"]
    with (tmp_path / "cluster").open("wb") as log:
        head = subprocess.Popen(ray, env=environment() | known, stdout=log, stderr=log)
    try:
        _wait(lambda: b"Ray runtime started" in (tmp_path / "cluster").read_bytes(), head)
        for name, home, more, words in (
            ("without", tmp_path / "nobody", {}, ("cannot join the Ray cluster", "token")),
            ("with", tmp_path / "nobody", {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}, ()),
        ):
            home.mkdir(exist_ok=True)
            arguments = command("search", "smoke", "--name", name, "--train", videos.train, "--val", videos.val)
            arguments += ["--ray-address", f"127.0.0.1:{port}", "--set", "recipe.epochs=1", "--steps", "1"]
            arguments += ["--set", "resources.cpus=1", "--set", "views.clips=1"]
            done = subprocess.run(
                arguments,
                cwd=tmp_path,
                env=environment() | {"HOME": str(home)} | more,
                capture_output=True,
                text=True,
            )
            said = " ".join(done.stderr.split())
            assert (done.returncode == 0) is not bool(words), said
            assert all(word in said for word in words)
            assert "Traceback" not in said
    finally:
        head.send_signal(signal.SIGTERM)
        head.wait(30)
        shutil.rmtree(scratch, ignore_errors=True)


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while not ready():
        assert process.poll() is None, "it ended early"
        assert time.monotonic() < until
        time.sleep(0.1)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        left += (more := children.get(left.pop(), []))
        found += more
    return found


def _title(pid: int) -> str:
    return _read(pid, "cmdline").replace("\0", " ")


def _environment(pid: int) -> str:
    return _read(pid, "environ")


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _listening(family: list[int]) -> set[str]:
    """The addresses, as the kernel writes them, on which processes of `family` wait for TCP connections."""
    sockets: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS:
                sockets[fields[9]] = fields[1].partition(":")[0]
    found = set()
    for pid in family:
        try:
            links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        found |= {sockets[n] for link in links if (n := re.sub(r"\D", "", link)) in sockets and "socket" in link}
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
