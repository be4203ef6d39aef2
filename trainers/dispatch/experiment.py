"""One experiment of Ray Tune, fed with trials through a queue and heard through another, and what its workers run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event as Flag
from threading import Thread
from typing import Any

import ray
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from expander.coordinator import Meter
from expander.cost import MeasuredName
from expander.errors import ExpanderError, TrialError
from expander.geometry import Geometry
from expander.trial import Completed, Event, Failed, Trial
from trainers.dispatch.attempt import Attempt, die_with_parent, failed
from trainers.dispatch.reason import reason
from trainers.dispatch.seats import elsewhere

# More than any step has trials: what runs at once is a matter of resources alone.
PENDING = 1000
# How often who waits for an event looks whether there is still somebody to send one.
LOOK_SECONDS = 1.0
# A fit that ends is begun anew, so often: then Tune cannot work here.
FITS = 1000


@dataclass(frozen=True)
class Measured:
    """What a worker measured and on which device; value is None where only that was asked."""

    value: float | None
    device: str


class Experiment:
    """A tune.Tuner.fit() in a thread of its own: Ctrl-C finds the main thread waiting for events, not inside Tune.

    attempt, meter: must pickle. resources: that each process holds, by Ray's names. most: how many trials Tune may have
    now. placed: whether its own processes are what is kept from machines; else the attempt sees to that. Ray must be
    connected for as long as the experiment lasts.
    """

    def __init__(
        self,
        attempt: Attempt,
        meter: Meter,
        resources: dict[str, float],
        most: Callable[[], int] | None = None,
        *,
        placed: bool = False,
    ) -> None:
        self._link = _Link()
        self._most = most or (lambda: PENDING)

        def held(config: dict[str, Any]) -> tune.PlacementGroupFactory:
            labels = elsewhere(config.get("avoid", ())) if placed else {}
            where: dict[str, Any] = {"bundle_label_selector": [labels]} if labels else {}
            return tune.PlacementGroupFactory([resources], **where)

        self._trainable = tune.with_resources(_trainable(attempt, meter), held)
        self._thread = Thread(target=self._fit, name="Ray Tune", daemon=True)
        self._thread.start()

    def submit(self, trial: Trial) -> None:
        """Queue one attempt."""
        self._link.todo.put({"id": trial.id, "trial": trial.as_dict()})

    def keep_from(self, avoid: Callable[[str], Sequence[str]]) -> None:
        """From now on ask, as Tune takes a trial, which machines it is kept from, by Ray's ids. Asked in any thread."""
        self._link.avoid = avoid

    def starved(self, room: Callable[[Sequence[str]], bool]) -> bool:
        """Whether nothing runs, and what is kept from machines would wait for ever: `room` says whether others fit."""
        kept = [tuple(config["avoid"]) for config in list(self._link.live.values()) if config.get("avoid")]
        return not self._link.running and bool(kept) and not all(room(nodes) for nodes in kept)

    def warm_up(self, processes: int) -> None:
        """Have `processes` processes on this machine import the training. Raises ExpanderError when they cannot."""
        with TemporaryDirectory(prefix="expander-ray-") as meeting:
            for _ in range(processes):
                self._link.todo.put({"id": "", "trial": None, "meeting": meeting, "processes": processes})
            for _ in range(processes):
                if isinstance(event := self._next(), Failed):
                    raise ExpanderError(f"the training does not load in a Ray worker: {event.reason}")

    def measure(self, name: MeasuredName | None, geometry: Geometry | None) -> Measured | Failed:
        """Have one process measure, while none trains; Failed where it could not."""
        values = geometry.as_dict() if geometry else None
        self._link.todo.put({"id": "", "trial": None, "name": name, "geometry": values})
        reply = self._next()
        assert isinstance(reply, Measured | Failed)
        return reply

    def next_event(self, seconds: float | None = None) -> Event | None:
        """Wait for the next event of any attempt; None where none comes within `seconds`, or within LOOK_SECONDS.

        Raises ExpanderError when Tune itself fails.
        """
        event = self._look(LOOK_SECONDS if seconds is None else min(seconds, LOOK_SECONDS))
        assert not isinstance(event, Measured | _Warm)
        return event

    def end(self) -> None:
        """Stop what runs, and return when nothing does."""
        self._link.closing.set()
        self._link.todo.put(Searcher.FINISHED)
        self._thread.join()

    def _next(self) -> Event | Measured | None:
        """Wait for what is told next; None says that a process is warm."""
        while True:
            told = self._look(LOOK_SECONDS)
            if told is not None:
                return None if isinstance(told, _Warm) else told

    def _look(self, seconds: float) -> Event | Measured | _Warm | None:
        alive = self._thread.is_alive()
        try:
            event = self._link.events.get(timeout=seconds)
        except Empty:
            if alive:
                return None
            event = RuntimeError("its thread has ended without a word")
        if isinstance(event, Exception):
            raise ExpanderError(f"Ray Tune stopped: {event}") from event
        return event

    def _fit(self) -> None:
        # Not one of Tune's own files is wanted afterwards.
        with TemporaryDirectory(prefix="expander-ray-", ignore_cleanup_errors=True) as scratch:
            for _ in range(FITS):
                error: BaseException | None = None
                try:
                    self._tuner(scratch).fit()
                except BaseException as raised:  # noqa: BLE001  whatever happens in this thread is told to the main one
                    error = raised
                if self._link.closing.is_set():
                    return
                if error is not None and not self._link.running:
                    break
                # Tune has no answer to Ray's killing a worker for want of memory, and falls over; a fit may also just
                # return. Without another one, who waits for an event would wait for ever.
                self._link.lose_all(str(error or "Ray Tune ended by itself"))
            self._link.events.put(Exception(str(error or "it ended by itself again and again")))

    def _tuner(self, scratch: str) -> tune.Tuner:
        return tune.Tuner(
            self._trainable,
            tune_config=tune.TuneConfig(
                search_alg=_Feed(self._link, self._most),
                num_samples=-1,
                max_concurrent_trials=PENDING,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(name="trials", storage_path=scratch, verbose=0, callbacks=[_Watch(self._link)]),
        )


@dataclass(frozen=True)
class _Warm:
    """A process has imported what trials need."""


class _Closed(Exception):
    """Ends a fit from within."""


class _Link:
    """What the main thread and Tune's thread share; `live` and `running` are touched by Tune's thread alone.

    todo: configs of Tune trials to be, and at last Searcher.FINISHED. events: what happens, and what was measured; an
    exception when Tune fails. live: configs of the Tune trials that have no outcome yet, by Tune's own ids. running:
    those of them that have a process, as Tune's trials. avoid: the machines that a trial is kept from, by its id.
    """

    def __init__(self) -> None:
        self.todo: SimpleQueue[dict[str, Any] | str] = SimpleQueue()
        self.events: SimpleQueue[Event | Measured | _Warm | Exception] = SimpleQueue()
        self.avoid: Callable[[str], Sequence[str]] = lambda _: ()
        self.closing = Flag()
        self.live: dict[str, dict[str, Any]] = {}
        self.running: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[_Link], tuple[()]]:
        # Tune pickles searcher and callbacks for Tuner.restore, which is never used here.
        return _Link, ()

    def tell(self, job: str, event: Event | Measured | _Warm) -> None:
        """Pass on what the Tune trial `job` reports; after its outcome it is no longer waited for."""
        if isinstance(event, Completed | Failed | Measured | _Warm):
            self.live.pop(job, None)
            self.running.pop(job, None)
        self.events.put(event)

    def lose(self, job: str, text: str) -> None:
        """End the attempt of a Tune trial that will report no outcome. text: what Ray says about it."""
        result = self.running[job].last_result if job in self.running else {}
        # A process that dies before its first report leaves a result without a place, now and then.
        worker = f"{result['hostname']}:{result['pid']}" if {"hostname", "pid"} <= set(result) else "that was starting"
        kind, line = reason(worker, text)
        self.tell(job, Failed(self.live[job]["id"], line, text, kind=kind))

    def lose_all(self, text: str) -> None:
        """End the attempts that had begun, and queue the others anew."""
        for job, config in list(self.live.items()):
            if job in self.running:
                self.lose(job, text)
            else:
                self.todo.put(config)
        self.live.clear()


class _Feed(Searcher):
    """Suggests what is in the queue."""

    def __init__(self, link: _Link, most: Callable[[], int]) -> None:
        super().__init__()
        self._link = link
        self._most = most

    def suggest(self, trial_id: str) -> Any:
        """The next config, None where there is none; or wait for one, where Tune has nothing else to do.

        Tune itself would look once a second. Waiting here, before it has dealt with the end of the last trial, also
        keeps that trial's process for the next step.
        """
        if self._link.live and len(self._link.live) >= self._most():
            return None
        try:
            config = self._link.todo.get(block=not self._link.live)
        except Empty:
            return None
        if isinstance(config, dict):
            if config["trial"] is not None:
                # Known only now where it is to run: others may have failed since it was queued.
                config = {**config, "avoid": list(self._link.avoid(config["id"]))}
            self._link.live[trial_id] = config
        return config

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: _Watch sees every outcome."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: there is no state to restore."""


class _Watch(TrialProgressCallback):
    """Tells what Tune sees. Of this class because Tune adds one of it, which prints, where it finds none."""

    def __init__(self, link: _Link) -> None:
        super().__init__()
        self._link = link

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Where asked to close, kill what runs: Tune's own stop waits for the next report, up to an epoch away."""
        if self._link.closing.is_set():
            for trial in self._link.running.values():
                ray.kill(trial.temporary_state.ray_actor)
            raise _Closed

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a process has taken the trial."""
        self._link.running[trial.trial_id] = trial

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass on an event."""
        self._link.tell(trial.trial_id, result["event"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Nothing: the outcome has been told."""

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Nothing: see on_step_end."""

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Find trials that have ended without an outcome: their process has died, or never came to be.

        Looked for here because Tune does not call on_trial_error on every way out.
        """
        for trial in trials:
            if trial.trial_id in self._link.live and trial.is_finished():
                self._link.lose(trial.trial_id, Path(trial.error_file).read_text() if trial.error_file else "")


def _trainable(attempt: Attempt, meter: Meter) -> Callable[[dict[str, Any]], None]:
    """What a worker runs: one attempt; or, without a trial, a measurement, or the import of what `attempt` needs."""

    def tell(event: Event | Measured | _Warm) -> None:
        tune.report({"event": event})

    def train(config: dict[str, Any]) -> None:
        die_with_parent()
        done = True
        if config["trial"] is not None:
            done = attempt(Trial.from_dict(config["trial"]), tell, config["avoid"])
        elif "name" in config:
            tell(reply := _measured(meter, config["name"], config["geometry"]))
            done = isinstance(reply, Measured)
        else:
            _meet(Path(config["meeting"]), config["processes"])
            tell(_Warm())
        if not done:
            raise TrialError("its Failed has been told; this is for Tune not to use the process again")

    return train


def _measured(meter: Meter, name: MeasuredName | None, geometry: dict[str, Any] | None) -> Measured | Failed:
    try:
        value = meter.measure(name, Geometry.from_dict(geometry)) if name and geometry else None
        return Measured(value, meter.device)
    except Exception as error:  # noqa: BLE001  whatever a meter raises is told to who asked
        return failed("", error)


def _meet(place: Path, processes: int) -> None:
    """Wait for the others: Tune would use the first process for the second trial, and kill the one still starting."""
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < processes:
        time.sleep(0.05)
