"""Lists of one video a line: `path label` or `path,label`, and the official splits of UCF101 and HMDB51."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from expander.errors import ManifestError
from trainers.data.entries import Entry, Listing, VideoFolders, name_below

FORM = "'path label' lines"
UCF101_FORM = "UCF101's official split, by classInd.txt beside it"
HMDB51_FORM = "HMDB51's official split"
# A larger label is another number: a frame count, a date.
CLASSES_AT_MOST = 100_000
PATHS_PROBED = 100
# As csv writers quote a path with the separator in it.
QUOTED = re.compile(r'"(?:[^"]|"")*"')
UCF101_VIDEO = re.compile(r"(\w+)/v_\w+_g\d+_c\d+\.avi")
HMDB51_LIST = re.compile(r"(train|test)_split(\d)\.txt")
HMDB51_CLASS = re.compile(r"(.+)_test_split(\d)\.txt")


@dataclass(frozen=True)
class Row:
    """One line. number: counted from 1. label: None where nothing is set off from the path."""

    number: int
    path: str
    label: str | None

    @property
    def where(self) -> str:
        """As messages name it."""
        return f"line {self.number}"

    @property
    def folder(self) -> str:
        """The folder of the video: its class, in the official splits."""
        return PurePosixPath(self.path).parent.name


def line_listing(path: Path, lines: Sequence[str], root: Path, mistakes: list[str]) -> Listing:
    """The videos of a list; what is wrong with others is added to `mistakes`."""
    rows = tuple(_rows(lines))
    numbers = _ucf101_numbers(path.with_name("classInd.txt"))
    if numbers and _is_ucf101(rows, numbers):
        return Listing(UCF101_FORM, True, tuple(_ucf101_entries(rows, numbers, root, mistakes)), tuple(numbers))
    entries = tuple(_entries(rows, root, mistakes))
    mistakes += _foreign(path, rows, root)
    return Listing(FORM, False, entries)


def _rows(lines: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if text := line.strip():
            path, label = _cut(text)
            yield Row(number, path[1:-1].replace('""', '"') if QUOTED.fullmatch(path) else path, label)


def _cut(text: str) -> tuple[str, str | None]:
    """The path and what is after the last white space or comma, both of which the path may contain too."""
    label = _last_column(text)
    path = text.removesuffix(label).rstrip()
    return (text, None) if path in ("", text) else (path.removesuffix(",").rstrip(), label)


def _last_column(text: str) -> str:
    return (text.replace(",", " ").rsplit(maxsplit=1) or [""])[-1]


def _entries(rows: Sequence[Row], root: Path, mistakes: list[str]) -> Iterator[Entry]:
    for row in rows:
        label, path = row.label, row.path
        if label is None:
            mistakes.append(f"{row.where}: {path!r} has no label; write 'path label' or 'path,label'")
        elif not path:
            mistakes.append(f"{row.where}: no path before label {label!r}")
        elif not (label.isascii() and label.isdigit()):
            mistakes.append(f"{row.where}: label {label!r} of {path!r} is not a whole number of at least 0")
        elif len(label) > 20 or int(label) >= CLASSES_AT_MOST:
            mistakes.append(f"{row.where}: label {label} of {path!r} is too large; labels count classes from 0")
        else:
            yield Entry(row.where, str(int(label)), name_below(path, root), root / path)


def _foreign(path: Path, rows: Sequence[Row], root: Path) -> Iterator[str]:
    """Lists that look like `path label` lines and mean something else."""
    three = [row for row in rows if row.label is not None and _ends_in_a_number(row.path)]
    if three and not any(os.path.exists(root / row.path) for row in three[:PATHS_PROBED]):
        reason = "a path, a number and a label, as MMAction2 lists folders of frames; videos are read here, not frames"
        yield from (f"{row.where}: three columns: {reason}" for row in three)
    named = [UCF101_VIDEO.fullmatch(row.path) for row in rows]
    if rows and all(named):
        labels, folders = {row.label for row in rows}, {row.folder for row in rows}
        if labels == {None} or labels == {str(number) for number in range(1, len(folders) + 1)}:
            yield "it is a list of UCF101, whose labels count from 1; put UCF101's classInd.txt beside it"
    part = HMDB51_CLASS.fullmatch(path.name)
    if part and {row.label for row in rows} <= {"0", "1", "2"} and len(_hmdb51_files(path.parent, part[2])) > 1:
        yield (
            f"it is one class of HMDB51's split {part[2]}; name the whole split: {path.parent}/train_split{part[2]}.txt"
            f" or test_split{part[2]}.txt, which stand for all its *_test_split{part[2]}.txt"
        )


def _ends_in_a_number(path: str) -> bool:
    last = _last_column(path)
    return last.isdigit() and last != path


def _is_ucf101(rows: Sequence[Row], numbers: Mapping[str, str]) -> bool:
    """A label is the number of its folder, or no line has one. A list that counts from 0 has no such label."""
    if all(row.label is None for row in rows):
        return any(row.folder in numbers for row in rows)
    return any(row.label is not None and row.label == numbers.get(row.folder) for row in rows)


def _ucf101_numbers(path: Path) -> dict[str, str]:
    """The number of each class, in their order; empty where the file is absent. Raises ManifestError."""
    if not path.is_file():
        return {}
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: UCF101's classes cannot be read: {error}") from error
    numbers = {row[1]: row[0] for row in rows if len(row) == 2}
    if list(numbers.values()) != [str(number) for number in range(1, len(rows) + 1)]:
        raise ManifestError(f"{path}: expected UCF101's classes, '1 ApplyEyeMakeup', counted from 1 without gaps")
    return numbers


def _ucf101_entries(
    rows: Sequence[Row], numbers: Mapping[str, str], root: Path, mistakes: list[str]
) -> Iterator[Entry]:
    folders = VideoFolders(root)
    labelled = any(row.label is not None for row in rows)
    for row in rows:
        number = numbers.get(row.folder)
        if number is None:
            mistakes.append(f"{row.where}: {row.path!r} is in no folder named by a class of classInd.txt")
        elif labelled and row.label != number:
            found = "has no label" if row.label is None else f"has label {row.label!r}"
            mistakes.append(f"{row.where}: {row.path!r} {found}, but {row.folder} is {number} in classInd.txt")
        else:
            yield Entry(row.where, row.folder, name_below(row.path, root), folders.as_listed(row.path))


def hmdb51_listing(path: Path, root: Path, mistakes: list[str]) -> Listing | None:
    """HMDB51's list that `path` names: train_split1.txt or test_split1.txt stands for all files `*_test_split1.txt` of
    the folder, one for each class, whose lines are a video and 1 (train), 2 (test) or 0 (unused). None for others."""
    named = HMDB51_LIST.fullmatch(path.name)
    files = _hmdb51_files(path.parent, named[2]) if named and not path.exists() else {}
    if named is None or not files:
        return None
    wanted = "1" if named[1] == "train" else "2"
    folders = VideoFolders(root)
    entries = tuple(
        Entry(f"{file.name} line {row.number}", label, f"{label}/{row.path}", folders.as_listed(f"{label}/{row.path}"))
        for label, file in files.items()
        for row in _hmdb51_rows(file, mistakes)
        if row.label == wanted
    )
    return Listing(HMDB51_FORM, True, entries, tuple(files))


def _hmdb51_files(folder: Path, split: str) -> dict[str, Path]:
    """The file of each class, sorted by class."""
    matches = ((HMDB51_CLASS.fullmatch(file.name), file) for file in folder.glob(f"*_test_split{split}.txt"))
    return dict(sorted((match[1], file) for match, file in matches if match))


def _hmdb51_rows(file: Path, mistakes: list[str]) -> Iterator[Row]:
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{file.name}: it cannot be read: {error}")
        return
    for row in _rows(lines):
        if row.label in ("0", "1", "2"):
            yield row
        else:
            mistakes.append(f"{file.name} line {row.number}: expected a video and 1 (train), 2 (test) or 0 (unused)")
