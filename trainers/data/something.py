"""Something-Something v2: its json of videos, and the labels file beside it that numbers the templates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from expander.errors import ManifestError
from trainers.data.entries import Entry, VideoFolders

FORM = "Something-Something v2's json"
LABELS_FILES = ("labels.json", "something-something-v2-labels.json")


def is_json(document: Any) -> bool:
    """[{"id": ...}, ...]"""
    return isinstance(document, list) and any(isinstance(value, dict) and "id" in value for value in document)


def classes_beside(path: Path) -> tuple[str, ...]:
    """The templates in the order of their numbers, from the labels file. Raises ManifestError where there is none."""
    found = [path.with_name(name) for name in LABELS_FILES if path.with_name(name).is_file()]
    if len(found) != 1:
        which = "both lie" if found else "neither lies"
        raise ManifestError(
            f"{path}: {FORM} has its classes in a file beside it, {' or '.join(LABELS_FILES)}, and {which} in"
            f" {path.parent}; leave one there"
        )
    try:
        numbers = json.loads(found[0].read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"{found[0]}: it cannot be read as JSON: {error}") from error
    if (
        not isinstance(numbers, dict)
        or {*map(str, numbers.values())} != {*map(str, range(len(numbers)))}
        or not numbers
    ):
        raise ManifestError(
            f'{found[0]}: expected the number of each template, {{"Opening something": "0", ...}}, counted from 0'
            " without gaps"
        )
    return tuple(sorted(numbers, key=lambda template: int(numbers[template])))


def entries(document: Sequence[Any], classes: Sequence[str], root: Path, mistakes: list[str]) -> Iterator[Entry]:
    """The videos of the json; what is wrong with others is added to `mistakes`."""
    folders, known = VideoFolders(root), frozenset(classes)
    for number, value in enumerate(document, start=1):
        where = f"entry {number}"
        key = value.get("id") if isinstance(value, dict) else None
        if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
            mistakes.append(f'{where}: no "id"')
            continue
        where = f"{where} (id {key})"
        label = _label(value)
        if label is None:
            mistakes.append(f'{where}: no "template"; the test list is published without, so it cannot be used')
        elif label not in known:
            mistakes.append(f"{where}: template {label!r} is not among the {len(known)} of the labels file")
        else:
            yield Entry(where, label, str(key), folders.find(("",), (str(key),)))


def _label(value: Mapping[str, Any]) -> str | None:
    template = value.get("template")
    return template.replace("[", "").replace("]", "") if isinstance(template, str) and template else None
