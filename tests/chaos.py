"""Kills whatever a search is made of, at moments drawn from a seed, and looks for what that has changed: `make chaos`.

Each round is one search, by the real command, over PostgreSQL and a Ray cluster of three machines (all of them this).
It is killed a few times, resumed until it ends, and compared with the same search undisturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import servers
import yaml
from conftest import environment, heed_ctrl_c

from expander.search import Decision
from results.records import InstanceRecord
from results.store import open_store

HERE = Path(__file__).parent
# Three expansions and two contractions of a network that is never built; five trainings a step.
SPACE: dict[str, Any] = {
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16},
    "expansion": {"first_stride": 4},
    "limits": {"width": 1.0},
    "regimes": {"bounds": {"T-S": 0.4e6, "T-M": 1e6}},
    "recipe": {"epochs": 4, "batch": 8},
    "resources": {"cpus": 1.0},
    # Back-off would make each kill cost half a minute.
    "failures": {"retries": 1, "backoff_seconds": 0.2},
    "coordinator": {"lease_seconds": 20.0},
}
NAME = "chaos"
PATIENCE_SECONDS = 180
# A search that has been resumed so often for one kill will not end.
RESUMES = 8
KINDS = ("coordinator", "worker", "raylet", "node", "head", "database")


@dataclass
class Search:
    """One search in a folder of its own, over a store of its own; the cluster is everybody's."""

    folder: Path
    store: str
    cluster: Cluster

    @property
    def log(self) -> Path:
        return self.folder / "training.log"

    def start(self) -> subprocess.Popen[bytes]:
        (self.folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
        for name in ("train", "val"):
            (self.folder / f"{name}.csv").write_text("".join(f"{name}{n}.mp4 {n % 3}\n" for n in range(9)))
            for n in range(9):
                (self.folder / f"{name}{n}.mp4").write_bytes(f"{name} {n}".encode())
        return self._run("search", "space.yaml", "--name", NAME, "--train", "train.csv", "--val", "val.csv")

    def resume(self) -> subprocess.Popen[bytes]:
        return self._run("resume", NAME)

    def ended(self) -> bool:
        with closing(open_store(self.store)) as store:
            return store.search(NAME).effective_state == "completed"

    def exists(self) -> bool:
        with closing(open_store(self.store, create=True)) as store:
            return any(search.name == NAME for search in store.searches())

    def result(self) -> Result:
        with closing(open_store(self.store)) as store:
            search = store.search(NAME)
            states = [candidate.state for step in search.steps() for candidate in step.candidates]
            return Result(search.decisions(), tuple(map(_timeless, search.instances())), tuple(states))

    def lines(self) -> list[tuple[str, str, int, int]]:
        """What the trainings have done so far: deed, trial, epoch, process."""
        if not self.log.exists():
            return []
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(deed, trial, int(epoch), int(pid)) for deed, trial, epoch, pid in rows]

    def said(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(HERE / "chaos_search.py"), str(self.log), *arguments]
        command += ["--store", self.store, "--ray-address", self.cluster.address]
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment(),
                stdout=output,
                stderr=output,
                preexec_fn=heed_ctrl_c,
            )


@dataclass(frozen=True)
class Result:
    """What must not depend on what was killed: decisions, instances, and the state of every candidate."""

    decisions: tuple[Decision, ...]
    instances: tuple[Any, ...]
    states: tuple[str, ...]


def _timeless(instance: InstanceRecord) -> Any:
    """Without when it was settled."""
    return {key: value for key, value in vars(instance).items() if key not in ("settled_at",)}


class Cluster:
    """Three machines with a CPU each; what is killed of it comes back as a cluster's would."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self.begin()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def begin(self) -> None:
        """A new head and two machines beside it."""
        from ray.cluster_utils import Cluster as RayCluster

        # A machine that is gone is noticed in a second instead of a quarter of a minute.
        looks = {"health_check_period_ms": 300, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 3}
        head = {"num_cpus": 1, "include_dashboard": False, "_system_config": looks}
        with _code_found():
            self._cluster = RayCluster(initialize_head=True, head_node_args=head)
            for _ in range(2):
                self._cluster.add_node(num_cpus=1)

    def end(self) -> None:
        with suppress(Exception):  # what was killed cannot be ended
            self._cluster.shutdown()

    def kill_raylet(self, choice: random.Random) -> None:
        node = choice.choice(list(self._cluster.worker_nodes))
        _kill(pid for kind, pid in _processes(node) if kind == "raylet")
        self._replace(node)

    def kill_node(self, choice: random.Random) -> None:
        node = choice.choice(list(self._cluster.worker_nodes))
        _kill(pid for _, pid in _processes(node))
        self._replace(node)

    def kill_head(self) -> None:
        """All of the head's processes; its machines cannot live without it. A new cluster takes its place."""
        _kill(pid for node in [self._cluster.head_node, *self._cluster.worker_nodes] for _, pid in _processes(node))
        self.end()
        self.begin()

    def _replace(self, node: Any) -> None:
        with suppress(Exception):  # it has been killed; the rest is its cluster's memory of it
            self._cluster.remove_node(node, allow_graceful=False)
        with _code_found():
            self._cluster.add_node(num_cpus=1)


@contextmanager
def _code_found() -> Iterator[None]:
    """Workers find the code of the tests and of this checkout: they inherit where it is from their machine."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join((str(HERE), str(HERE.parent)))
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _processes(node: Any) -> list[tuple[str, int]]:
    return [(kind, each.process.pid) for kind, several in node.all_processes.items() for each in several]


def _kill(pids: Any) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@dataclass
class Tally:
    """What the kills of one kind have done."""

    kills: int = 0
    losses: int = 0
    again: int = 0
    resumes: int = 0


@dataclass
class Round:
    """One search under fire."""

    search: Search
    server: servers.Restartable
    kinds: Sequence[str]
    choice: random.Random
    epochs: int
    found: list[str] = field(default_factory=list)

    def run(self, tallies: dict[str, Tally]) -> None:
        """Kill once for each kind, in order; then let it end. found: what was lost, in words."""
        kills: list[tuple[str, set[str]]] = []
        process = self.search.start()
        try:
            for place, kind in enumerate(self.kinds):
                process = self._reach(process, self._moment(place))
                in_flight = self._in_flight()
                self._strike(kind, process)
                in_flight |= self._in_flight()  # and those that have begun since, until it was dead
                tally = tallies[kind]
                tally.kills += 1
                process, resumes = self._carry_on(process)
                tally.resumes += resumes
                kills.append((kind, in_flight))
                self._wait_for_progress(process)
            self._finish(process)
            self._charge(kills, tallies)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _moment(self, place: int) -> int:
        """After how many saved epochs the next kill comes: somewhere in the part of the search that is its own."""
        share = (self.epochs - 2) / len(self.kinds)
        return int(share * place + self.choice.random() * share * 0.8)

    def _reach(self, process: subprocess.Popen[bytes], saved: int) -> subprocess.Popen[bytes]:
        """Wait until so many epochs are saved and a little more, somewhere within an epoch or between two."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self._saved() < saved or not self.search.lines():
            process, _ = self._carry_on(process)
            assert time.monotonic() < until, f"no progress for {PATIENCE_SECONDS} s:\n{self.search.said()}"
            time.sleep(0.02)
        time.sleep(self.choice.random() * 0.3)
        return process

    def _strike(self, kind: str, process: subprocess.Popen[bytes]) -> None:
        match kind:
            case "coordinator":
                process.kill()
                process.wait()
            case "worker":
                running = [pid for _, _, _, pid in self.search.lines()[-6:] if Path(f"/proc/{pid}").exists()]
                _kill(running and [self.choice.choice(running)])
            case "raylet":
                self.search.cluster.kill_raylet(self.choice)
            case "node":
                self.search.cluster.kill_node(self.choice)
            case "head":
                self.search.cluster.kill_head()
            case "database":
                self.server.kill()
                time.sleep(self.choice.random() * 2)
                self.server.begin()

    def _carry_on(self, process: subprocess.Popen[bytes]) -> tuple[subprocess.Popen[bytes], int]:
        """The search's process: the same while it runs, else a resumed one."""
        resumes = 0
        while process.poll() is not None and not self._ended():
            resumes += 1
            assert resumes <= RESUMES, f"resumed {RESUMES} times and does not go on:\n{self.search.said()}"
            process = self.search.resume() if self.search.exists() else self.search.start()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
        return process, resumes

    def _wait_for_progress(self, process: subprocess.Popen[bytes]) -> None:
        """Until some of what was struck goes on: three more epochs are saved, or the search has ended."""
        goal, until = self._saved() + 3, time.monotonic() + PATIENCE_SECONDS
        while self._saved() < goal and process.poll() is None:
            assert time.monotonic() < until, f"no progress for {PATIENCE_SECONDS} s:\n{self.search.said()}"
            time.sleep(0.05)

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._ended():
            process, _ = self._carry_on(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            assert time.monotonic() < until, f"it does not end in {PATIENCE_SECONDS} s:\n{self.search.said()}"
        process.wait(PATIENCE_SECONDS)

    def _ended(self) -> bool:
        return self.search.exists() and self.search.ended()

    def _saved(self) -> int:
        return len({(trial, epoch) for deed, trial, epoch, _ in self.search.lines() if deed == "saved"})

    def _charge(self, kills: Sequence[tuple[str, set[str]]], tallies: dict[str, Tally]) -> None:
        """Each kill may cost each trial that was in flight the epoch that it was in, and nothing else may."""
        begun = Counter((trial, epoch) for deed, trial, epoch, _ in self.search.lines() if deed == "begin")
        again: Counter[str] = Counter()
        for (trial, _), times in begun.items():
            again[trial] += times - 1
        for trial, epochs in again.items():
            struck = [kind for kind, in_flight in kills if trial in in_flight]
            for kind in struck[:epochs]:
                tallies[kind].again += 1
            if epochs > len(struck):
                self.found.append(f"trial {trial}: {epochs} epochs again, for {len(struck)} kills in its course")

    def _in_flight(self) -> set[str]:
        """Trials whose last deed is the beginning of an epoch, or a save that nobody has built upon yet."""
        last = {trial: deed for deed, trial, _, _ in self.search.lines()}
        return {trial for trial, deed in last.items() if deed != "completed"}


def lost(lines: Sequence[tuple[str, str, int, int]]) -> list[str]:
    """Work that was done and is done anew: an epoch after its checkpoint was there, a trial after it had completed."""
    saved: set[tuple[str, int]] = set()
    completed: set[str] = set()
    found = []
    for deed, trial, epoch, _ in lines:
        if deed == "begin" and (trial, epoch) in saved:
            found.append(f"epoch {epoch} of trial {trial} was saved and is trained again")
        if deed == "begin" and trial in completed:
            found.append(f"trial {trial} had completed and is trained again")
        if deed == "saved":
            saved.add((trial, epoch))
        if deed == "completed":
            if trial in completed:
                found.append(f"trial {trial} has completed twice")
            completed.add(trial)
    return found


@dataclass
class Chaos:
    """Kills over searches, and what they did."""

    seed: int
    tallies: dict[str, Tally]
    problems: list[str]


def chaos(kinds: Sequence[str], seed: int, per_search: int, say: Callable[[str], None] = print) -> Chaos:
    """Kill in the order of `kinds`, `per_search` times each search."""
    choice = random.Random(seed)
    done = Chaos(seed, {kind: Tally() for kind in KINDS}, [])
    with (
        tempfile.TemporaryDirectory(prefix="expander-chaos-") as folder,
        servers.restartable() as server,
        cluster() as machines,
    ):
        undisturbed = Search(Path(folder) / "undisturbed", server.new(), machines)
        undisturbed.folder.mkdir()
        code = undisturbed.start().wait(PATIENCE_SECONDS)
        assert code == 0, undisturbed.said()
        expected, epochs = undisturbed.result(), len([1 for deed, *_ in undisturbed.lines() if deed == "saved"])
        assert not lost(undisturbed.lines())
        for number in range(0, len(kinds), per_search):
            search = Search(Path(folder) / str(number), server.new(), machines)
            search.folder.mkdir()
            round_ = Round(search, server, kinds[number : number + per_search], choice, epochs)
            before = {kind: tally.losses for kind, tally in done.tallies.items()}
            round_.run(done.tallies)
            problems = [*round_.found, *lost(search.lines()), *_differences(expected, search.result())]
            say(f"{', '.join(round_.kinds)}: {'; '.join(problems) or 'as undisturbed'}")
            if problems and before == {kind: tally.losses for kind, tally in done.tallies.items()}:
                done.tallies[round_.kinds[-1]].losses += 1
            if problems:
                done.problems += [*problems, search.said()[-3000:]]
    return done


def _differences(expected: Result, found: Result) -> Iterator[str]:
    if expected.decisions != found.decisions:
        yield "other decisions"
    if expected.instances != found.instances:
        yield "other instances"
    if expected.states != found.states:
        yield f"other states: {Counter(found.states)}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    machines = Cluster()
    try:
        yield machines
    finally:
        machines.end()


def table(tallies: dict[str, Tally]) -> str:
    rows = [("kind", "kills", "losses", "epochs trained again", "resumes")]
    rows += [(kind, *map(str, vars(tally).values())) for kind, tally in tallies.items()]
    total = (str(sum(column)) for column in zip(*(vars(tally).values() for tally in tallies.values()), strict=True))
    rows.append(("all", *total))
    return "\n".join("  ".join(cell.rjust(20 if place else 12) for place, cell in enumerate(row)) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--per-search", type=int, default=4)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    given = parser.parse_args()
    print(f"seed {given.seed}: repeat with --seed {given.seed} --kills {given.kills}", flush=True)
    kinds = [given.kinds[n % len(given.kinds)] for n in range(given.kills)]
    random.Random(given.seed).shuffle(kinds)
    done = chaos(kinds, given.seed, given.per_search, lambda line: print(line, flush=True))
    print(table(done.tallies))
    for problem in done.problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if done.problems else 0)


if __name__ == "__main__":
    main()
