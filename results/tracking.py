"""A search as it happens, told to an MLflow server by a thread of its own: nobody waits for it, nothing fails by it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any

from expander.pace import curves, scores
from expander.search import Decision, Step
from expander.trial import Completed, Epoch, Event, Failed, Started, Trial
from results.mlflow import Metric, Refused, Run, Server, Unreachable

if TYPE_CHECKING:
    from results.patience import PatientSearch
    from results.store import SearchStore

# Between two tries of a server that does not answer.
PATIENCE_SECONDS = (2, 5, 15, 60)
# What is still to be told when the search ends gets so long, with a try so often.
LAST_TRIES_SECONDS = 0.5
GRACE_SECONDS = 5

Job = Callable[[], None]


class Tracker:
    """A context manager. One experiment a search, one run a trial; events go there in their order.

    say: is given a line for people, from another thread. While the server does not answer, events are kept, and told
    once it does; what is left when the search ends is given up. A run that a resumed search has made before goes on.
    """

    def __init__(self, uri: str, search: SearchStore | PatientSearch, say: Callable[[str], None]) -> None:
        self._uri = uri
        self._search = search
        self._say = say
        self._server = Server(uri)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._ending = Flag()
        self._closing = Flag()
        self._complained: set[type[Exception]] = set()
        self._experiment: str | None = None
        self._runs: dict[str, Run] = {}
        self._open: set[str] = set()
        self._thread = Thread(target=self._work, name="MLflow", daemon=True)

    def __enter__(self) -> Tracker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(self._stop_open)
        self._jobs.put(None)
        self._ending.set()
        self._thread.join(GRACE_SECONDS)
        if self._thread.is_alive():
            self._closing.set()
            self._say(f"MLflow at {self._uri}: {self._jobs.qsize()} or more events could not be told any more")

    def watch(self, step: Step, event: Event | Decision | None) -> None:
        """Tell one event of the loop, soon."""
        match event:
            case None:
                self._take_over(step)
            case Decision():
                self._jobs.put(partial(self._decided, step, event))
            case Started() | Epoch() | Completed() | Failed():
                # The time is taken now: told later, or twice, it is the same.
                self._jobs.put(partial(self._happened, step, event, _now()))

    def _take_over(self, step: Step) -> None:
        """Trials that were completed before, in another search or an earlier run of this one."""
        for outcome in self._search.outcomes(step):
            if isinstance(outcome, Completed):
                epochs = self._search.trial(outcome.trial).epochs
                self._jobs.put(partial(self._known, step, outcome, epochs, _now()))

    # In the thread.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._try(job)

    def _try(self, job: Job) -> None:
        tries = 0
        while not self._closing.is_set():
            try:
                job()
                return
            except Unreachable as error:
                self._complain(error, "the search goes on, and what happens is told once it answers")
                if not self._ending.wait(PATIENCE_SECONDS[min(tries, len(PATIENCE_SECONDS) - 1)]):
                    tries += 1
                elif self._closing.wait(LAST_TRIES_SECONDS):
                    return
            except Exception as error:  # noqa: BLE001  whatever happens here must not end the thread
                self._complain(error, "the search goes on without telling it that")
                return

    def _complain(self, error: Exception, then: str) -> None:
        if type(error) not in self._complained and not self._closing.is_set():
            self._complained.add(type(error))
            verb = "refuses" if isinstance(error, Refused) else "cannot be told"
            self._say(f"MLflow at {self._uri} {verb} ({error}): {then}")

    def _happened(self, step: Step, event: Event, now: int) -> None:
        run = self._run(step, event.trial)
        match event:
            case Started():
                self._open.add(event.trial)
                self._server.update(run.id, "RUNNING")
                self._server.log(run.id, tags={"worker": event.worker})
            case Epoch():
                self._server.log(run.id, _metrics(curves(event), event.number, now))
            case Completed():
                self._complete(run, event, _trial(step, event.trial).recipe.epochs, now)
            case Failed():
                self._open.discard(event.trial)
                self._server.log(run.id, tags={"failure": event.reason[:5000]})
                self._server.update(run.id, "FAILED", now)

    def _known(self, step: Step, completed: Completed, epochs: Sequence[Epoch], now: int) -> None:
        run = self._run(step, completed.trial)
        if run.status != "FINISHED":
            metrics = [metric for epoch in epochs for metric in _metrics(curves(epoch), epoch.number, now)]
            self._server.log(run.id, metrics)
            self._complete(run, completed, _trial(step, completed.trial).recipe.epochs, now)

    def _complete(self, run: Run, completed: Completed, epochs: int, now: int) -> None:
        tags = {"damaged": str(len(completed.damaged)), "weights": completed.weights or ""}
        tags |= {f"version.{name}": number for name, number in completed.versions.items()}
        self._server.log(run.id, _metrics(scores(completed.metrics), epochs, now), tags=tags)
        self._server.update(run.id, "FINISHED", now)
        self._open.discard(completed.trial)

    def _decided(self, step: Step, decision: Decision) -> None:
        if decision.trial is not None:
            self._server.log(self._run(step, decision.trial).id, tags={"kept": f"{step.key} {decision.axis}"})

    def _stop_open(self) -> None:
        for trial in list(self._open):
            self._server.update(self._runs[trial].id, "KILLED", _now())
            self._open.discard(trial)

    def _run(self, step: Step, trial_id: str) -> Run:
        if self._experiment is None:
            self._experiment = self._server.experiment(self._search.name)
        if trial_id not in self._runs:
            self._runs[trial_id] = self._find_or_create(self._experiment, step, trial_id)
        return self._runs[trial_id]

    def _find_or_create(self, experiment: str, step: Step, trial_id: str) -> Run:
        candidates = [candidate for candidate in step.candidates if candidate.trial and candidate.trial.id == trial_id]
        axes = "/".join(candidate.axis for candidate in candidates)
        mine = {"search": self._search.name, "trial": trial_id}
        run = self._server.find_run(experiment, mine)
        if run is None:
            tags = mine | {"step": step.key, "axis": axes}
            run = self._server.create_run(experiment, f"step {step.key} {axes}", tags, _now())
        if run.status != "FINISHED":
            # Also to a run that was found: the server may have gone away before it had them.
            solution = candidates[0].solution
            assert solution is not None
            costs = {"flops": str(solution.complexity.flops), "params": str(solution.complexity.params)}
            self._server.log(run.id, params=_flat(_trial(step, trial_id).as_dict()) | costs)
        return run


def _trial(step: Step, trial_id: str) -> Trial:
    return next(trial for trial in step.trials if trial.id == trial_id)


def _metrics(values: Mapping[str, float], step: int, now: int) -> list[Metric]:
    return [Metric(name, value, now, step) for name, value in values.items()]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """'recipe.epochs': '4'; a list as JSON."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
