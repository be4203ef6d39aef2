"""What the search costs beside its training: `make bench`. One table on stdout, the same as JSON beside it.

Medians of several runs; for a figure of the machine itself, run it when nothing else does.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from expander.axis import Axis, Factors
from expander.cli.files import load_space
from expander.coordinator import run_search
from expander.search import Decision, Step, next_step, prescribe, prescribed_axis
from expander.solve import Lattice, solve
from expander.trial import Completed, Epoch, Event, Metrics, Started, Trial
from results.store import open_store
from trainers.dispatch.cluster import RayDispatcher
from trainers.meter import DeviceMeter
from trainers.train import train

TRAINING_SECONDS = 1.0
PARALLEL = 2


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    unit: str
    values: list[float]
    target: float

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def worst(self) -> float:
        return max(self.values)


def main() -> None:
    rows = [candidates_of_a_step(), plan_command(), *orchestration()]
    width = max(len(row.what) for row in rows)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'':{width}}  {'median':>9} {'worst':>9} {'target':>9}")
    for row in rows:
        print(f"{row.what:{width}}  {row.median:9.3f} {row.worst:9.3f} {row.target:9.3f} {row.unit}")
    written = {row.what: {"unit": row.unit, "values": row.values, "target": row.target} for row in rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(written, indent=2) + "\n")


def candidates_of_a_step() -> Row:
    """Solving all six axes from every frontier of the published path, nothing remembered from before."""
    space, _ = load_space("x3d_published")
    frontiers, decisions = [Factors()], list[Decision]()
    while step := next_step(space, decisions):
        decisions.append(prescribe(step, prescribed_axis(space, step, decisions)))
        frontiers.append(decisions[-1].factors)
    values = []
    for frontier in frontiers:
        solve.cache_clear()
        began = time.perf_counter()
        for axis in Axis:
            solve(Lattice(), frontier, axis, 2.0, 0.2)
        values.append(1e3 * (time.perf_counter() - began))
    return Row("six candidates of a step solved", "ms", values, 50)


def plan_command(runs: int = 7) -> Row:
    command = [str(Path(sys.executable).parent / "expander"), "plan", "x3d_kinetics400"]
    values = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        values.append(time.perf_counter() - began)
    return Row("expander plan x3d_kinetics400", "s", values, 1)


@dataclass(frozen=True)
class Pretence:
    """A training that only waits, and says when it ended, so that the way to the store can be timed.

    stands_for: makes a worker import what the real training imports, as it would.
    """

    stands_for: Callable[..., Completed] = train

    def __call__(self, trial: Trial, report: Callable[[Epoch], None]) -> Completed:
        time.sleep(TRAINING_SECONDS)
        report(Epoch(trial.id, 1, 1, 1.0, 0.5, 0.1, TRAINING_SECONDS))
        metrics = Metrics(int(trial.id[:4], 16) / 65536, 1.0, 1.0, 100)
        return Completed(trial.id, metrics, TRAINING_SECONDS, versions={"ended": repr(time.time())})


@dataclass
class Clock:
    """Notes when steps begin and end, and how late an outcome is in the store."""

    began: float = 0.0
    steps: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def watch(self, step: Step, event: Event | Decision | None) -> None:
        match event:
            case None:
                self.began = time.perf_counter()
            case Completed():
                self.latencies.append(time.time() - float(event.versions["ended"]))
            case Decision():
                rounds = -(-len(step.trials) // PARALLEL)
                self.steps.append(time.perf_counter() - self.began - rounds * TRAINING_SECONDS)
            case Started():
                pass


def orchestration(runs: int = 2) -> list[Row]:
    """Whole searches on a local Ray with trainings that only wait; Ray's start is left out."""
    clock = Clock()
    space, source = load_space("smoke", [f"resources.cpus={(os.cpu_count() or 2) / PARALLEL}"])
    for _ in range(runs):
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(open_store(f"sqlite:///{folder}/s.db", create=True)) as store,
        ):
            search = store.create("bench", space=space, source=source, overrides=[], data={}, runs=folder, versions={})
            search.claim()
            with RayDispatcher(Pretence(), DeviceMeter(), cpus=space.resources.cpus, gpus=0) as dispatcher:
                run_search(space, search, dispatcher, "data", clock.watch)
    return [
        Row("orchestration of a step beside its training", "s", clock.steps, 3),
        Row("from a trial's end to the store", "s", clock.latencies, 1),
    ]


if __name__ == "__main__":
    main()
