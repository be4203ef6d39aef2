"""AVA's official files: ground truth, proposals, label map and excluded key frames; samples to train and to test on."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from expander.errors import ManifestError
from trainers.data.entries import SUFFIXES, report
from trainers.detection.frame_ap import Box, KeyFrame, Labelled, iou

# A.1: proposals to test on have a better score; those to train on overlap with the ground truth by more.
TEST_SCORE = 0.8
TRAINING_IOU = 0.9

BLOCK = re.compile(r"(?:item|label)\s*\{([^{}]*)\}")
NAME = re.compile(r"\bname:\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')")
NUMBER = re.compile(r"\b(?:label_)?id:\s*([0-9]{1,9})\b")

T = TypeVar("T")


@dataclass(frozen=True)
class Proposal:
    """A person's box in a key frame, each coordinate a share of the frame. score: the detector's, in [0, 1]."""

    key: KeyFrame
    box: Box
    score: float


@dataclass(frozen=True)
class Person:
    """A box to train or test on. actions: ids of the label map, none where they are not known."""

    box: Box
    actions: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sample:
    """A key frame with its persons."""

    key: KeyFrame
    persons: tuple[Person, ...]


def read_truth(path: Path) -> tuple[Labelled, ...]:
    """`video,second,x1,y1,x2,y2,action_id,person_id` lines. Raises ManifestError naming every wrong one.

    A line without action, of a key frame in which nobody does anything, is left out.
    """
    rows = _rows(path, (7, 8), "video,second,x1,y1,x2,y2,action_id,person_id", _truth)
    return tuple(row for row in rows if row is not None)


def read_proposals(path: Path) -> tuple[Proposal, ...]:
    """`video,second,x1,y1,x2,y2,[action,]score` lines; the action, of no meaning there, may be empty.

    Raises ManifestError naming every wrong line.
    """
    return tuple(_rows(path, (7, 8), "video,second,x1,y1,x2,y2,[action,]score", _proposal))


def read_excluded(path: Path) -> frozenset[KeyFrame]:
    """`video,second` lines. Raises ManifestError naming every wrong one."""
    return frozenset(_rows(path, (2,), "video,second", lambda fields: _key(fields)))


def read_label_map(path: Path) -> dict[int, str]:
    """The names of the action ids in a pbtxt, as `item { name: "sit" id: 11 }` or `label { name: ... label_id: 11 }`.

    Raises ManifestError for one without entries, and for ids that are missing or stand twice.
    """
    text = _text(path)
    names: dict[int, str] = {}
    mistakes = []
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        name, number = NAME.search(block[1]), NUMBER.search(re.sub(NAME, "", block[1]))
        if name is None or number is None:
            mistakes.append(f"line {line}: the entry has no {'id' if name else 'name'}; give both")
        elif int(number[1]) in names:
            mistakes.append(f"line {line}: id {number[1]} stands twice; {names[int(number[1])]!r} has it already")
        else:
            names[int(number[1])] = name[1][1:-1]
    if not names and not mistakes:
        mistakes = ['holds no entry; expected such as item { name: "sit" id: 11 }']
    if mistakes:
        raise ManifestError(report(path, mistakes, "a label map"))
    return dict(sorted(names.items()))


def training_samples(
    truth: Iterable[Labelled],
    proposals: Iterable[Proposal],
    classes: Collection[int],
    excluded: Collection[KeyFrame] = (),
    *,
    overlap: float = TRAINING_IOU,
) -> tuple[Sample, ...]:
    """The key frames with ground truth, each with its persons and their actions, in the order of the file.

    Persons are the ground-truth boxes, lines of the same box being one, and the proposals whose IoU with a ground-truth
    box is more than `overlap`; these have the actions of all such boxes.
    """
    actions: dict[KeyFrame, dict[Box, set[int]]] = {}
    for each in truth:
        if each.action in classes and each.key not in excluded:
            actions.setdefault(each.key, {}).setdefault(each.box, set()).add(each.action)
    proposed = _by_key(proposals)
    samples = []
    for key, boxes in actions.items():
        persons = [Person(box, frozenset(ids)) for box, ids in boxes.items()]
        known = np.asarray(list(boxes), dtype=np.float64)
        for proposal in proposed.get(key, []):
            close = iou(np.asarray([proposal.box], dtype=np.float64), known)[0] > overlap
            if close.any() and proposal.box not in boxes:
                near = [persons[place].actions for place in close.nonzero()[0]]
                persons.append(Person(proposal.box, frozenset[int]().union(*near)))
        samples.append(Sample(key, tuple(persons)))
    return tuple(samples)


def proposed_samples(
    proposals: Iterable[Proposal], excluded: Collection[KeyFrame] = (), *, score: float = TEST_SCORE
) -> tuple[Sample, ...]:
    """The key frames that have a proposal of more than `score`, with these proposals."""
    kept = _by_key(each for each in proposals if each.score > score and each.key not in excluded)
    return tuple(Sample(key, tuple(Person(each.box) for each in group)) for key, group in kept.items())


def find_videos(samples: Iterable[Sample], root: Path) -> tuple[Path, ...]:
    """The file of each sample's video: anywhere below `root`, by its name without suffix.

    One that is not there has a path that does not exist: like a video that cannot be read, it is counted when it is
    needed. Raises ManifestError for a folder that is none, and naming the videos that are there twice.
    """
    if not root.is_dir():
        raise ManifestError(f"{root}: is no folder; expected the one of the videos")
    found: dict[str, list[Path]] = defaultdict(list)
    for folder, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith(SUFFIXES):
                found[file.rpartition(".")[0]].append(Path(folder, file))
    names = [sample.key[0] for sample in samples]
    mistakes = [
        f"video {name} is there twice: {found[name][0].relative_to(root)} and {found[name][1].relative_to(root)}"
        for name in sorted(set(names))
        if len(found[name]) > 1
    ]
    if mistakes:
        raise ManifestError(report(root, mistakes, f"a folder of videos: {', '.join(SUFFIXES)}"))
    return tuple(found[name][0] if found[name] else root / f"{name}{SUFFIXES[0]}" for name in names)


def detection_lines(detections: Iterable[Labelled]) -> Iterator[str]:
    """The official csv of detections, `video,second,x1,y1,x2,y2,action_id,score`, line by line."""
    for each in detections:
        box = ",".join(f"{place:.4f}" for place in each.box)
        yield f"{each.key[0]},{each.key[1]:04d},{box},{each.action},{each.score:.6f}\n"


def _by_key(proposals: Iterable[Proposal]) -> Mapping[KeyFrame, list[Proposal]]:
    grouped: dict[KeyFrame, list[Proposal]] = defaultdict(list)
    for each in proposals:
        grouped[each.key].append(each)
    return grouped


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ManifestError(f"{path}: cannot be read: {reason}; expected one of AVA's files") from error


def _rows(path: Path, columns: Sequence[int], form: str, read: Callable[[list[str]], T]) -> list[T]:
    """Every line as `read` takes its fields; a ValueError of it is a mistake of the line."""
    rows, mistakes = list[T](), list[str]()
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        try:
            if len(fields) not in columns:
                raise ValueError(f"{len(fields)} columns; expected {form}")
            rows.append(read(fields))
        except ValueError as mistake:
            mistakes.append(f"line {number}: {mistake}")
    if mistakes:
        raise ManifestError(report(path, mistakes, f"lines of {form}"))
    return rows


def _truth(fields: list[str]) -> Labelled | None:
    key = _key(fields)
    if not any(fields[2:7]):
        return None
    return Labelled(key, _box(fields), _whole(fields[6], "an action id"))


def _proposal(fields: list[str]) -> Proposal:
    key, box, score = _key(fields), _box(fields), _number(fields[-1], "a score")
    if not 0 <= score <= 1:
        raise ValueError(f"score {fields[-1]}; expected one in [0, 1]")
    return Proposal(key, box, score)


def _key(fields: list[str]) -> KeyFrame:
    if not fields[0]:
        raise ValueError("names no video; expected its name without suffix")
    return fields[0], _whole(fields[1].split(".")[0] if fields[1].endswith((".0", ".")) else fields[1], "a second")


def _box(fields: list[str]) -> Box:
    x1, y1, x2, y2 = (_number(field, "a coordinate") for field in fields[2:6])
    found = ", ".join(fields[2:6])
    if not all(0 <= place <= 1 for place in (x1, y1, x2, y2)):
        raise ValueError(f"box {found}; expected shares of the frame, in [0, 1]")
    if x1 >= x2 or y1 >= y2:
        raise ValueError(f"box {found} has no area; expected x1 < x2 and y1 < y2")
    return x1, y1, x2, y2


def _whole(field: str, what: str) -> int:
    if not (field.isascii() and field.isdecimal()):
        raise ValueError(f"{field!r} is not {what}; expected a whole number")
    return int(field)


def _number(field: str, what: str) -> float:
    try:
        number = float(field)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{field!r} is not {what}; expected a number")
    return number
