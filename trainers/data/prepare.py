"""A copy of a data set made for training speed: every video of its lists encoded anew, and lists of the copies."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import av

from expander.errors import DataError, ManifestError, UsageError
from expander.units import human
from trainers.data.annotations import FOLDER_FORM
from trainers.data.crew import Crashed, carry_out
from trainers.data.decode import DamagedVideo
from trainers.data.encode import SECONDS_PER_VIDEO, Settings, Unfit, encode, verify
from trainers.data.manifest import Manifest, summary
from trainers.data.prepared import (
    UNFINISHED,
    UNPREPARED,
    Made,
    Record,
    publish,
    read_about,
    write_about,
    write_text,
    write_unprepared,
)

# Videos that are encoded first, evenly spread over the rest, to tell from them what all will take.
SAMPLE = 20
# Seconds after which a process that hangs is ended: the time limits of encoding and of reading back, and some more.
LIMIT = 2.1 * SECONDS_PER_VIDEO


@dataclass(frozen=True)
class Begun:
    """How much there is to do. videos: of all lists; todo: of these; source_bytes: of the latter."""

    videos: int
    todo: int
    source_bytes: int


@dataclass(frozen=True)
class Predicted:
    """What the videos that are left will take. free: bytes of the disk. sample: videos that it is known from."""

    bytes: int
    seconds: float
    free: int
    sample: int


@dataclass(frozen=True)
class Finished:
    """Everything is there. made: every video of the lists, in their order, without repeats."""

    manifests: tuple[Path, ...]
    made: tuple[Made, ...]


Event = Begun | Predicted | Made | Finished


@dataclass(frozen=True)
class Task:
    """One video. keep: the reason to copy it as it is instead of encoding it."""

    video: str
    source: Path
    folder: Path
    settings: Settings
    keep: str = ""


def prepare(folder: Path, manifests: Sequence[Manifest], settings: Settings, workers: int) -> Generator[Event]:
    """Make `folder`, or what it lacks, with one list for each of `manifests`; tell what is done as it is done.

    The lists appear when all their videos are there. Raises UsageError where the folder was made otherwise,
    ManifestError where two videos would have one name there, and DataError where the disk is too small.
    """
    known = read_about(folder)
    manifests = [_by_known_classes(manifest, known.get("classes")) for manifest in manifests]
    sources, lists = videos_of(manifests, settings), _lists(manifests)
    about = _about(folder, known, lists, settings)
    folder.mkdir(parents=True, exist_ok=True)
    with Record(folder) as record:
        about["manifests"] = read_about(folder).get("manifests", {})  # of a call that has just ended, too
        write_about(folder, about)
        todo = [
            Task(video, source, folder, settings)
            for video, source in sources.items()
            if video not in record.made or not record.made[video].holds(folder)
        ]
        unfinished = folder / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            yield Begun(len(sources), len(todo), sum(_size(task.source) for task in todo))
            yield from _carry_out(todo, record, workers)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        for name, manifest in lists.items():
            write_text(folder / name, _lines(manifest, settings))
        write_unprepared(folder, list(record.made.values()))
        said = {name: _source_of(manifest) for name, manifest in lists.items()}
        write_about(folder, about | {"manifests": about["manifests"] | said})
        yield Finished(tuple(folder / name for name in lists), tuple(record.made[video] for video in sources))


def videos_of(manifests: Sequence[Manifest], settings: Settings) -> dict[str, Path]:
    """The source of each video by its path in the folder. The settings are part of it: they are of its name, and so
    the data of a trial on prepared videos are never taken for those of the originals, or of other settings."""
    found: dict[str, Path] = {}
    for manifest in manifests:
        for video in manifest.videos:
            path = _place(manifest, video.name or video.path.name, settings)
            if found.setdefault(path, video.path) != video.path:
                raise ManifestError(
                    f"{manifest.path}: {video.where}: {video.name} is {video.path}, but {found[path]} has the same name"
                    f" in the folder ({path}); prepare the lists into folders of their own"
                )
    return found


def prepare_video(task: Task) -> Made:
    """Make the copy of one video. Raises OSError where it cannot be written."""
    began = time.perf_counter()
    try:
        found = task.source.stat()
    except OSError:
        return Made(task.video, str(task.source), 0, 0, "missing", "does not exist")
    made = Made(task.video, str(task.source), found.st_size, found.st_mtime_ns, "prepared")
    unfinished = task.folder / UNFINISHED / f"{os.getpid()}.mp4"
    target = task.folder / task.video
    target.parent.mkdir(parents=True, exist_ok=True)
    reason, frames = task.keep, 0
    if not reason:
        try:
            frames = _encode(task, unfinished)
        except (DamagedVideo, Unfit) as error:
            reason = error.reason
    if reason:
        shutil.copyfile(task.source, unfinished)
        made = replace(made, state="kept", reason=reason)
    publish(unfinished, target)
    size = target.stat().st_size
    return replace(made, frames=frames, bytes=size, seconds=time.perf_counter() - began)


def _encode(task: Task, unfinished: Path) -> int:
    """Write and verify a copy; its number of frames."""
    encoded = encode(task.source, unfinished, task.settings)
    verify(unfinished, encoded)
    return len(encoded.thumbnails)


def _carry_out(todo: Sequence[Task], record: Record, workers: int) -> Iterator[Predicted | Made]:
    """The sample, what it foretells, and the rest."""
    sample = _spread(len(todo))
    tried = []
    for made in _work([todo[place] for place in sample], record, workers):
        tried.append(made)
        yield made
    rest = [task for place, task in enumerate(todo) if place not in set(sample)]
    if rest:
        predicted = predict(tried, sum(_size(task.source) for task in rest), workers, rest[0].folder)
        yield predicted
        if predicted.bytes > predicted.free:
            raise DataError(_too_large(predicted, len(rest), rest[0].folder))
        yield from _work(rest, record, workers)


def _too_large(predicted: Predicted, left: int, folder: Path) -> str:
    return (
        f"{folder}: the copies of the {left:,} videos that are left will take about {human(predicted.bytes, 3)}B, and"
        f" {human(predicted.free, 3)}B are free there. Free some, and the same command goes on from here; or give"
        " another folder with a smaller --side, more --keyframes or a higher --quality"
    )


def predict(sample: Sequence[Made], source_bytes: int, workers: int, folder: Path) -> Predicted:
    """What so many bytes of other videos will take, by what those of the sample took."""
    tried = max(1, sum(made.size for made in sample))
    taken = sum(made.bytes for made in sample) * source_bytes // tried
    seconds = sum(made.seconds for made in sample) * source_bytes / tried / workers
    return Predicted(taken, seconds, shutil.disk_usage(folder).free, len(sample))


def _work(tasks: Sequence[Task], record: Record, workers: int) -> Iterator[Made]:
    """Carry tasks out and record what became of them; a video that crashes a process is kept as it is."""
    crashed = []
    for task, result in carry_out(_guarded, tasks, workers, limit=lambda task: LIMIT):
        if isinstance(result, Crashed):
            crashed.append(replace(task, keep=result.reason))
            continue
        made = _checked(task, result)
        record.add(made)
        yield made
    for task in crashed:
        made = replace(_checked(task, _guarded(task)), state="crashed")
        record.add(made)
        yield made


def _checked(task: Task, result: Made | str) -> Made:
    if isinstance(result, str):
        raise DataError(
            f"{task.folder / task.video}: it cannot be written: {result}. When that is mended, the same command goes on"
            " from here"
        )
    return result


def _guarded(task: Task) -> Made | str:
    """What became of a video, or why nothing can be written."""
    try:
        return prepare_video(task)
    except OSError as error:
        return error.strerror or str(error)


def _spread(count: int) -> list[int]:
    """Places of the sample among `count` videos."""
    if count <= SAMPLE:
        return list(range(count))
    return [place * (count - 1) // (SAMPLE - 1) for place in range(SAMPLE)]


def _place(manifest: Manifest, name: str, settings: Settings) -> str:
    """The path of a video in the folder, by what its list calls it."""
    # As a line in UTF-8 can hold it.
    plain = name.encode("utf-8", "backslashreplace").decode().translate({10: "_", 13: "_"})
    parts = ["_" if part == ".." else part for part in PurePosixPath(plain).parts if part != "/"]
    if manifest.form == FOLDER_FORM:  # two folders of classes often have files of the same names
        parts.insert(0, manifest.path.name)
    path = "/".join([settings.name, *parts])
    return path if path.endswith(".mp4") else f"{path}.mp4"


def _lines(manifest: Manifest, settings: Settings) -> str:
    """`path label` lines, in the order of the original."""
    named = ((_place(manifest, video.name or video.path.name, settings), video.label) for video in manifest.videos)
    return "".join(f"{path} {label}\n" for path, label in named)


def _lists(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """The manifests by the names of their lists in the folder."""
    lists = {f"{manifest.path.stem}.csv": manifest for manifest in manifests}
    if len(lists) < len(manifests) or UNPREPARED in lists:
        paths = ", ".join(str(manifest.path) for manifest in manifests)
        raise UsageError(
            f"{paths}: the lists of their copies are named after them, and would be {', '.join(lists)}; give them names"
            f" that differ, and not {UNPREPARED}"
        )
    return lists


def _by_known_classes(manifest: Manifest, known: Sequence[str] | None) -> Manifest:
    """`manifest` with the labels that the folder's lists have for its classes, where these have names."""
    if not known or not set(manifest.classes) <= set(known):
        return manifest
    numbers = [known.index(name) for name in manifest.classes]
    videos = tuple(replace(video, label=numbers[video.label]) for video in manifest.videos)
    return replace(manifest, videos=videos, classes=tuple(known))


def _about(folder: Path, known: Mapping[str, Any], lists: Mapping[str, Manifest], settings: Settings) -> dict[str, Any]:
    """What the folder says of itself before its lists are there. Raises UsageError where it is another's."""
    classes = next(iter(lists.values())).classes
    about = {
        "settings": settings.as_dict(),
        "classes": None if classes == tuple(map(str, range(len(classes)))) else list(classes),
        "manifests": known.get("manifests", {}),
        "versions": {"x3d-expander": importlib.metadata.version("x3d-expander"), "av": av.__version__}
        | {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")},
    }
    if known and known.get("settings") != about["settings"]:
        raise UsageError(
            f"{folder}: its videos were prepared with {_words(known.get('settings') or {})}, not with"
            f" {_words(about['settings'])}; give these again, or another folder"
        )
    if known and known.get("classes") != about["classes"]:
        raise UsageError(
            f"{folder}: its lists have other classes than {next(iter(lists.values())).path}; prepare lists that belong"
            " together in one call, the training list first"
        )
    for name in lists:
        if name not in about["manifests"] and (folder / name).exists():
            raise UsageError(f"{folder / name} exists and was not written by this command; give another folder")
    return about


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if key != "form")


def _source_of(manifest: Manifest) -> dict[str, Any]:
    return {"source": str(manifest.path), "form": manifest.form, **vars(summary(manifest))}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
