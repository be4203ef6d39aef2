"""`expander search` and `expander resume`: behind both is the same loop."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from expander.cli.data import warn_of_leaks
from expander.cli.files import load_space, make_folder
from expander.cli.output import Json, notes, print_json
from expander.cli.password import VARIABLE
from expander.cli.progress import MeasuringAloud, Progress
from expander.cli.status import DEFAULT_STORE, Name, StoreUrl, print_status, status_document
from expander.coordinator import Dispatcher, measured, run_search
from expander.cost import MeasuredName
from expander.errors import ExpanderError, Interrupted, LeaseLost, UsageError
from expander.geometry import Geometry
from expander.search import Decision, Step, next_step
from expander.space import OPERATIONAL, SearchSpace, difference
from expander.trial import Event, content_id

if TYPE_CHECKING:
    from results.store import SearchStore
    from trainers.data.manifest import DataFingerprint, ManifestSource
    from trainers.fence import Claim
    from trainers.measure import DeviceMeter
    from trainers.train import VideoTraining

DispatcherName = Annotated[
    Literal["ray", "inline"],
    typer.Option("--dispatcher", help="Where trials run: on Ray, or one after the other in this process."),
]
RayAddress = Annotated[
    str | None, typer.Option("--ray-address", help="A Ray cluster, host:port or auto; else a local Ray.")
]


Watch = Callable[[Step, Event | Decision | None], None]

# What a file system and a shell take as it is.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Videos:
    """The manifests of a search, read and fingerprinted."""

    train: ManifestSource
    val: ManifestSource
    fingerprint: DataFingerprint
    class_names: tuple[str, ...]


def search(
    space: Annotated[str, typer.Argument(help="A shipped search space or a YAML file.")],
    name: Annotated[str, typer.Option(help="Name of the search, new in the store.")],
    train: Annotated[
        Path | None, typer.Option(help="Manifest of the training videos, or a folder of classes; else data.train.")
    ] = None,
    val: Annotated[
        Path | None, typer.Option(help="Manifest of the validation videos, or a folder of classes; else data.val.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and weights.")] = Path("runs"),
    dispatcher: DispatcherName = "ray",
    ray_address: RayAddress = None,
    steps: Annotated[int | None, typer.Option(min=1, help="End after so many expansions.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Set a key of the space: key=value.")] = None,
    as_json: Json = False,
) -> None:
    """Launch a search. It can be interrupted at any moment and resumed."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"--name {name!r}: expected letters, digits, '.', '_' and '-', beginning with a letter or digit"
        )
    given = [*(overrides or []), *([f"expansion.max_steps={steps}"] if steps else [])]
    for key, manifest in (("train", train), ("val", val)):
        if manifest is not None:
            given.append(f"data.{key}={_quoted(manifest)}")
    searched, source = load_space(space, given)
    videos = None if searched.prescribed else read_videos(searched)
    if videos is not None:
        make_folder(runs)
    from results.store import open_store

    with closing(open_store(store, create=True)) as opened:
        created = opened.create(
            name,
            space=searched,
            source=source,
            overrides=given,
            data=videos.fingerprint.as_dict() if videos else None,
            runs=str(runs.resolve()),
            versions=versions(),
        )
        try:
            _carry_on(created, searched, videos, runs.resolve(), dispatcher, ray_address, store, as_json)
        except UsageError:
            # What the command asked for cannot be had: the name stays free for the command that is right.
            opened.discard(created)
            raise


def resume(
    name: Name,
    store: StoreUrl = DEFAULT_STORE,
    dispatcher: DispatcherName = "ray",
    ray_address: RayAddress = None,
    as_json: Json = False,
) -> None:
    """Go on with a search that was interrupted; refuses where its space or its data have changed."""
    from results.store import open_store

    with closing(open_store(store)) as opened:
        resumed = opened.search(name)
        space = _unchanged_space(resumed)
        videos = None if space.prescribed else _unchanged_videos(resumed, space)
        _carry_on(resumed, space, videos, Path(resumed.record_of.runs), dispatcher, ray_address, store, as_json)


def read_videos(space: SearchSpace) -> Videos:
    """The manifests that `space` names. Raises UsageError where it names none, ManifestError where they are wrong."""
    from trainers.data.manifest import ManifestSource, check_classes, fingerprint, read_pair

    if space.data.train is None or space.data.val is None:
        missing = " and ".join(key for key in ("train", "val") if getattr(space.data, key) is None)
        raise UsageError(
            f"no {missing} manifest: give --train MANIFEST and --val MANIFEST, or data.train and data.val in the space"
        )
    root = None if space.data.root is None else Path(space.data.root).resolve()
    train, val = (
        ManifestSource(Path(path).resolve(), root, space.data.outside_root)
        for path in (space.data.train, space.data.val)
    )
    manifests = read_pair(train, val)
    for manifest in manifests:
        check_classes(manifest, space.basis.classes)
    warn_of_leaks(*manifests)
    return Videos(train, val, fingerprint(*manifests), manifests[0].classes)


def meter_of(space: SearchSpace) -> DeviceMeter:
    """What measures a space's networks, with the device and the threads that its trials have.

    A machine may have a GPU that `resources` has not asked for: then neither uses it.
    """
    from trainers.measure import DeviceMeter

    return DeviceMeter(max(1, int(space.resources.cpus)), "auto" if space.resources.gpus_per_trial else "cpu")


def versions() -> dict[str, str]:
    """Versions of what decides and trains, for provenance."""
    import platform
    from importlib.metadata import version

    found = {name: version(name) for name in ("x3d-expander", "torch", "av", "ray", "numpy")}
    return {"python": platform.python_version(), **found}


def _quoted(path: Path) -> str:
    """An absolute path as a YAML text."""
    return "'" + str(path.resolve()).replace("'", "''") + "'"


def _unchanged_space(resumed: SearchStore) -> SearchSpace:
    """The space of the search, with what may change as its file says now."""
    record = resumed.record_of
    try:
        now, _ = load_space(record.source, record.overrides)
    except UsageError as error:
        notes().print(
            f"{record.source} cannot be read any more ({error}); going on with the space in the store", markup=False
        )
        return record.space
    changes = difference(record.space, now)
    refused = [line for line in changes if line.split(".")[0].split(":")[0] not in OPERATIONAL]
    if refused:
        listed = "\n".join(f"  {line}" for line in refused)
        raise UsageError(
            f"{record.source} has changed since search {record.name!r} began\n{listed}\n"
            "Going on would mix results. Undo these changes, or start a new search under another name: it takes over"
            " every finished trial that is still the same work."
        )
    if changes:
        notes().print("\n".join(["the space has changed how trials are carried out:", *changes]), markup=False)
    return now


def _unchanged_videos(resumed: SearchStore, space: SearchSpace) -> Videos:
    from trainers.data.manifest import DataFingerprint

    record, videos = resumed.record_of, read_videos(space)
    assert record.data is not None
    changes = DataFingerprint.from_dict(record.data).difference(videos.fingerprint)
    if changes:
        listed = "\n".join(f"  {line}" for line in changes)
        raise UsageError(
            f"the data of search {record.name!r} have changed since it began\n{listed}\n"
            "Going on would mix results. Restore the manifests, or start a new search under another name."
        )
    return videos


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
def _carry_on(
    store: SearchStore,
    space: SearchSpace,
    videos: Videos | None,
    runs: Path,
    dispatcher: str,
    ray_address: str | None,
    url: str,
    as_json: bool,
) -> None:
    """Claim the search, run the loop to its end and say what came of it."""
    os.environ.pop(VARIABLE, None)  # workers have no business with the store, and would inherit its password
    stopped = store.effective_state == "failed"
    _claim(store, space.coordinator.lease_seconds)
    try:
        store.update_space(space)
        if stopped:
            # Whoever resumes a search that its failures have stopped has dealt with their cause. After a kill they
            # count on, so that the search decides as it would have undisturbed.
            store.forgive()
        data = videos.fingerprint.id if videos else ""
        # Where nothing is left to train or to measure, no Ray is started for it.
        name = dispatcher if _anything_left(store, space, data) else None
        with (
            Progress(store, space) as progress,
            _kept(store, progress),
            _tracking(store, space, progress) as watch,
            _dispatcher(store, space, videos, runs, name, ray_address) as made,
        ):
            cost = None
            if space.measured is not None:
                store.measure_on(made.meter.device)
                cost = measured(space.measured, MeasuringAloud(made.meter, progress.console), store)
            reason = run_search(space, store, made, data, watch, cost)
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
    store.release("completed", reason)
    if as_json:
        print_json(status_document(store))
    else:
        print_status(store)


def _claim(store: SearchStore, seconds: float) -> None:
    before = store.claim(seconds)
    if before is not None:
        why = "which is dead" if before.owner.dead else f"silent for more than its {before.seconds:g} seconds"
        heard = f"it was last heard of {before.heard:%F %T} UTC"
        notes().print(f"taking search {store.name!r} over from {before.owner}, {why}; {heard}", markup=False)


@contextmanager
def _kept(store: SearchStore, progress: Progress) -> Iterator[None]:
    """Keep the lease within it. Where it is lost the main thread stops as by SIGTERM, and LeaseLost says why."""

    def stop() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    with store.kept(lambda line: progress.console.print(line, markup=False), stop) as heartbeat:
        try:
            yield
        except BaseException:
            if heartbeat.reason is None:
                raise
            raise LeaseLost(heartbeat.reason) from None


@contextmanager
def _tracking(store: SearchStore, space: SearchSpace, progress: Progress) -> Iterator[Watch]:
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


class _NotMeasuredYet(Exception):
    """The store does not have it."""


@dataclass(frozen=True)
class _Recorded:
    """A meter that measures nothing: what the store has of this device must do."""

    device: str

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        raise _NotMeasuredYet


def _anything_left(store: SearchStore, space: SearchSpace, data: str) -> bool:
    """Whether a step is left, or cannot be told without measuring."""
    device = store.record_of.device
    if space.measured is not None and device is None:
        return True
    cost = measured(space.measured, _Recorded(device), store) if space.measured and device else None
    try:
        return next_step(space, store.decisions(), data, cost) is not None
    except _NotMeasuredYet:
        return True


@contextmanager
def _dispatcher(
    store: SearchStore, space: SearchSpace, videos: Videos | None, runs: Path, name: str | None, address: str | None
) -> Iterator[Dispatcher]:
    """The dispatcher that `name` asks for, with the training of this search; one for nothing where it needs none."""
    from trainers.dispatch.inline import InlineDispatcher

    if name is None or (videos is None and space.measured is None):
        yield InlineDispatcher(_nothing, _Recorded(store.record_of.device or ""))
        return
    meter, resources = meter_of(space), space.resources
    training = _nothing if videos is None else _training(space, videos, runs, meter, _claim_of(store))
    team: dict[str, Any] = {"workers": resources.workers, "least": resources.least_workers}
    if name == "inline":
        yield InlineDispatcher(training, meter, on_gpus=resources.gpus_per_trial > 0, threads=meter.threads, **team)
        return
    from trainers.dispatch.cluster import RayDispatcher

    with RayDispatcher(
        training,
        meter,
        cpus=resources.cpus,
        gpus=resources.gpus_per_worker,
        shared=None if videos is None else runs,
        address=address,
        **team,
    ) as made:
        yield made


def _training(space: SearchSpace, videos: Videos, runs: Path, meter: DeviceMeter, claim: Claim) -> VideoTraining:
    from trainers.micro_batch import MicroBatches
    from trainers.train import VideoTraining

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
    )


def _claim_of(store: SearchStore) -> Claim:
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
