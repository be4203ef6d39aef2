"""Kinetics' official csv and json, of 400, 600 and 700 classes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainers.data.entries import Entry, VideoFolders

CSV_FORM = "Kinetics' csv"
JSON_FORM = "Kinetics' json"
COLUMNS = ("label", "youtube_id", "time_start", "time_end")
# Of a time in seconds: six are a week and a half.
DIGITS = 9


def is_csv(lines: Sequence[str]) -> bool:
    """The first line is a header that names videos or labels of Kinetics."""
    columns = {column.strip() for column in next(csv.reader(lines[:1]), [])}
    return "youtube_id" in columns or {"label", "time_start"} <= columns


def csv_entries(lines: Sequence[str], root: Path, mistakes: list[str]) -> Iterator[Entry]:
    """The rows of the csv; what is wrong with others is added to `mistakes`."""
    rows = csv.DictReader(lines, skipinitialspace=True)
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        expected = ",".join(COLUMNS)
        mistakes.append(f"line 1: no column {', '.join(missing)}; Kinetics' csv has the header {expected},split")
        return
    folders = VideoFolders(root)
    for row in _rows(rows, mistakes):
        if mistake := _row_mistake(row):
            mistakes.append(f"line {rows.line_num}: {mistake}")
        else:
            times = int(row["time_start"]), int(row["time_end"])
            yield _entry(f"line {rows.line_num}", row["youtube_id"], row["label"], times, folders)


def is_json(document: Any) -> bool:
    """{id: {"annotations": {...} or "subset": ...}}"""
    return isinstance(document, dict) and any(
        isinstance(value, dict) and (isinstance(value.get("annotations"), dict) or "subset" in value)
        for value in document.values()
    )


def json_entries(document: Mapping[str, Any], root: Path, mistakes: list[str]) -> Iterator[Entry]:
    """The videos of the json; what is wrong with others is added to `mistakes`."""
    folders = VideoFolders(root)
    for key, value in document.items():
        if mistake := _json_mistake(value):
            mistakes.append(f"video {key!r}: {mistake}")
        else:
            said = value["annotations"]
            start, end = said["segment"]
            yield _entry(f"video {key!r}", key, said["label"], (int(start), int(end)), folders)


def _entry(where: str, youtube_id: str, label: str, times: tuple[int, int], folders: VideoFolders) -> Entry:
    name = f"{youtube_id}_{times[0]:06d}_{times[1]:06d}"
    path = folders.find(("", label, label.replace(" ", "_")), (name, youtube_id))
    return Entry(where, label, name, path)


def _rows(rows: csv.DictReader[str], mistakes: list[str]) -> Iterator[Mapping[str, str]]:
    try:
        yield from rows
    except csv.Error as error:  # a quote that is never closed
        mistakes.append(f"line {rows.line_num}: {error}; check the quotes from there upwards")


def _row_mistake(row: Mapping[str, str]) -> str | None:
    for column in COLUMNS:
        value = row[column]
        if not value:
            return f"no {column}; every row needs {', '.join(COLUMNS)}"
        if column.startswith("time") and not (value.isascii() and value.isdigit()):
            return f"{column} {value!r} is not a whole number of seconds"
        if column.startswith("time") and len(value) > DIGITS:
            return f"{column} {value[:DIGITS]}... has {len(value):,} digits; at most {DIGITS} are a time in a video"
    return None


def _json_mistake(value: Any) -> str | None:
    said = value.get("annotations") if isinstance(value, dict) else None
    if isinstance(value, dict) and value.get("subset") == "test" and not (isinstance(said, dict) and said.get("label")):
        return "no label: it is of the test set, which is published without labels; use the training or validation list"
    if not isinstance(said, dict):
        return 'no "annotations"; every video needs {"annotations": {"label": ..., "segment": [start, end]}}'
    label, segment = said.get("label"), said.get("segment")
    if not isinstance(label, str) or not label:
        return f"label {label!r} is not the name of a class" if label else 'no "label" in its annotations'
    if not (isinstance(segment, list) and len(segment) == 2 and all(map(_is_second, segment))):
        return f"segment {segment!r} is not [start, end] in whole seconds"
    return None


def _is_second(value: Any) -> bool:
    """The official files have 84.0 for 84."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < 1_000_000 and value == int(value)
