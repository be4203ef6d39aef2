"""Copies of a SQLite store beside it: whole or absent, and never over an older one."""

from __future__ import annotations

import itertools
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from expander.errors import StoreError


def back_up(file: Path, before: str) -> Path:
    """Copy the store in `file`, which may be in use, to FILE.before-`before`, or -2, -3 where that exists.

    Returns the copy's path. Raises StoreError where it cannot be made.
    """
    copy = file.with_name(f"{file.name}.before-{before}")
    partial = file.with_name(f".{copy.name}.{os.getpid()}.tmp")
    try:
        _copy(file, partial)
        return _place(partial, copy)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot keep a copy of the store as {copy}, so nothing is changed: {error}; make room there, or allow"
            " writing to the folder"
        ) from error
    finally:
        for rest in ("", "-journal"):
            partial.with_name(partial.name + rest).unlink(missing_ok=True)


def _copy(file: Path, partial: Path) -> None:
    partial.unlink(missing_ok=True)
    source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    with closing(source) as store, closing(sqlite3.connect(partial)) as copy:
        store.backup(copy)
        # One file is the whole copy, with none beside it for what was written last.
        copy.execute("PRAGMA journal_mode = DELETE")
        # A row that breaks a rule is what `--repair` may be asked for; here only the file must be sound.
        copy.execute("PRAGMA ignore_check_constraints = ON")
        [(verdict,)] = copy.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise StoreError(f"the store {file} is damaged ({verdict}), so nothing is changed: restore a backup")
    with partial.open("rb+") as written:
        os.fsync(written.fileno())


def _place(partial: Path, copy: Path) -> Path:
    for number in itertools.count(1):
        free = copy if number == 1 else copy.with_name(f"{copy.name}-{number}")
        try:
            # Unlike a rename this fails where there is a file.
            os.link(partial, free)
        except FileExistsError:
            continue
        _sync_folder(free.parent)
        return free
    raise AssertionError("counting has no end")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
