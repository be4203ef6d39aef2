"""What every form of annotations is read into: videos with their labels, and where each stands."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi")
MISTAKES_SHOWN = 20


@dataclass(frozen=True)
class Entry:
    """One video as it was read. where: its line or key. label: digits or a class's name. name: the same anywhere."""

    where: str
    label: str
    name: str
    path: Path


@dataclass(frozen=True)
class Listing:
    """All that a file or folder lists. form: what it was recognised as. named: labels are names of classes.
    known_classes: in the order of their numbers, where the form comes with such a list."""

    form: str
    named: bool
    entries: tuple[Entry, ...]
    known_classes: tuple[str, ...] = ()

    def classes(self) -> tuple[str, ...]:
        """The name of each label."""
        if self.known_classes:
            return self.known_classes
        labels = {entry.label for entry in self.entries}
        return tuple(sorted(labels)) if self.named else tuple(map(str, range(max(map(int, labels)) + 1)))


class VideoFolders:
    """The files of the root and of folders in it, each listed once: a stat a video takes minutes on a network disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, frozenset[str]] = {}

    def find(self, folders: Sequence[str], stems: Sequence[str]) -> Path:
        """The path of a video by its name without suffix; where it is looked for first, if there is none."""
        for stem in stems:
            for folder in folders:
                for suffix in SUFFIXES:
                    if stem + suffix in self._list(folder):
                        return self.root / folder / (stem + suffix)
        return self.root / folders[0] / (stems[0] + SUFFIXES[0])

    def as_listed(self, name: str) -> Path:
        """The path of a video by its name, or that of its copy with another suffix; the former if there is neither."""
        folder, file = os.path.split(name)
        stem = PurePosixPath(file).stem
        found = (each for each in (file, *(stem + suffix for suffix in SUFFIXES)) if each in self._list(folder))
        return self.root / folder / next(found, file)

    def _list(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(self.root / folder))
            except (OSError, ValueError):  # a name with a null byte is no folder's
                self._listed[folder] = frozenset()
        return self._listed[folder]


def name_below(path: str, root: Path) -> str:
    """The path from the absolute root, where it is below it, without '.', '..' and doubled slashes."""
    full, above = os.path.normpath(os.path.join(root, path)), os.path.join(root, "")
    return full.removeprefix(above) if full.startswith(above) else posixpath.normpath(path)


def outside(entries: Iterable[Entry], root: Path) -> tuple[str, ...]:
    """A line that names the first entry that leaves the absolute root, as a list from elsewhere could to have any file
    read; nothing where none does.

    Told by the path alone: a link below the root was made by whoever owns the folder, not by the list.
    """
    above = os.path.join(root, "")
    left = [(entry.where, path) for entry in entries if not (path := os.path.normpath(entry.path)).startswith(above)]
    if not left:
        return ()
    others = f" (and {len(left) - 1:,} more)" if len(left) > 1 else ""
    return (
        f"{left[0][0]}: {left[0][1]}{others} is outside of {root}, where the paths of the list start; correct it, or"
        " allow it where you trust the list, with --outside-root or data.outside_root: true",
    )


def conflicts(entries: Iterable[Entry]) -> Iterator[str]:
    """One line for each video that has another label further up."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.name, entry)
        if first.label != entry.label:
            yield (
                f"{entry.where}: {entry.name} has label {entry.label!r}, but {first.label!r} in {first.where}; "
                f"keep one of the two"
            )


def report(path: Path, mistakes: Sequence[str], form: str) -> str:
    """The first mistakes, how many more there are, and what the file was taken for."""
    lines = [f"{path}: {mistake}" for mistake in mistakes[:MISTAKES_SHOWN]]
    if len(mistakes) > MISTAKES_SHOWN:
        lines.append(f"and {len(mistakes) - MISTAKES_SHOWN:,} more mistakes in {path}")
    return "\n".join([*lines, f"({path.name} was read as {form})"])
