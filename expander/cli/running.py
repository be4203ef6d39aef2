"""A search as it runs in this process: claimed, carried on to its end, given back; what trains and measures for it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from expander.cli.inputs import Videos, sources, versions
from expander.cli.options import DEFAULT_STORE
from expander.cli.output import notes, print_json
from expander.cli.password import VARIABLE
from expander.cli.progress import MeasuringAloud, Progress
from expander.cli.room import check_folder, check_room
from expander.cli.snapshot import status_document
from expander.cli.standing import print_status
from expander.coordinator import Dispatcher, measured, run_search
from expander.cost import Cost, MeasuredName
from expander.errors import ExpanderError, Interrupted, LeaseLost
from expander.geometry import Geometry
from expander.imports import at_once
from expander.inputs import Change
from expander.search import Decision, Step, next_step
from expander.space import ResourcesSection, SearchSpace
from expander.trial import Event, content_id

if TYPE_CHECKING:
    from results.patience import PatientSearch
    from results.search import SearchStore
    from trainers.dispatch.member import TeamTraining
    from trainers.fence import Claim
    from trainers.meter import DeviceMeter
    from trainers.training import VideoTraining

Watch = Callable[[Step, Event | Decision | None], None]


def meter_of(space: SearchSpace) -> DeviceMeter:
    """What measures a space's networks, with the device and the threads that its trials have.

    A machine may have a GPU that `resources` has not asked for: then neither uses it.
    """
    from trainers.meter import DeviceMeter

    return DeviceMeter(max(1, int(space.resources.cpus)), "auto" if space.resources.gpus_per_trial else "cpu")


def begin_early(dispatcher: str) -> None:
    """Have what trials need imported in another process, while this one finds out which trials there are."""
    if dispatcher == "inline":
        os.environ.pop(VARIABLE, None)  # read already; that process would inherit it
        from trainers.dispatch import forkserver

        forkserver.begin()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, which clusters send, stops as cleanly as Ctrl-C."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@_interruptible()
def carry_on(
    store: SearchStore,
    space: SearchSpace,
    videos: Videos | None,
    runs: Path,
    dispatcher: str,
    ray_address: str | None,
    url: str,
    as_json: bool,
    accepted: Sequence[Change] = (),
    begin: Callable[[PatientSearch], None] | None = None,
) -> None:
    """Claim the search, run the loop to its end and say what came of it. begin: called once it is claimed."""
    os.environ.pop(VARIABLE, None)  # workers have no business with the store, and would inherit its password
    from results.patience import PatientSearch

    _claim(store, space.coordinator.lease_seconds)
    claimed, console = PatientSearch(store), notes()
    try:
        with _kept(claimed, console):
            claimed.update_space(space)
            claimed.accept(accepted, versions(), sources())
            if videos is not None:
                claimed.note_files(videos.fingerprint.as_dict(), videos.packed)
            if begin is not None:
                begin(claimed)
            reason = _to_its_end(claimed, space, videos, runs, dispatcher, ray_address, console)
    except (KeyboardInterrupt, SystemExit):
        store.release("interrupted", "stopped by a signal")
        again = ["expander", "resume", store.name]
        again += ["--store", store.url] if url != DEFAULT_STORE else []
        again += ["--dispatcher", dispatcher] if dispatcher != "ray" else []
        again += ["--ray-address", ray_address] if ray_address else []
        raise Interrupted(
            f"search {store.name!r} stopped; everything recorded is kept. Go on with: {' '.join(again)}"
        ) from None
    except LeaseLost:
        raise
    except ExpanderError as error:
        store.release("failed", str(error))
        raise
    except BaseException as error:
        store.release("failed", f"{type(error).__name__}: {error}")
        raise
    claimed.release("completed", reason)
    if as_json:
        print_json(status_document(store))
    else:
        print_status(store)


def _to_its_end(
    store: PatientSearch,
    space: SearchSpace,
    videos: Videos | None,
    runs: Path,
    dispatcher: str,
    ray_address: str | None,
    console: Console,
) -> str:
    """Run the loop; returns why the search ended."""
    data = videos.fingerprint.id if videos else ""
    # Where nothing is left to train or to measure, no Ray is started for it.
    left = _next_step(store, space, data)
    name = dispatcher if left is not None else None
    if videos is not None and left is not None:
        check_folder(runs)
        if isinstance(left, Step):
            check_room(left, runs)
    with (
        Progress(store, space, console) as progress,
        _tracking(store, space, progress) as watch,
        _dispatcher(store, space, videos, runs, name, ray_address) as made,
    ):
        progress.nodes = lambda: made.nodes
        cost = None
        if space.measured is not None:
            store.measure_on(made.meter.device)
            cost = measured(space.measured, MeasuringAloud(made.meter, progress.console), store)
        return run_search(space, store, made, data, watch, cost)


def _claim(store: SearchStore, seconds: float) -> None:
    before = store.claim(seconds)
    if before is not None:
        why = "which is dead" if before.owner.dead else f"silent for more than its {before.seconds:g} seconds"
        heard = f"it was last heard of {before.heard:%F %T} UTC"
        notes().print(f"taking search {store.name!r} over from {before.owner}, {why}; {heard}", markup=False)


@contextmanager
def _kept(store: PatientSearch, console: Console) -> Iterator[None]:
    """Keep the lease within it. Where it is lost the main thread stops as by SIGTERM, and LeaseLost says why."""

    def stop() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    with store.kept(lambda line: console.print(line, markup=False), stop) as heartbeat:
        try:
            yield
        except BaseException:
            if heartbeat.reason is None:
                raise
            raise LeaseLost(heartbeat.reason) from None


@contextmanager
def _tracking(store: PatientSearch, space: SearchSpace, progress: Progress) -> Iterator[Watch]:
    """What is told of every event: the progress, and an MLflow server where the space names one."""
    if space.watch.mlflow is None:
        yield progress.watch
        return
    from results.tracking import Tracker

    with Tracker(space.watch.mlflow, store, lambda line: progress.console.print(line, markup=False)) as tracker:

        def both(step: Step, event: Event | Decision | None) -> None:
            progress.watch(step, event)
            tracker.watch(step, event)

        yield both


class NotMeasuredYet(Exception):
    """The store does not have it."""


@dataclass(frozen=True)
class _Recorded:
    """A meter that measures nothing: what the store has of this device must do."""

    device: str

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        raise NotMeasuredYet


def _next_step(store: SearchStore | PatientSearch, space: SearchSpace, data: str) -> Step | NotMeasuredYet | None:
    """The step to be taken, None where none is left; or that it cannot be told without measuring."""
    try:
        return next_step(space, store.decisions(), data, known_cost(store, space))
    except NotMeasuredYet as unknown:
        return unknown


def known_cost(store: SearchStore | PatientSearch, space: SearchSpace) -> Cost | None:
    """A measured complexity as far as it is recorded, None where it has a closed form.

    It raises NotMeasuredYet where it is asked for more, and so does this where nothing has been measured.
    """
    if space.measured is None:
        return None
    if (device := store.record_of.device) is None:
        raise NotMeasuredYet
    return measured(space.measured, _Recorded(device), store)


@contextmanager
def _dispatcher(
    store: PatientSearch, space: SearchSpace, videos: Videos | None, runs: Path, name: str | None, address: str | None
) -> Iterator[Dispatcher]:
    """The dispatcher that `name` asks for, with the training of this search; one for nothing where it needs none."""
    nothing = name is None or (videos is None and space.measured is None)
    if name == "ray" and not nothing:
        with _on_ray(store, space, videos, runs, address) as made:
            yield made
        return
    from trainers.dispatch.inline import InlineDispatcher

    if nothing:
        yield InlineDispatcher(_nothing, _Recorded(store.record_of.device or ""))
        return
    meter, resources = meter_of(space), space.resources
    yield InlineDispatcher(
        _training_of(store, space, videos, runs, meter),
        meter,
        workers=resources.workers,
        least=resources.least_workers,
        threads=meter.threads,
        on_gpus=resources.gpus_per_trial > 0,
        apart=videos is not None,
        runs=runs,
        at_once=trials_at_once(resources),
    )


@contextmanager
def _on_ray(
    store: PatientSearch, space: SearchSpace, videos: Videos | None, runs: Path, address: str | None
) -> Iterator[Dispatcher]:
    with at_once():
        from trainers.dispatch.joining import Joining

    resources = space.resources
    # What Tune imports of others, while Ray waits for its processes; not Ray's own, of which it imports more meanwhile.
    threading.Thread(target=import_module, args=("pandas",), name="imports", daemon=True).start()
    joining = Joining(address, threads=max(1, int(resources.cpus)))
    joining.join()
    try:
        with at_once():
            from trainers.dispatch.cluster import RayDispatcher

        meter = meter_of(space)
        dispatcher = RayDispatcher(
            _training_of(store, space, videos, runs, meter),
            meter,
            cpus=resources.cpus,
            gpus=resources.gpus_per_worker,
            workers=resources.workers,
            least=resources.least_workers,
            sized=resources.sized,
            shared=None if videos is None else runs,
            joining=joining,
        )
        with dispatcher as made:
            yield made
    finally:
        joining.leave()


def _training_of(
    store: PatientSearch, space: SearchSpace, videos: Videos | None, runs: Path, meter: DeviceMeter
) -> TeamTraining:
    return _nothing if videos is None else _training(space, videos, runs, meter, _claim_of(store))


def _training(space: SearchSpace, videos: Videos, runs: Path, meter: DeviceMeter, claim: Claim) -> VideoTraining:
    from trainers.micro_batch import MicroBatches
    from trainers.training import VideoTraining
    from trainers.watchdog import Watchdog

    resources = space.resources
    return VideoTraining(
        train=videos.train,
        val=videos.val,
        runs=runs,
        damage_share=space.data.damage_share,
        loader_workers=resources.loader_workers,
        threads=meter.threads,
        device=meter.name,
        micro_batches=MicroBatches(resources.micro_batch, resources.gradient_checkpointing),
        gpus=resources.gpus_per_trial,
        seconds_per_video=space.data.seconds_per_video,
        claim=claim,
        seen=videos.seen,
        watchdog=Watchdog(space.failures.hang_minutes),
    )


def trials_at_once(resources: ResourcesSection) -> int:
    """How many trials this machine carries out at once: those that its cores have room for, as on a Ray cluster.

    Two trials of a thread each beat one after the other with two, 1.9 times for X2D (docs/performance.md). Where trials
    take GPUs, or several processes, it is one.
    """
    if resources.gpus_per_trial or resources.workers > 1:
        return 1
    return max(1, int(len(os.sched_getaffinity(0)) / resources.cpus))


def _claim_of(store: PatientSearch) -> Claim:
    """The lease of this process on its search, as the trainings that it orders have it."""
    from trainers.fence import Claim

    lease, record = store.claimed, store.record_of
    assert lease is not None
    return Claim(
        search=record.name,
        key=content_id([record.name, record.created.isoformat()]),
        number=lease.number,
        claimed=lease.claimed.isoformat(timespec="microseconds"),
        holder=str(lease.owner),
    )


def _nothing(*_: Any) -> Any:
    raise AssertionError("a prescribed search trains nothing")
