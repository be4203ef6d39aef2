"""Charades' official csv: videos with any number of actions, each with its start and its end."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from expander.errors import ManifestError
from trainers.data.clips import Clip, Damaged, TrainingClips
from trainers.data.entries import VideoFolders, report
from trainers.data.manifest import VIDEOS_PROBED, Manifest, Video

FORM = "Charades' csv"
CLASSES = 157
CLASS_NAMES = tuple(f"c{label:03d}" for label in range(CLASSES))
COLUMNS = ("id", "actions")  # of the official eleven, those that are read


@dataclass(frozen=True)
class Action:
    """One action of a video, from `start` to `end` in seconds, both within it."""

    label: int
    start: float
    end: float


@dataclass(frozen=True)
class CharadesManifest:
    """manifest: the videos, whose own labels say nothing. actions: of each of them, in its order; some have none."""

    manifest: Manifest
    actions: tuple[tuple[Action, ...], ...]

    def targets(self) -> Tensor:
        """(videos, classes) of 0 and 1: all actions of a video, as the evaluation takes them."""
        return torch.stack([_target(action.label for action in actions) for actions in self.actions])


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """pixels: uint8 (T, S, S, 3). target: (classes,) of 0 and 1."""

    pixels: Tensor
    target: Tensor


class CharadesClips(Dataset[LabelledClip | Damaged]):
    """A random clip of a video, with every action that one of its frames lies in; keys as those of TrainingClips."""

    def __init__(self, clips: TrainingClips, actions: Sequence[Sequence[Action]]) -> None:
        self.clips = clips
        self.actions = actions

    def __getitem__(self, key: tuple[int, int]) -> LabelledClip | Damaged:
        clip = self.clips[key]
        return (
            LabelledClip(clip.pixels, clip_target(clip, self.actions[clip.index])) if isinstance(clip, Clip) else clip
        )


def clip_target(clip: Clip, actions: Sequence[Action]) -> Tensor:
    """(classes,) of 0 and 1: the actions in which at least one frame of the clip lies."""
    return _target(a.label for a in actions if any(a.start <= time <= a.end for time in clip.times))


def read_charades(path: Path, root: Path) -> CharadesManifest:
    """The videos of the csv, at root/ID.mp4 (.mkv, .webm and .avi too). Raises ManifestError with every mistake, and
    where none of the first videos is at the root."""
    try:
        # Not splitlines: it also ends a line at U+0085 or U+2028, which may stand in a description.
        lines = io.StringIO(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}; give the path of Charades' csv") from error
    mistakes: list[str] = []
    rows = list(_rows(lines, VideoFolders(Path(os.path.abspath(root))), mistakes))
    if not rows and not mistakes:
        mistakes.append("it lists no video; every row has an id and its actions")
    if mistakes:
        raise ManifestError(report(path, mistakes, FORM))
    videos = tuple(video for video, _ in rows)
    if not any(os.path.exists(video.path) for video in videos[:VIDEOS_PROBED]):
        raise ManifestError(
            f"{path}: none of its first {min(len(videos), VIDEOS_PROBED)} videos exists; the first was looked for at"
            f" {videos[0].path}. Set --videos to the folder that holds them"
        )
    return CharadesManifest(Manifest(path, videos, CLASS_NAMES, FORM), tuple(actions for _, actions in rows))


def _rows(
    lines: Iterable[str], folders: VideoFolders, mistakes: list[str]
) -> Iterator[tuple[Video, tuple[Action, ...]]]:
    rows = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        mistakes.append(
            f"line 1: no column {', '.join(missing)}; the official header is id,subject,scene,quality,relevance,"
            "verified,script,objects,descriptions,actions,length"
        )
        return
    first: dict[str, int] = {}
    try:
        for row in rows:
            line, name = rows.line_num, row["id"] or ""
            if not name or "/" in name or name in first:
                seen = f"stands in line {first[name]} too; keep one" if name in first else "is not a video's name"
                mistakes.append(f"line {line}, column id: {name!r} {seen}")
            first.setdefault(name, line)
            actions = tuple(_actions(row, line, mistakes))
            yield Video(folders.find(("",), (name,)), 0, name, f"line {line}"), actions
    except csv.Error as error:
        mistakes.append(f"line {rows.line_num}: {error}; check the quotes from there upwards")


def _actions(row: Mapping[str, str | None], line: int, mistakes: list[str]) -> Iterator[Action]:
    if row["actions"] is None:
        mistakes.append(f"line {line}, column actions: is missing; leave it empty where a video has no action")
    for text in filter(None, (part.strip() for part in (row["actions"] or "").split(";"))):
        try:
            name, start, end = text.split()
            action = Action(_label(name), float(start), float(end))
        except ValueError:
            action = None
        if action is None or not 0 <= action.start <= action.end < math.inf:
            mistakes.append(
                f"line {line}, column actions: {text!r} is no action; expected a class of c000 to c{CLASSES - 1}, its"
                " start and its end in seconds, such as 'c092 11.90 21.20', with ; between two"
            )
        else:
            yield action


def _label(name: str) -> int:
    if not re.fullmatch(r"c[0-9]{3}", name) or int(name[1:]) >= CLASSES:
        raise ValueError(name)
    return int(name[1:])


def _target(labels: Iterator[int]) -> Tensor:
    target = torch.zeros(CLASSES)
    target[list(labels)] = 1
    return target
