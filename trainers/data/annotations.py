"""What people have to say which video is of which class, recognised by its content and read into one listing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from expander.errors import ManifestError
from trainers.data import kinetics, something
from trainers.data.entries import Entry, Listing, conflicts, outside, report
from trainers.data.line_lists import HMDB51_CLASS, hmdb51_listing, line_listing
from trainers.data.prepared import class_names

FOLDER_FORM = "a folder of classes"
PREPARED_FORM = "a list of prepared videos, by prepared.json beside it"
# In a list, the suffix is said or looked for; in a folder of classes, a file of another suffix is no video.
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)


def read_annotations(path: Path, root: Path | None, *, outside_root: bool = False) -> Listing:
    """The videos that a file or a folder of classes lists; paths in a file start from `root`, by default its folder.

    outside_root: they may lead out of there. Raises ManifestError with every mistake, and what the file was taken for.
    """
    mistakes: list[str] = []
    start = Path(os.path.abspath(root or path.parent))
    listing = _listing(path, start, mistakes)
    if not outside_root and not path.is_dir():  # what a folder of classes holds is below that folder
        mistakes += outside(listing.entries, start)
    mistakes += conflicts(listing.entries)
    if not listing.entries and not mistakes:
        mistakes = ["it lists no video; write one 'path label' line for each"]
    if mistakes:
        raise ManifestError(report(path, mistakes, listing.form))
    return listing


def _listing(path: Path, root: Path, mistakes: list[str]) -> Listing:
    if path.is_dir():
        return Listing(FOLDER_FORM, True, tuple(_folder_entries(path, mistakes)))
    if split := hmdb51_listing(path, root, mistakes):
        return split
    text = _text(path)
    document = _document(path, text, mistakes)
    if document is not None:
        return _json_listing(path, document, root, mistakes)
    lines = text.split("\n")
    if kinetics.is_csv(lines):
        return Listing(kinetics.CSV_FORM, True, tuple(kinetics.csv_entries(lines, root, mistakes)))
    listing = line_listing(path, lines, root, mistakes)
    return _prepared(listing, names, mistakes) if (names := class_names(path)) else listing


def _prepared(listing: Listing, names: Sequence[str], mistakes: list[str]) -> Listing:
    """A list of numbers with the names of the classes that it was made from."""
    for entry in listing.entries:
        if int(entry.label) >= len(names):
            mistakes.append(
                f"{entry.where}: label {entry.label} is not among the {len(names)} classes of prepared.json"
            )
    known = [entry for entry in listing.entries if int(entry.label) < len(names)]
    entries = tuple(replace(entry, label=names[int(entry.label)]) for entry in known)
    return Listing(PREPARED_FORM, True, entries, tuple(names))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ManifestError(f"{path}: no such manifest; give the path of a file of 'path label' lines") from error
    except OSError as error:
        raise ManifestError(f"{path}: the manifest cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path}: not a text file in UTF-8 (byte {error.start}); a manifest is 'path label' lines"
        ) from error


def _document(path: Path, text: str, mistakes: list[str]) -> Any:
    """The JSON in the file; None where it is a list of lines, whose first path may begin with a bracket too."""
    if not text.lstrip().startswith(("{", "[")):
        return None

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                mistakes.append(f"{key!r} stands twice in one object; keep one of the two")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        mistakes.clear()
        if path.suffix == ".json":
            raise ManifestError(f"{path}: not JSON: {error}") from error
        return None


def _json_listing(path: Path, document: Any, root: Path, mistakes: list[str]) -> Listing:
    if kinetics.is_json(document):
        return Listing(kinetics.JSON_FORM, True, tuple(kinetics.json_entries(document, root, mistakes)))
    if something.is_json(document):
        classes = something.classes_beside(path)
        return Listing(something.FORM, True, tuple(something.entries(document, classes, root, mistakes)), classes)
    raise ManifestError(
        f'{path}: JSON of an unknown form; expected Kinetics\' {{"ID": {{"annotations": {{"label": ..., "segment": '
        '[start, end]}}, ...}}} or Something-Something v2\'s [{"id": ..., "template": ...}, ...]'
    )


def _folder_entries(path: Path, mistakes: list[str]) -> Iterator[Entry]:
    """Videos of classes, sorted by class and name. Hidden files and folders count for nothing."""
    files, folders = _inside(path)
    if loose := [name for name in files if _is_video(name)]:
        mistakes.append(f"{len(loose):,} videos are in no folder of a class, {loose[0]} first; move them into one")
    if not folders:
        splits = any(HMDB51_CLASS.fullmatch(name) for name in files)
        advice = (
            "for HMDB51's splits, name one as train_split1.txt or test_split1.txt in it"
            if splits
            else ("give a folder with one folder of videos for each class, or a file")
        )
        mistakes.append(f"it holds no folder of a class; {advice}")
    for label in folders:
        names, deeper = _inside(path / label)
        videos = [name for name in names if _is_video(name)]
        if not videos:
            mistakes.append(_empty(label, deeper))
        for name in videos:
            yield Entry(f"folder {label}", label, f"{label}/{name}", path / label / name)


def _inside(folder: Path) -> tuple[list[str], list[str]]:
    """Names of files and of folders, sorted; of what a link leads to."""
    try:
        with os.scandir(folder) as scanned:
            found = [(entry.name, entry.is_dir()) for entry in scanned if not entry.name.startswith(".")]
    except OSError as error:
        raise ManifestError(f"{folder}: the folder cannot be read: {error.strerror}") from error
    found.sort()
    return [name for name, folder in found if not folder], [name for name, folder in found if folder]


def _is_video(name: str) -> bool:
    return name.lower().endswith(VIDEO_SUFFIXES)


def _empty(label: str, deeper: list[str]) -> str:
    if deeper:
        return f"class {label!r} holds folders ({deeper[0]}) and no video; videos are read one level deep only"
    return f"class {label!r} holds no video; add some, or remove its folder"
