"""A folder of prepared videos: what it holds, how far it is, and what its lists are read by."""

from __future__ import annotations

import csv
import fcntl
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from expander.errors import ManifestError, UsageError
from expander.files import cannot, write_whole

# What the folder was made from and how; beside the lists.
ABOUT = "prepared.json"
RECORD = "prepared.jsonl"
UNPREPARED = "unprepared.csv"
UNFINISHED = "unfinished"

State = Literal["prepared", "kept", "missing", "crashed"]


@dataclass(frozen=True)
class Made:
    """What became of one video. video: its path in the folder. size, modified: of the source file, in bytes and in ns.

    state: 'prepared', 'kept' (a copy of the file as it is), 'missing' (there is no file), or 'crashed' (kept, and tried
    again by the next call). reason: why it is not prepared. bytes: of the copy. seconds: that one process took.
    """

    video: str
    source: str
    size: int
    modified: int
    state: State
    reason: str = ""
    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def holds(self, folder: Path) -> bool:
        """Whether nothing is to be done: the copy is there, and the source is what it was, or gone."""
        source, copy = _stamp(Path(self.source)), _stamp(folder / self.video)
        if self.state == "missing":
            return source is None
        unchanged = source is None or source == (self.size, self.modified)
        return self.state != "crashed" and unchanged and copy is not None and copy[0] == self.bytes


class Record:
    """What became of each video, line by line in a file of the folder. One process at a time has it open."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        try:
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise cannot("written", self._path, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UsageError(f"{folder}: another process is preparing videos there; wait for its end") from None
        self._file.seek(0)
        text = self._file.read()
        lines = (_line(line) for line in text.splitlines())
        self.made = {made.video: made for made in lines if made is not None}
        if text and not text.endswith("\n"):
            self._file.write("\n")  # of a process that was killed as it wrote

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what a full disk has not taken was told by `add`
            self._file.close()

    def add(self, made: Made) -> None:
        """Keep what became of a video; it is in the file when this returns. Raises FileError."""
        self.made[made.video] = made
        try:
            self._file.write(json.dumps(asdict(made)) + "\n")
            self._file.flush()
        except OSError as error:
            raise cannot("written", self._path, error) from error


def read_about(folder: Path) -> dict[str, Any]:
    """What the folder says of itself, empty where it is no folder of prepared videos. Raises ManifestError."""
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(
            f"{path}: it cannot be read ({error}); delete it, and `expander data prepare` writes it anew"
        ) from error
    return about if isinstance(about, dict) else {}


def class_names(manifest: Path) -> tuple[str, ...]:
    """The names of the classes of a list that `expander data prepare` wrote; empty where labels are numbers."""
    about = read_about(manifest.parent)
    known = manifest.name in (about.get("manifests") or {})
    return tuple(about.get("classes") or ()) if known else ()


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; names that are no UTF-8 stay the bytes that they are. Raises FileError."""
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Say what the folder holds."""
    write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def write_unprepared(folder: Path, made: Sequence[Made]) -> None:
    """A line for each video that could not be prepared, and why."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("video", "source", "state", "reason"))
    rows.writerows((each.video, each.source, each.state, each.reason) for each in made if each.state != "prepared")
    write_text(folder / UNPREPARED, text.getvalue())


def _stamp(path: Path) -> tuple[int, int] | None:
    """Bytes and time of change, in ns, of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _line(line: str) -> Made | None:
    """One line of the record; None where it was cut off."""
    try:
        return Made(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
