"""How long the commands take in a large store: `make bench`. One table on stdout, the same as JSON beside it.

100 searches with 10,000 trials of 30 epochs each, made here, in SQLite and, where its programs are installed, in
PostgreSQL. Medians of several runs of the command, its imports included; beside them what these take alone, and what
the store takes. For a figure of the machine itself, run it when nothing else does.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from expander.cli.files import load_space
from expander.cli.search import read_videos
from expander.cli.snapshot import take
from expander.search import Decision, Step, decide, instances, next_step
from expander.space import SearchSpace
from expander.trial import Completed, Metrics, Trial
from results.connect import Database, connect
from results.lease import LEASE_SECONDS
from results.schema import (
    CandidateRow,
    DecisionRow,
    EpochRow,
    FailureRow,
    InstanceRow,
    SearchRow,
    StepRow,
    TrialRow,
)
from results.store import open_store
from results.values import (
    candidate_values,
    completed_values,
    decision_values,
    instance_values,
    step_values,
    trial_values,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

SEARCHES = 100
TRIALS = 10_000
EPOCHS = 30
IMPORTS = {
    "status": "expander.cli.commands, expander.cli.status, expander.cli.searches, results.summaries",
    "resume": "expander.cli.commands, expander.cli.search, results.store, trainers.dispatch.inline, trainers.meter",
}
# Where the search that goes on stands: the checkpoints of its next step fit on a small disk.
CUT = 15
NOW = datetime.now(UTC)
# A search with a hundred trials: smaller steps, and room for all of them. Each takes what any machine has.
BOUNDS = "regimes.bounds={S: 2e9, M: 5e9, L: 30e9, XXL: 200e9}"
RESOURCES = ["resources.cpus=1", "resources.gpus_per_trial=0", "resources.loader_workers=0"]
SPACE = ["expansion.rate=1.4", BOUNDS, f"recipe.epochs={EPOCHS}", "limits={}", *RESOURCES]


@dataclass(frozen=True)
class Row:
    """One line of the table: seconds by the clock and, which other programs change little, of the processor."""

    what: str
    clock: list[float]
    processor: list[float]
    target: float | None = None


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, url in stores(Path(folder)):
            build(url, Path(folder) / name)
            rows += [replace(row, what=f"{name}: {row.what}") for row in (*commands(url), *readings(url))]
    for command, modules in IMPORTS.items():
        rows.append(Row(f"imports of {command} alone", *times([sys.executable, "-c", f"import {modules}"])))
    width = max(len(row.what) for row in rows)
    print(f"{'':{width}}  {'median':>9} {'best':>9} {'processor':>9} {'target':>9}")
    for row in rows:
        figures = statistics.median(row.clock), min(row.clock), statistics.median(row.processor)
        target = "" if row.target is None else f"{row.target:.1f}"
        print(f"{row.what:{width}}  {' '.join(f'{each:9.3f}' for each in figures)} {target:>9} s")
    written = {row.what: {"unit": "s", **asdict(row)} for row in rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(written, indent=2) + "\n")


def stores(folder: Path) -> Iterator[tuple[str, str]]:
    """Kinds of stores and an empty place for each, while it is asked for."""
    yield "SQLite", f"sqlite:///{folder / 'store.db'}"
    with server() as url:
        if url is not None:
            yield "PostgreSQL", url


@contextmanager
def server() -> Iterator[str | None]:
    """A server of our own; None where it cannot be started."""
    try:
        from servers import missing, postgres
    except ImportError as error:
        print(f"without PostgreSQL: {error}")
        yield None
        return
    if reason := missing():
        print(f"without PostgreSQL: {reason}")
        yield None
        return
    with postgres() as running:
        yield running.url()


def commands(url: str) -> list[Row]:
    """The commands as a user types them, in processes of their own."""
    command = [str(Path(sys.executable).parent / "expander")]
    status = [*command, "status", "--store", url]
    return [
        Row("status, all searches", *times(status), 0.3),
        Row("status of one search", *times([*status, "search-0"]), 0.3),
        *resumed([*command, "resume", "last", "--store", url, "--dispatcher", "inline"], url),
    ]


def readings(url: str, runs: int = 7) -> list[Row]:
    """What the store itself has in that, in this process."""
    with closing(open_store(url)) as store:
        return [
            Row("reading all searches", *measured(store.searches, runs)),
            Row("reading one search", *measured(lambda: take(store.search("search-0")), runs)),
        ]


def times(command: list[str], runs: int = 7) -> tuple[list[float], list[float]]:
    return measured(lambda: subprocess.run(command, check=True, capture_output=True), runs)


def measured(work: Callable[[], object], runs: int) -> tuple[list[float], list[float]]:
    """Seconds by the clock, and of the processor in this process and those that it waited for."""
    clock, processor = [], []
    for _ in range(runs):
        began, used = time.perf_counter(), _processor()
        work()
        clock.append(time.perf_counter() - began)
        processor.append(_processor() - used)
    return clock, processor


def _processor() -> float:
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def resumed(command: list[str], url: str, runs: int = 3) -> list[Row]:
    """From the command to its claim of the search and to its first trial, at which it is killed."""
    claimed, begun = Row("resume, until it holds the search", [], [], 2), Row("resume, until a trial begins", [], [], 2)
    with closing(connect(url, create=False)) as database:
        for _ in range(runs):
            before, began = {row.what: _last(database, row is claimed) for row in (claimed, begun)}, time.perf_counter()
            used = _processor()
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
                for row in (claimed, begun):
                    while _last(database, row is claimed) == before[row.what]:
                        if process.poll() is not None and process.stderr is not None:
                            raise RuntimeError(f"it ended before its first trial:\n{process.stderr.read()}")
                        time.sleep(0.01)
                    row.clock.append(time.perf_counter() - began)
                process.kill()
            begun.processor.append(_processor() - used)
    return [replace(claimed, processor=begun.processor), begun]


def _last(database: Database, claim: bool) -> datetime | None:
    """When a search was claimed last, or a trial begun."""
    column = SearchRow.claimed_at if claim else TrialRow.started_at
    with database.reading() as session:
        return session.scalar(select(column).where(column.is_not(None)).order_by(column.desc()).limit(1))


def build(url: str, folder: Path, searches: int = SEARCHES) -> None:
    """Searches that completed, and the search 'last', which was interrupted at its last step."""
    (folder / "runs" / "trials").mkdir(parents=True)
    open_store(url, create=True).close()
    manifests = [folder / f"{name}.csv" for name in ("train", "val")]
    for manifest in manifests:
        lines = (f"{folder}/{manifest.stem}-{number}.mp4 {number % 400}\n" for number in range(800))
        manifest.write_text("".join(lines))
        (folder / f"{manifest.stem}-0.mp4").touch()  # of a folder without any it is said that it is the wrong one
    given = [*SPACE, *(f"data.{path.stem}={path}" for path in manifests)]
    space, source = load_space("x3d_kinetics400", given)
    fingerprint = read_videos(space).fingerprint
    made = 0
    with closing(connect(url, create=False)) as database:
        for number in range(searches):
            last = number == searches - 1
            seeded = space.model_copy(update={"seed": number})
            row: dict[str, Any] = {
                "id": number + 1,
                "name": "last" if last else f"search-{number}",
                "space": seeded.as_dict(),
                "source": source,
                "overrides": [*given, f"seed={number}"],
                "data": fingerprint.as_dict(),
                "runs": str(folder / "runs"),
                "versions": {"x3d-expander": "0"},
                "created_at": NOW,
                "accepted": [],
                "lease_number": 0,
                "lease_seconds": LEASE_SECONDS,
                "state": "interrupted" if last else "completed",
                "last_event_at": NOW,
            }
            # The trials that a search needs differ by its seed alone: what one lacks of a hundred, another has.
            made += _record(database, row, seeded, fingerprint.id, cut=last)
    print(f"{made:,} trials in {searches} searches ({url.partition(':')[0]})")
    assert made >= TRIALS * (searches - 1) // SEARCHES


def _record(database: Database, row: dict[str, Any], space: SearchSpace, data: str, *, cut: bool) -> int:
    """One search, in a few large statements. cut: up to a step that waits. Returns how many trials it has."""
    decisions: list[Decision] = []
    steps: list[Step] = []
    while (step := next_step(space, decisions, data)) and not (cut and len(steps) == CUT):
        steps.append(step)
        decisions.append(decide(step, [_outcome(trial.id) for trial in step.trials]))
    kept = decisions[:-1] if cut else decisions
    trials = {trial.id: trial for step in steps for trial in step.trials}
    todo = {trial.id for trial in steps[-1].trials} if cut else set()
    with database.writing() as session:
        session.execute(insert(SearchRow), [row])
        session.execute(
            insert(TrialRow), [_trial(trial, row["id"]) for trial in trials.values() if trial.id not in todo]
        )
        pending = [trial_values(trial) | {"enrolled_at": NOW} for trial in trials.values() if trial.id in todo]
        if pending:
            session.execute(insert(TrialRow), pending)
        session.execute(insert(EpochRow), [each for trial in trials if trial not in todo for each in _epochs(trial)])
        failed = {"search_id": row["id"], "trial_id": next(iter(trials)), "number": 1, "reason": "a worker was lost"}
        session.execute(insert(FailureRow), [failed | {"traceback": "", "forgiven": False, "failed_at": NOW}])
        for step in steps:
            recorded = StepRow(search_id=row["id"], started_at=NOW, **step_values(step))
            session.add(recorded)
            session.flush()
            session.add_all(
                CandidateRow(step_id=recorded.id, **candidate_values(candidate, place))
                for place, candidate in enumerate(step.candidates)
            )
            session.flush()
            if decided := next((each for each in kept if each.key == step.key), None):
                session.add(DecisionRow(step_id=recorded.id, decided_at=NOW, **decision_values(decided)))
        for instance in instances(space, kept):
            session.add(InstanceRow(search_id=row["id"], settled_at=NOW, **instance_values(instance)))
    return len(trials)


def _outcome(trial: str) -> Completed:
    metrics = Metrics(int(trial[:8], 16) / 2**32, 1.0, 1.0, 800)
    return Completed(trial, metrics, 60.0, f"{trial}.safetensors", versions={"torch": "2"}, train_top1=0.5, gpus=1.0)


def _trial(trial: Trial, search: int) -> dict[str, Any]:
    outcome = completed_values(_outcome(trial.id)) | {"completed_at": NOW, "trained_by": search}
    return trial_values(trial) | outcome | {"enrolled_at": NOW, "started_at": NOW - timedelta(1), "epoch": EPOCHS}


def _epochs(trial: str) -> Iterator[dict[str, Any]]:
    for number in range(1, EPOCHS + 1):
        figures = {"loss": 1 / number, "top1": 0.5, "rate": 0.1, "seconds": 2.0, "clips_per_second": 400.0}
        yield figures | {"trial_id": trial, "number": number, "waited": 0.1, "gpu_memory": 2**30, "recorded_at": NOW}


if __name__ == "__main__":
    main()
