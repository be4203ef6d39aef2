"""What surrounds the training: plan, complexity, a trial's start on Ray, resume, records and reports as a store grows.

`make bench`. One table on stdout, the same as JSON beside it. Figures are medians; where two ways or two stores are
compared they take turns, and the figure is the median of the ratios of the pairs. The large store is store.py's, of 100
searches with 10,000 trials of 30 epochs each; the small one has two of these searches. What a step costs beside its
training is orchestration.py's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import orchestration
import store

from expander.axis import Factors
from expander.cli.files import load_space
from expander.complexity import measure
from expander.cost import closed_form
from expander.geometry import Basis, realise
from expander.plan import plan
from expander.search import next_step
from expander.solve import solve
from expander.trial import Completed, Epoch, Metrics, Started, Trial
from results.store import SearchStore, SqlStore, open_store
from trainers.dispatch.attempt import attempt
from trainers.dispatch.cluster import RayDispatcher
from trainers.dispatch.experiment import Experiment
from trainers.meter import DeviceMeter
from trainers.networks.trace import trace
from trainers.versions import versions

NETWORKS = {
    "X2D": Factors(),
    "X3D-XS": Factors(12, 4, 160 / 112, 1, 2.25, 2.2),
    "X3D-M": Factors(5, 16, 2, 1, 2.25, 2.2),
}
STEPS = 13
# Searches of the small store, of about a hundred trials each.
FEW = 2
SIZES = (f"{FEW * store.TRIALS // store.SEARCHES:,}", f"{store.TRIALS:,}")
# What a local Ray takes from nothing to the first answer of a worker, with the options of trainers/dispatch/joining.py.
RAY = """
import logging, time, ray
began = time.perf_counter()
ray.init("local", include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
         logging_level=logging.CRITICAL)
ray.get(ray.remote(lambda: None).remote())
print(time.perf_counter() - began)
ray.shutdown()
"""


@dataclass(frozen=True)
class Row:
    """One line of the table. target: what the median may come to at most, or at least; None where it has none."""

    what: str
    unit: str
    values: list[float]
    target: float | None = None
    at_least: bool = False

    def line(self, width: int) -> str:
        target = "" if self.target is None else f"{'>=' if self.at_least else '<='} {self.target:g}"
        low, high = min(self.values), max(self.values)
        figures = f"{statistics.median(self.values):10.4g} {low:10.4g} {high:10.4g} {target:>8}"
        return f"{self.what:{width}} {figures} {self.unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=list(PARTS), default=list(PARTS), help="; all by default")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'':74} {'median':>10} {'least':>10} {'most':>10} {'target':>8}", flush=True)
    rows = []
    for part in options.parts:
        for row in PARTS[part]():
            print(row.line(74), flush=True)
            rows.append(row)
    Path(__file__).with_suffix(".json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def planning(runs: int = 9) -> Iterator[Row]:
    """The paper's search on paper, nothing remembered from before."""
    space, _ = load_space("x3d_kinetics400")
    values = []
    for _ in range(runs):
        solve.cache_clear()
        closed_form.cache_clear()
        began = time.perf_counter()
        planned = plan(space)
        values.append(time.perf_counter() - began)
        assert sum(step.step.kind == "expansion" for step in planned.steps) == STEPS
    yield Row(f"plan of {STEPS} steps, computed", "s", values, 0.3)


def complexities(runs: int = 5, repeats: int = 100) -> Iterator[Row]:
    """The closed form against a trace of the network by fvcore, whose figures are the same."""
    trace(realise(Factors(), Basis()))
    for name, factors in NETWORKS.items():
        geometry = realise(factors, Basis())
        ratios, closed = [], []
        for _ in range(runs):
            began = time.perf_counter()
            traced = trace(geometry)
            between = time.perf_counter()
            for _ in range(repeats):
                formed = measure(geometry)
            seconds = (time.perf_counter() - between) / repeats
            if traced != formed:
                raise RuntimeError(f"{name}: fvcore counts {traced}, the closed form {formed}")
            ratios.append((between - began) / seconds)
            closed.append(1e6 * seconds)
        yield Row(f"complexity of {name} in closed form", "us", closed)
        yield Row("... a trace with fvcore takes so many times as long", "x", ratios, 1000, at_least=True)


def seats(rounds: int = 2) -> Iterator[Row]:
    """From the hand-over of a trial to its start, in a process of Ray's that is new and in one that has trained."""
    space, _ = load_space("smoke")
    step = next_step(space, [], "data")
    assert step is not None
    # With room beside the dispatcher's own warm processes.
    share = (os.cpu_count() or 2) / 4
    cold, warm = [], []
    carried = partial(attempt, orchestration.Pretence(), wanted=versions())
    with RayDispatcher(orchestration.Pretence(), DeviceMeter(), cpus=share, gpus=0):
        for _ in range(rounds):
            experiment = Experiment(carried, DeviceMeter(), {"CPU": share}, placed=True)
            try:
                for number, trial in enumerate(step.trials):
                    (warm if number else cold).append(_until_started(experiment, trial))
            finally:
                experiment.end()
    yield Row("a trial's start in a new process, with that of Tune", "s", cold)
    yield Row("a trial's start in a process that has trained before", "s", warm, 1)


def _until_started(experiment: Experiment, trial: Trial) -> float:
    """Seconds until it has started; returns when it has completed."""
    began, seconds = time.perf_counter(), 0.0
    experiment.submit(trial)
    while not isinstance(event := experiment.next_event(), Completed):
        if isinstance(event, Started):
            seconds = time.perf_counter() - began
    return seconds


def stores(runs: int = 5) -> Iterator[Row]:
    """Commands and records in a store of a few trials and in one of ten thousand."""
    with tempfile.TemporaryDirectory() as name:
        urls = []
        for searches in (FEW, store.SEARCHES):
            folder = Path(name) / f"{searches}"
            folder.mkdir()
            urls.append(f"sqlite:///{folder / 'store.db'}")
            store.build(urls[-1], folder / "videos", searches)
        yield from _records(urls)
        yield from _reports(urls, Path(name) / "report.html", runs)
        yield from _resumes(urls[-1])


def _records(urls: list[str]) -> Iterator[Row]:
    """A start, 30 epochs and an outcome, each a transaction of its own."""
    taken: list[list[float]] = [[], []]
    opened = [open_store(url) for url in urls]
    searches = [_begun(each) for each in opened]
    try:
        for trials in zip(*(trials for _, trials in searches), strict=True):
            for values, (search, _), trial in zip(taken, searches, trials, strict=True):
                began = time.perf_counter()
                _record(search, trial)
                values.append(time.perf_counter() - began)
    finally:
        for each in opened:
            each.close()
    events = store.EPOCHS + 2
    for values, size in zip(taken, SIZES, strict=True):
        yield Row(f"an event of a trial, recorded beside {size} trials", "ms", [1e3 * each / events for each in values])
    yield _growth("... the ratio", *taken)


def _begun(opened: SqlStore) -> tuple[SearchStore, tuple[Trial, ...]]:
    """A search of the store's kind, claimed and with its first step enrolled."""
    record = opened.search("search-0").record_of
    assert record.data is not None
    space = record.space.model_copy(update={"seed": store.SEARCHES})
    given = {"source": record.source, "overrides": [], "data": record.data, "runs": record.runs}
    search = opened.create("recording", space=space, versions=versions(), **given)
    search.claim()
    step = next_step(space, [], record.data["id"])
    assert step is not None
    search.enroll(step)
    return search, step.trials


def _record(search: SearchStore, trial: Trial) -> None:
    search.record(Started(trial.id, "host:1", "host", versions()))
    for number in range(1, store.EPOCHS + 1):
        search.record(Epoch(trial.id, number, store.EPOCHS, 1 / number, 0.5, 0.1, 2.0, 400.0, 0.1))
    search.record(Completed(trial.id, Metrics(0.5, 1.0, 1.0, 800), 60.0, versions=versions()))


def _reports(urls: list[str], out: Path, runs: int) -> Iterator[Row]:
    """`expander report` of a search with a hundred trials, as a user types it."""
    command = [str(Path(sys.executable).parent / "expander"), "report", "search-0", "--out", str(out), "--store"]
    clock: list[list[float]] = [[], []]
    processor: list[list[float]] = [[], []]
    for _ in range(runs):
        for number, url in enumerate(urls):
            took, used = store.times([*command, url], runs=1)
            clock[number] += took
            processor[number] += used
    for number, size in enumerate(SIZES):
        yield Row(f"report of a search of 100 trials in a store of {size}", "s", clock[number])
        yield Row("... of the processor", "s", processor[number])
    yield _growth("... the ratio, of the processor", *processor)


def _growth(what: str, small: list[float], large: list[float]) -> Row:
    return Row(what, "x", [after / before for before, after in zip(small, large, strict=True)], 1.25)


def _resumes(url: str) -> Iterator[Row]:
    """`expander resume` of a search in the large store, to the start of a trial."""
    command = [str(Path(sys.executable).parent / "expander"), "resume", "last", "--store", url, "--dispatcher"]
    begun = store.resumed([*command, "inline"], url)[-1]
    yield Row("resume --dispatcher inline, until a trial begins", "s", begun.clock, 5)
    yield Row("... of the processor", "s", begun.processor)
    alone, on_ray = [], []
    for _ in begun.clock:
        done = subprocess.run([sys.executable, "-c", RAY], check=True, capture_output=True, text=True)
        alone.append(float(done.stdout))
        on_ray += store.resumed([*command, "ray"], url, runs=1)[-1].clock
    yield Row("Ray's own start, to a worker's first answer", "s", alone)
    yield Row("resume --dispatcher ray, until a trial begins", "s", on_ray)
    yield Row("... without Ray's own start", "s", [a - b for a, b in zip(on_ray, alone, strict=True)], 5)


PARTS = {"plan": planning, "complexity": complexities, "seats": seats, "store": stores}


if __name__ == "__main__":
    main()
