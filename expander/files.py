"""How every file is written: whole or not at all, and kept through a power cut; and why where it could not be."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from expander.errors import FileError
from expander.units import human

# Of files that are being written. No other program's: those that their writers have left are removed.
UNFINISHED = re.compile(r"\.expander-[0-9a-f]{16}\.tmp")
# What a file system says that has gone, or whose server or disk has.
LOST = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN)
CHECKSUM = "sha256"
# Of the weights that lie beside a trial's outcome or a config: the key in these.
WEIGHTS_CHECKSUM = "weights_sha256"


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts` to `path` as `fill_whole` does."""
    fill_whole(path, lambda file: file.writelines(parts))


def fill_whole(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let `fill` write a file in the same folder, which then gets the name `path`; on disk once this returns.

    The folder is not made: one that was there and is not may be a mount that has vanished, and what is written in its
    place would be lost. Raises FileError, and what `fill` raises; nothing is left then. What killed writers have left
    in the folder is removed.
    """
    with _in_words(path):
        _sweep(path.parent)
        descriptor, temporary = _begin(path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(descriptor)
                temporary.replace(path)  # still locked: nobody takes it for a dead writer's
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)


def publish(unfinished: Path, target: Path) -> None:
    """Give a file that was written to its end the name `target`; on disk once this returns. Raises FileError."""
    with _in_words(target):
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
        _sync_folder(target.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there. Raises FileError."""
    with _in_words(path, "removed"):
        path.unlink(missing_ok=True)


def read_whole(path: Path) -> bytes:
    """The content of a file. Raises FileError."""
    with _in_words(path, "read"):
        return path.read_bytes()


def sealed(values: Mapping[str, Any]) -> bytes:
    """Plain values as JSON with a checksum over all of them."""
    return (json.dumps({**values, CHECKSUM: _checksum(values)}, indent=2) + "\n").encode()


def unsealed(content: bytes) -> dict[str, Any]:
    """What was sealed; without a checksum, as earlier versions wrote it, as it is. Raises ValueError for all else."""
    try:
        values = json.loads(content)
        checked = isinstance(values, dict) and CHECKSUM in values
        written = values.pop(CHECKSUM) if checked else None
        sound = not checked or written == _checksum(values)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"it holds a {type(values).__name__}, and no values by name")
    if not sound:
        raise ValueError("its checksum does not match")
    return values


def digest(path: Path) -> str:
    """The SHA-256 of a file. Raises FileError."""
    with _in_words(path, "read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: Path, *, parents: bool = True) -> None:
    """Make `folder` where it is missing, and those above it where `parents`. Raises FileError."""
    with _in_words(folder, "made"):
        folder.mkdir(parents=parents, exist_ok=True)


def check_writable(folder: Path) -> None:
    """Raise FileError where no file can be made in `folder`; removes what killed writers have left there."""
    with _in_words(folder, "written to"):
        _sweep(folder)
        descriptor, temporary = _begin(folder)
        os.close(descriptor)
        temporary.unlink()


def cannot(deed: str, path: Path, error: OSError) -> FileError:
    """The error in words: what was found, and what to do. deed: 'written', 'read'."""
    reason = error.strerror or str(error)
    return FileError(f"{path} cannot be {deed}: {reason}{_advice(path.parent, error.errno)}", error.errno)


def _advice(folder: Path, number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{_left(folder)}; free some space there, and the same command, or `expander resume`, goes on"
    if number == errno.EROFS:
        return "; have its file system mounted for writing, or give a folder that you may write to"
    if number in LOST or (number == errno.ENOENT and not folder.is_dir()):
        missing = "" if number in LOST else f": {folder} is not there"
        return (
            f"{missing}; its file system may have been unmounted or lost: mount it again, and the same command goes on"
        )
    return "; give a file in a folder that you may write to"


def _left(folder: Path) -> str:
    """', 12.3 kB of 2.10 MB are free'."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return ""
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    names = ", and no names for files" if found.f_files and not found.f_favail else ""
    return f" ({human(free, 3)}B of {human(size, 3)}B are free{names})"


@contextmanager
def _in_words(path: Path, deed: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot(deed, path, error) from error


def _begin(folder: Path) -> tuple[int, Path]:
    """A new file, locked for as long as its writer lives, on whatever machine; not where there are no locks."""
    while True:
        temporary = folder / f".expander-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # swept away between its making and its lock


def _sweep(folder: Path) -> None:
    """Remove what writers that are dead have left in `folder`."""
    with suppress(OSError):
        for path in folder.iterdir():
            if UNFINISHED.fullmatch(path.name):
                _remove_abandoned(path)


def _remove_abandoned(path: Path) -> None:
    with suppress(OSError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
        path.unlink()


def _sync_folder(folder: Path) -> None:
    # A rename is on disk only once its folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of file systems whose folders cannot be synced
            raise
    finally:
        os.close(descriptor)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
