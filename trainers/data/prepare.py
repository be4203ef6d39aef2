"""A copy of a data set made for training speed: every video of its lists encoded anew, and lists of the copies."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from expander.errors import DataError, FileError
from expander.files import cannot, make_folder, publish
from expander.units import human
from trainers.allocator import keep_freed_memory
from trainers.data.copies import about_of, by_known_classes, lines_of, lists_of, source_of, videos_of
from trainers.data.crew import Crashed, carry_out
from trainers.data.decode import DamagedVideo
from trainers.data.encode import SECONDS_PER_VIDEO, Settings, Unfit, encode, verify
from trainers.data.manifest import Manifest
from trainers.data.prepared import (
    UNFINISHED,
    Made,
    Record,
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
    ManifestError where two videos would have one name there, DataError where the disk is too small for what is left,
    and FileError where it takes no more.
    """
    known = read_about(folder)
    manifests = [by_known_classes(manifest, known.get("classes")) for manifest in manifests]
    sources, lists = videos_of(manifests, settings), lists_of(manifests)
    about = about_of(folder, known, lists, settings)
    make_folder(folder)
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
            write_text(folder / name, lines_of(manifest, settings))
        write_unprepared(folder, list(record.made.values()))
        said = {name: source_of(manifest) for name, manifest in lists.items()}
        write_about(folder, about | {"manifests": about["manifests"] | said})
        yield Finished(tuple(folder / name for name in lists), tuple(record.made[video] for video in sources))


def prepare_video(task: Task) -> Made:
    """Make the copy of one video. Raises OSError where it cannot be written."""
    began = time.perf_counter()
    try:
        found = task.source.stat()
    except OSError:
        return Made(task.video, str(task.source), 0, 0, "missing", "does not exist")
    made = Made(task.video, str(task.source), found.st_size, found.st_mtime_ns, "prepared")
    unfinished = task.folder / UNFINISHED / f"{os.getpid()}{task.settings.suffix}"
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
    """The sample first; what it foretells, once as many are done; the rest, by the same processes."""
    sample = _spread(len(todo))
    rest = [task for place, task in enumerate(todo) if place not in set(sample)]
    tried = []
    with closing(_work([*(todo[place] for place in sample), *rest], record, workers)) as work:
        for made in work:
            tried.append(made)
            yield made
            if rest and len(tried) == len(sample):
                predicted = predict(tried, sum(_size(task.source) for task in rest), workers, rest[0].folder)
                yield predicted
                if predicted.bytes > predicted.free:
                    raise DataError(_too_large(predicted, len(rest), rest[0].folder))


def _too_large(predicted: Predicted, left: int, folder: Path) -> str:
    return (
        f"{folder}: the copies of the {left:,} videos that are left will take about {human(predicted.bytes, 3)}B, and"
        f" {human(predicted.free, 3)}B are free there. Free some, and the same command goes on from here; or give"
        " another folder with a smaller side, or copies as video"
    )


def predict(sample: Sequence[Made], source_bytes: int, workers: int, folder: Path) -> Predicted:
    """What so many bytes of other videos will take, by what those of the sample took."""
    tried = max(1, sum(made.size for made in sample))
    taken = sum(made.bytes for made in sample) * source_bytes // tried
    seconds = sum(made.seconds for made in sample) * source_bytes / tried / workers
    return Predicted(taken, seconds, shutil.disk_usage(folder).free, len(sample))


def _work(tasks: Sequence[Task], record: Record, workers: int) -> Generator[Made]:
    """Carry tasks out and record what became of them; a video that crashes a process is kept as it is."""
    for task, result in carry_out(_guarded, tasks, workers, limit=lambda task: LIMIT):
        if isinstance(result, Crashed):
            made = replace(_checked(task, _guarded(replace(task, keep=result.reason))), state="crashed")
        else:
            made = _checked(task, result)
        record.add(made)
        yield made


def _checked(task: Task, result: Made | str) -> Made:
    if isinstance(result, str):
        raise FileError(f"{result}. When that is mended, the same command goes on from here")
    return result


def _guarded(task: Task) -> Made | str:
    """What became of a video, or why nothing can be written. Within a process of the crew."""
    keep_freed_memory()
    try:
        return prepare_video(task)
    except FileError as error:
        return str(error)
    except OSError as error:
        return str(cannot("written", task.folder / task.video, error))


def _spread(count: int) -> list[int]:
    """Places of the sample among `count` videos."""
    if count <= SAMPLE:
        return list(range(count))
    return [place * (count - 1) // (SAMPLE - 1) for place in range(SAMPLE)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
