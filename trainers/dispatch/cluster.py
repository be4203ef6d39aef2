"""Trials on a Ray cluster: Ray Tune carries them out and owns nothing. Order, retries and resume are the store's."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import Any

import ray
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from expander.errors import ExpanderError, TrialError, UsageError
from expander.trial import Completed, Event, Failed, Training, Trial
from trainers.dispatch.attempt import attempt

# Read by Tune: no result files, no tables on stdout, no tracebacks in the log (they are in each Failed), and no
# change of directory in a worker, which would give a relative path another meaning there.
TUNE_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
# Tune keeps two processes from one step to the next: one as its spare, one that has just reported the last outcome.
WARM = 2
# More than any step has trials: what runs at once is a matter of resources alone.
PENDING = 1000
CONNECT_SECONDS = 10


class RayDispatcher:
    """A context manager: entering starts a Ray of its own, or joins the cluster at `address`; leaving ends or quits it.

    cpus, gpus: what one trial takes of a machine; fractions share. address: 'host:port', 'auto', or None for RAY_ADDRESS
    where that is set and otherwise a local Ray. Raises UsageError on entering, before anything is trained, when there is
    no such cluster or no machine in it that could ever hold a trial.

    One Tune experiment lasts as long as the dispatcher, because a process that has imported torch costs seconds: the
    same processes train one trial after the other, in this step and the next. One in which a trial has failed is
    replaced, since an error in CUDA or exhausted memory would outlive the trial.
    """

    def __init__(self, training: Training, *, cpus: float, gpus: float, address: str | None = None) -> None:
        self._trainable = tune.with_resources(_trainable(training), {"cpu": cpus, "gpu": gpus})
        self._cpus = cpus
        self._gpus = gpus
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._experiment: _Experiment | None = None

    def __enter__(self) -> RayDispatcher:
        os.environ.update(TUNE_ENVIRONMENT)
        _connect(self._address, threads=max(1, int(self._cpus)))
        try:
            slots = self._slots()
            if self._address == "local":
                self._warm_up(min(slots, WARM))
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def run(self, trials: Sequence[Trial], again: Callable[[Failed], bool]) -> Generator[Event, None, None]:
        """Train `trials` as the protocol `expander.coordinator.Dispatcher` says: as many at once as resources allow."""
        experiment = self._begin()
        waited = {trial.id: trial for trial in trials}
        for trial in trials:
            experiment.submit(trial)
        try:
            while waited:
                event = experiment.next_event()
                yield event
                if isinstance(event, Failed) and again(event):
                    experiment.submit(waited[event.trial])
                elif isinstance(event, Completed | Failed):
                    del waited[event.trial]
        finally:
            if waited:
                self._end(kill=True)

    def _slots(self) -> int:
        """How many trials fit on the cluster at once."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        slots = sum(_fit(node, self._cpus, self._gpus) for node in nodes)
        if slots == 0:
            largest = ", ".join(f"{node.get('CPU', 0):g} cpus and {node.get('GPU', 0):g} gpus" for node in nodes)
            raise UsageError(
                f"the space asks for {self._cpus:g} cpus and {self._gpus:g} gpus a trial, but no machine of the Ray "
                f"cluster has that many (it has machines of: {largest}); set resources.cpus and resources.gpus"
            )
        return slots

    def _warm_up(self, processes: int) -> None:
        """Have `processes` processes import the training, as a part of Ray's start rather than of the first step."""
        experiment = self._begin()
        for _ in range(processes):
            experiment.submit(None)
        for _ in range(processes):
            if isinstance(event := experiment.next_event(), Failed):
                raise ExpanderError(f"a Ray worker cannot load the training: {event.reason}\n{event.traceback}")

    def _begin(self) -> _Experiment:
        if self._experiment is None:
            self._experiment = _Experiment(self._trainable)
        return self._experiment

    def _end(self, kill: bool) -> None:
        if self._experiment is not None:
            self._experiment.end(kill)
            self._experiment = None

    def _leave(self) -> None:
        try:
            self._end(kill=False)
        finally:
            ray.shutdown()


def _connect(address: str, threads: int) -> None:
    """Start a local Ray or join a cluster, with nothing on stdout and `threads` threads for OpenMP in each worker."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    environment = {
        "OMP_NUM_THREADS": str(threads),
        # A process is used again once the thread of its last trial has ended. Where that takes longer than this, in
        # seconds, Tune gives up on the new trial.
        "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
    }
    # Nothing passes through the object store but messages; Ray would reserve a third of the memory.
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": 100 * 2**20}
    if "://" in address:
        raise UsageError(
            f"--ray-address {address}: Ray Client cannot report epochs as they happen; run this command on a machine "
            "of the cluster, with --ray-address auto"
        )
    if address not in ("local", "auto"):
        _probe(address)
    try:
        ray.init(
            address, runtime_env={"env_vars": environment}, **quiet, **(own if address == "local" else {})
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"cannot join the Ray cluster at {address}: {error}") from error


def _probe(address: str) -> None:
    # Ray itself goes on trying to reach a wrong address for minutes.
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--ray-address {address}: no Ray cluster answers there ({error}); expected host:port as "
            "'ray start --head' prints it, 'auto', or nothing for a local Ray"
        ) from error


def _fit(node: dict[str, float], cpus: float, gpus: float) -> int:
    """How many trials fit on one machine."""
    asked = {"CPU": cpus, "GPU": gpus}
    return int(min(node.get(kind, 0) / amount for kind, amount in asked.items() if amount))


class _Experiment:
    """One tune.Tuner.fit(), in a thread so that Ctrl-C finds the main thread waiting for events and not inside Tune."""

    def __init__(self, trainable: Callable[[dict[str, Any]], None]) -> None:
        self._link = _Link()
        self._trainable = trainable
        self._thread = Thread(target=self._fit, name="Ray Tune", daemon=True)
        self._thread.start()

    def submit(self, trial: Trial | None) -> None:
        """Queue one attempt; None only starts a process."""
        self._link.todo.put((trial,))

    def next_event(self) -> Event | None:
        """Wait for the next event; None: a process is ready."""
        event = self._link.events.get()
        if isinstance(event, BaseException):
            raise ExpanderError(f"Ray Tune stopped: {event}") from event
        return event

    def end(self, kill: bool) -> None:
        """Return when nothing runs any more; `kill` what still does."""
        if kill:
            self._link.closing.set()
        self._link.todo.put(None)
        self._thread.join()

    def _fit(self) -> None:
        # Not one of Tune's own files is wanted afterwards.
        with TemporaryDirectory(prefix="expander-tune-", ignore_cleanup_errors=True) as scratch:
            while True:
                try:
                    self._tuner(scratch).fit()
                    return
                except Exception as error:  # noqa: BLE001  whatever happens in this thread is told to the main one
                    if self._link.closing.is_set():
                        return
                    if not self._link.running:
                        self._link.events.put(error)
                        return
                    self._link.lose_all(str(error))

    def _tuner(self, scratch: str) -> tune.Tuner:
        return tune.Tuner(
            self._trainable,
            tune_config=tune.TuneConfig(
                search_alg=_Feed(self._link), num_samples=-1, max_concurrent_trials=PENDING, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name="trials", storage_path=scratch, verbose=0, callbacks=[_Watch(self._link)],
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )


class _Closed(Exception):
    """Ends a fit from within."""


class _Link:
    """What the main thread and Tune's thread share; `live` and `running` are touched by Tune's thread alone.

    live: attempts that Tune knows and that have no outcome yet, by Tune's own ids; running: the actors of those that
    have begun.
    """

    def __init__(self) -> None:
        self.todo: SimpleQueue[tuple[Trial | None] | None] = SimpleQueue()
        self.events: SimpleQueue[Event | Exception | None] = SimpleQueue()
        self.closing = Flag()
        self.live: dict[str, Trial | None] = {}
        self.running: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[_Link], tuple[()]]:
        # Tune pickles searcher and callbacks for Tuner.restore, which is never used here.
        return _Link, ()

    def tell(self, job: str, event: Event | None) -> None:
        """Pass on what the Tune trial `job` reports; after its outcome, or None, it is no longer waited for."""
        if event is None or isinstance(event, Completed | Failed):
            self.live.pop(job, None)
            self.running.pop(job, None)
        self.events.put(event)

    def lose(self, job: str, reason: str, trace: str) -> None:
        """End the attempt of a Tune trial that will not report an outcome."""
        trial = self.live[job]
        self.tell(job, Failed(trial.id if trial else "", reason, trace))

    def lose_all(self, reason: str) -> None:
        """End the attempts that had begun, and queue the others for the next experiment."""
        for job, trial in list(self.live.items()):
            if job in self.running:
                self.lose(job, reason.splitlines()[-1], reason)
            else:
                self.todo.put((trial,))
        self.live.clear()


class _Feed(Searcher):
    """Suggests what is in the queue."""

    def __init__(self, link: _Link) -> None:
        super().__init__()
        self._link = link

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next attempt; None while there is none, and where nothing is live, wait: Tune would look once a second.

        Waiting here, before Tune has dealt with the end of the last trial, also keeps that trial's process alive.
        """
        try:
            task = self._link.todo.get(block=not self._link.live)
        except Empty:
            return None
        if task is None:
            return Searcher.FINISHED
        self._link.live[trial_id] = trial = task[0]
        return {"trial": trial and trial.as_dict()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: _Watch sees every outcome."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: see _Link.__reduce__."""


class _Watch(TrialProgressCallback):
    """Tells what Tune sees. Of this class because Tune adds one that prints to stdout where it finds none."""

    def __init__(self, link: _Link) -> None:
        super().__init__()
        self._link = link

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Where asked to close, kill what runs: Tune's own stop waits for the next report, up to an epoch away."""
        if self._link.closing.is_set():
            for actor in self._link.running.values():
                ray.kill(actor)
            raise _Closed

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Remember the actor."""
        self._link.running[trial.trial_id] = trial.temporary_state.ray_actor

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Pass on an event."""
        self._link.tell(trial.trial_id, result["event"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Nothing: its outcome has been told."""

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Nothing: see on_step_end."""

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Find the trials that have ended without an outcome: their process has died, or never began."""
        for trial in trials:
            if trial.trial_id in self._link.live and trial.is_finished():
                text = Path(trial.error_file).read_text() if trial.error_file else ""
                self._link.lose(trial.trial_id, _reason(trial, text), text)


def _reason(trial: Any, text: str) -> str:
    return text[:1000]


def _trainable(training: Training) -> Callable[[dict[str, Any]], None]:
    """What a worker runs: one attempt, or with no trial, nothing but the import of what `training` needs."""

    def train(config: dict[str, Any]) -> None:
        def tell(event: Event | None) -> None:
            tune.report({"event": event})

        if config["trial"] is None:
            tell(None)
        elif not attempt(training, Trial.from_dict(config["trial"]), tell):
            raise TrialError("already told; raised so that Tune does not use this process again")

    return train
