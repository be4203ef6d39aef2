"""The list of videos and their labels, in Kinetics' two forms, and the fingerprint that names it."""

from __future__ import annotations

import csv
import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expander.errors import ManifestError
from expander.trial import content_id

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi")
KINETICS_COLUMNS = ("label", "youtube_id", "time_start", "time_end")
MISTAKES_SHOWN = 20
# A larger label is another number: a frame count, a date.
CLASSES_AT_MOST = 100_000
# Some videos of a list are always missing; when the first hundred are, the root is wrong.
VIDEOS_PROBED = 100


@dataclass(frozen=True)
class Video:
    """One video. name: what the manifest calls it, the same on every machine. line: where, counted from 1."""

    path: Path
    label: int
    name: str = ""
    line: int = 0


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read. classes: the name of each label; the label itself where the manifest holds numbers."""

    path: Path
    videos: tuple[Video, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class ManifestSource:
    """Where a manifest is and where its videos are (by default in its own folder).

    `path label` lines, or Kinetics' csv with the columns label, youtube_id, time_start and time_end; its videos are
    `<id>_<start>_<end>.mp4` (times in six digits; .mkv, .webm and .avi too) or `<id>.mp4`, in the root or in a folder
    of it named by the label.
    """

    path: Path
    root: Path | None = None

    def read(self) -> Manifest:
        """The manifest. Raises ManifestError with every mistake of the file, or when its videos are not at the root."""
        return _manifest(self, _entries(self), classes=None)


def read_pair(train: ManifestSource, val: ManifestSource) -> tuple[Manifest, Manifest]:
    """Both manifests with one list of classes, that of `train`. Raises ManifestError as `read` does, and for a class of
    `val` that `train` lacks."""
    train_entries, val_entries = _entries(train), _entries(val)
    if train_entries.named != val_entries.named:
        numbers, names = (val, train) if train_entries.named else (train, val)
        raise ManifestError(
            f"{numbers.path} has numbers for labels and {names.path} has names; use one form for both manifests"
        )
    classes = train_entries.classes()
    return _manifest(train, train_entries, classes), _manifest(val, val_entries, classes, train.path)


def check_classes(manifest: Manifest, classes: int) -> None:
    """Raises ManifestError for labels that a network of `classes` classes has no output for."""
    mistakes = [
        f"line {video.line}: label {_shown(manifest, video.label)}"
        for video in manifest.videos
        if video.label >= classes
    ]
    if mistakes:
        limit = f"the network has {classes} classes, so labels go from 0 to {classes - 1}"
        advice = f"{limit}; correct the label, or set basis.classes in the search space"
        raise ManifestError(_report(manifest.path, [f"{mistake}; {advice}" for mistake in mistakes]))


@dataclass(frozen=True)
class ManifestSummary:
    """A manifest's content: number of videos, number of classes, SHA-256 of its `name label` lines."""

    videos: int
    classes: int
    sha256: str


@dataclass(frozen=True)
class DataFingerprint:
    """Names the data of a search: the same lists have the same id at any root."""

    id: str
    train: ManifestSummary
    val: ManifestSummary

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `from_dict` reads them back."""
        return {"id": self.id, "train": vars(self.train).copy(), "val": vars(self.val).copy()}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> DataFingerprint:
        """The fingerprint that `as_dict` wrote."""
        return DataFingerprint(values["id"], ManifestSummary(**values["train"]), ManifestSummary(**values["val"]))

    def difference(self, other: DataFingerprint) -> tuple[str, ...]:
        """One line for each manifest in which `other`, the data now, differs from this, the data recorded."""
        pairs = (("train", self.train, other.train), ("val", self.val, other.val))
        return tuple(
            f"{name}: {recorded.videos:,} videos of {recorded.classes:,} classes (sha256 {recorded.sha256[:8]}…) "
            f"recorded, {now.videos:,} of {now.classes:,} ({now.sha256[:8]}…) now"
            for name, recorded, now in pairs
            if recorded != now
        )


def fingerprint(train: Manifest, val: Manifest) -> DataFingerprint:
    """The fingerprint of a pair of manifests, from their content alone: no video is opened."""
    summaries = summary(train), summary(val)
    return DataFingerprint(content_id([vars(each) for each in summaries]), *summaries)


def summary(manifest: Manifest) -> ManifestSummary:
    """What names one manifest, from its content alone."""
    digest = hashlib.sha256()
    for video in manifest.videos:
        digest.update(f"{video.name or video.path.as_posix()} {video.label}\n".encode())
    return ManifestSummary(len(manifest.videos), len(manifest.classes), digest.hexdigest())


@dataclass(frozen=True)
class _Entry:
    """One line as it was read: a label of digits or a class name, and the name and path of its video."""

    line: int
    label: str
    name: str
    path: Path


@dataclass(frozen=True)
class _Entries:
    named: bool
    entries: tuple[_Entry, ...]

    def classes(self) -> tuple[str, ...]:
        labels = {entry.label for entry in self.entries}
        return tuple(sorted(labels)) if self.named else tuple(map(str, range(max(map(int, labels)) + 1)))


def _manifest(
    source: ManifestSource, read: _Entries, classes: tuple[str, ...] | None, train: Path | None = None
) -> Manifest:
    """Labels to numbers. Labels can be outside `classes` only where these are of the manifest `train`."""
    classes = read.classes() if classes is None else classes
    number_of = {name: number for number, name in enumerate(classes)}
    unknown = [entry for entry in read.entries if entry.label not in number_of]
    if unknown:
        fix = f"not among the {len(classes)} classes of {train}; correct it or add its videos there"
        raise ManifestError(
            _report(source.path, [f"line {entry.line}: label {entry.label!r} is {fix}" for entry in unknown])
        )
    videos = tuple(Video(entry.path, number_of[entry.label], entry.name, entry.line) for entry in read.entries)
    _check_root(source, videos)
    return Manifest(source.path, videos, classes)


def _check_root(source: ManifestSource, videos: Sequence[Video]) -> None:
    if not any(os.path.exists(video.path) for video in videos[:VIDEOS_PROBED]):
        count = min(len(videos), VIDEOS_PROBED)
        raise ManifestError(
            f"{source.path}: none of its first {count} videos exists; the first was looked for at {videos[0].path}. "
            f"Set the root to the folder that the manifest's paths start from"
        )


def _entries(source: ManifestSource) -> _Entries:
    """The lines of the file. Raises ManifestError with all that is wrong with it."""
    lines = _lines(source.path)
    root = Path(os.path.abspath(source.root or source.path.parent))
    header = next(csv.reader(lines[:1]), [])
    named = bool({"label", "youtube_id"} & {column.strip() for column in header})
    mistakes: list[str] = []
    entries = tuple(_kinetics_entries(lines, root, mistakes) if named else _line_entries(lines, root, mistakes))
    mistakes += _conflicts(entries)
    if not entries and not mistakes:
        mistakes = ["it lists no video; write one 'path label' line for each"]
    if mistakes:
        raise ManifestError(_report(source.path, mistakes))
    return _Entries(named, entries)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such manifest; give the path of a file of 'path label' lines") from error
    except OSError as error:
        raise ManifestError(f"{path}: the manifest cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path}: not a text file in UTF-8 (byte {error.start}); a manifest is 'path label' lines"
        ) from error


def _line_entries(lines: Iterable[str], root: Path, mistakes: list[str]) -> Iterator[_Entry]:
    for number, line in enumerate(lines, start=1):
        parts = line.rsplit(maxsplit=1)  # the path may contain spaces; the label cannot
        if not parts:
            continue
        path, label = parts[0].strip(), parts[-1]
        if len(parts) == 1:
            mistakes.append(f"line {number}: {line.strip()!r} has no label; write 'path label', with a space between")
        elif not (label.isascii() and label.isdigit()):
            mistakes.append(f"line {number}: label {label!r} of {path!r} is not a whole number of at least 0")
        elif int(label) >= CLASSES_AT_MOST:
            mistakes.append(f"line {number}: label {label} of {path!r} is too large; labels count classes from 0")
        else:
            yield _Entry(number, str(int(label)), _name(path, root), root / path)


def _name(path: str, root: Path) -> str:
    """The path from the root, where it is below it, without '.', '..' and doubled slashes."""
    full = Path(os.path.abspath(root / path))
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else posixpath.normpath(path)


def _kinetics_entries(lines: Sequence[str], root: Path, mistakes: list[str]) -> Iterator[_Entry]:
    rows = csv.DictReader(lines, skipinitialspace=True)
    missing = [column for column in KINETICS_COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        expected = ",".join(KINETICS_COLUMNS)
        mistakes.append(f"line 1: no column {', '.join(missing)}; Kinetics' csv has the header {expected},split")
        return
    folders = _Folders(root)
    for row in _rows(rows, mistakes):
        mistake = _row_mistake(row)
        if mistake:
            mistakes.append(f"line {rows.line_num}: {mistake}")
            continue
        name = f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
        path = folders.find(row["label"], (name, row["youtube_id"]))
        yield _Entry(rows.line_num, row["label"], name, path)


def _rows(rows: csv.DictReader[str], mistakes: list[str]) -> Iterator[Mapping[str, str]]:
    try:
        yield from rows
    except csv.Error as error:  # a quote that is never closed
        mistakes.append(f"line {rows.line_num}: {error}; check the quotes from there upwards")


def _row_mistake(row: Mapping[str, str]) -> str | None:
    for column in KINETICS_COLUMNS:
        value = row[column]
        if not value:
            return f"no {column}; every row needs {', '.join(KINETICS_COLUMNS)}"
        if column.startswith("time") and not (value.isascii() and value.isdigit()):
            return f"{column} {value!r} is not a whole number of seconds"
    return None


class _Folders:
    """The files of the root and of its folders named by labels, each listed once: a stat a video takes minutes on a
    network disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, frozenset[str]] = {}

    def find(self, label: str, stems: tuple[str, ...]) -> Path:
        """The video's path; where it is looked for first, if there is none."""
        for stem in stems:
            for folder in ("", label, label.replace(" ", "_")):
                for suffix in SUFFIXES:
                    if stem + suffix in self._list(folder):
                        return self.root / folder / (stem + suffix)
        return self.root / (stems[0] + SUFFIXES[0])

    def _list(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(self.root / folder))
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]


def _conflicts(entries: Iterable[_Entry]) -> Iterator[str]:
    seen: dict[str, _Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.name, entry)
        if first.label != entry.label:
            yield (
                f"line {entry.line}: {entry.name} has label {entry.label!r}, but {first.label!r} in line {first.line}; "
                f"keep one of the two"
            )


def _shown(manifest: Manifest, label: int) -> str:
    name = manifest.classes[label] if label < len(manifest.classes) else str(label)
    return str(label) if name == str(label) else f"{label} ({name})"


def _report(path: Path, mistakes: Sequence[str]) -> str:
    lines = [f"{path}: {mistake}" for mistake in mistakes[:MISTAKES_SHOWN]]
    if len(mistakes) > MISTAKES_SHOWN:
        lines.append(f"and {len(mistakes) - MISTAKES_SHOWN:,} more mistakes in {path}")
    return "\n".join(lines)
