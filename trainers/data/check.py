"""Every video of a manifest decoded from its first frame to its last: which are missing, broken, short or double."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainers.data.crew import Crashed, carry_out
from trainers.data.decode import DamagedVideo
from trainers.data.frames import AnyReader, open_video
from trainers.data.manifest import Manifest, Video
from trainers.data.video_index import TOLERANCE

# missing: there is no file. broken: it is none that decodes to its end. crash: it ends, or holds up, the process that
# reads it. short: shorter than the clip. twice: in this manifest already. leak: in the training manifest too.
Problem = Literal["missing", "broken", "crash", "leak", "twice", "short"]
# Beside the limit of a clip: a whole video is decoded here. Two seconds for a second of a small one.
BYTES_PER_SECOND = 200_000
# The process is killed where the reader has not kept its own limit.
GRACE_SECONDS = 30


@dataclass(frozen=True)
class Clip:
    """What a video has to be long enough for: `frames` at every `stride`-th frame of the nominal rate."""

    frames: int
    stride: int


@dataclass(frozen=True)
class Task:
    """A file to decode. compare: another file has its size, so that its content decides. seconds: time limit."""

    path: Path
    clip: Clip
    compare: bool
    seconds: float


@dataclass(frozen=True)
class Seen:
    """What decoding a file showed. problem: None where it is sound. digest: of its content, where it was compared."""

    problem: Problem | None
    reason: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Finding:
    """A line of a manifest with a problem. where: its line or key. video: its path. reason: one line for people."""

    manifest: Path
    where: str
    video: Path
    problem: Problem
    reason: str


def tasks(manifests: Iterable[Manifest], clip: Clip, seconds: float) -> list[Task]:
    """Each different file of the manifests once, in their order. seconds: time limit of a clip."""
    paths = {_key(video.path): video.path for manifest in manifests for video in manifest.videos}
    sizes = {path: _size(path) for path in paths.values()}
    common = Counter(sizes.values())
    return [
        Task(path, clip, common[size] > 1 and size > 0, seconds + size / BYTES_PER_SECOND)
        for path, size in sizes.items()
    ]


def look_all(todo: Sequence[Task], processes: int) -> Generator[tuple[Task, Seen], None, None]:
    """Each task with what its file showed, as they are done."""
    for task, seen in carry_out(look, todo, processes, limit=lambda task: task.seconds + GRACE_SECONDS):
        yield task, Seen("crash", seen.reason) if isinstance(seen, Crashed) else seen


def look(task: Task) -> Seen:
    """Decode the whole file, as a clip or a view would each part of it."""
    if not os.path.exists(task.path):
        return Seen("missing", "does not exist")
    try:
        with open_video(task.path, seconds=task.seconds) as reader:
            _decode(reader)
            short = _short(reader, task.clip)
        return Seen("short" if short else None, short, _digest(task.path) if task.compare else "")
    except DamagedVideo as damaged:
        return Seen("broken", damaged.reason)
    except OSError as error:
        return Seen("broken", f"cannot be read: {error.strerror}")


def findings(manifests: Sequence[Manifest], seen: Mapping[Path, Seen]) -> list[Finding]:
    """Every line with a problem, in the order of the manifests; the first of them is the one to train on.

    seen: by the path of each task. A video that is twice in a manifest, or in both, is found at its later places.
    """
    shown_by = {_key(path): shown for path, shown in seen.items()}
    found: list[Finding] = []
    known: list[dict[str, Video]] = []
    for manifest in manifests:
        known.append({})
        for video in manifest.videos:
            shown = shown_by[_key(video.path)]
            if shown.problem is not None:
                found.append(Finding(manifest.path, video.where, video.path, shown.problem, shown.reason))
            if shown.problem in (None, "short"):
                content = shown.digest or _key(video.path)
                if again := _again(video, content, manifest, manifests, known):
                    found.append(again)
                known[-1].setdefault(content, video)
    return found


def in_both(train: Manifest, val: Manifest) -> tuple[Video, ...]:
    """The videos of `val` that are in `train` too, as far as it can be told without reading any: by their paths, and
    where two have one name in different folders, by their sizes."""
    paths = {_key(video.path) for video in train.videos}
    named = {video.name: video for video in train.videos if video.name}
    return tuple(
        video
        for video in val.videos
        if _key(video.path) in paths or (video.name in named and 0 < _size(video.path) == _size(named[video.name].path))
    )


def _again(
    video: Video, content: str, manifest: Manifest, manifests: Sequence[Manifest], known: Sequence[Mapping[str, Video]]
) -> Finding | None:
    for earlier, videos in zip(manifests, known, strict=False):
        if first := videos.get(content):
            problem: Problem = "twice" if earlier is manifest else "leak"
            place = "" if earlier is manifest else f"{earlier.path.name}, "
            same = "the same file" if _key(first.path) == _key(video.path) else f"the same content as {first.path}"
            return Finding(manifest.path, video.where, video.path, problem, f"{same}, in {place}{first.where}")
    return None


def _decode(reader: AnyReader) -> None:
    """Raises DamagedVideo where a frame cannot be had, or not as RGB."""
    last = None
    for _, frame in reader.frames(range(len(reader.index.times))):
        kind = frame.width, frame.height, frame.format.name
        if kind != last:
            reader.picture(frame)
            last = kind


def _short(reader: AnyReader, clip: Clip) -> str:
    """Why the clip does not fit; empty where it does."""
    index = reader.index
    if index.latest_start(clip.frames, clip.stride) >= -TOLERANCE * index.spacing:
        return ""
    needed = ((clip.frames - 1) * clip.stride + 1) * index.spacing
    lasts = f"{index.duration:.2f} s ({len(index.times)} frames)"
    return f"{lasts}; a clip of {clip.frames}x{clip.stride} takes {needed:.2f} s"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _size(path: Path) -> int:
    """Bytes; 0 where there is no such file."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _key(path: Path) -> str:
    """The path without '.', '..' and doubled slashes."""
    return os.path.normpath(path)
