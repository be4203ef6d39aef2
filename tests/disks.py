"""Real disks that fill up, turn read-only and vanish: small file systems in memory, mounted for a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

FILLER = "filler"


@dataclass(frozen=True)
class Disk:
    """A file system of a few megabytes, mounted at `path`, and known at `behind` as well: it outlives `vanish`."""

    path: Path
    behind: Path

    def fill(self, leave: int = 0) -> None:
        """Take all space but `leave` bytes."""
        with (self.behind / FILLER).open("wb", buffering=0) as file:
            with suppress(OSError):
                while True:
                    file.write(bytes(4096))
            file.truncate(max(0, file.tell() - leave))
        assert shutil.disk_usage(self.behind).free <= leave + 4096

    def empty(self) -> None:
        """Give the space back."""
        (self.behind / FILLER).unlink()

    def resize(self, size: str) -> None:
        """Make it as large as '30m'."""
        _run("mount", "-o", f"remount,size={size}", self.behind)

    def read_only(self, on: bool) -> None:
        """Refuse every write at `path`, or allow them again."""
        _run("mount", "-o", f"remount,bind,{'ro' if on else 'rw'}", self.path)

    def vanish(self) -> None:
        """Unmount it under those who use it: their paths lead to the empty folder that it was mounted on."""
        _run("umount", "--lazy", self.path)

    def come_back(self) -> None:
        """Mount it again."""
        _run("mount", "--bind", self.behind, self.path)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """A disk in `folder`; skips the test where mounting is not allowed."""
    disk = Disk(folder / "disk", folder / "behind")
    for place in (disk.path, disk.behind):
        place.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk.behind)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"no file system can be mounted here, which takes root: {error}")
    try:
        disk.come_back()
        yield disk
    finally:
        for place in (disk.path, disk.behind):
            with suppress(subprocess.CalledProcessError):
                _run("umount", "--lazy", place)


def unfinished(folder: Path) -> list[str]:
    """Files below `folder` that no writer has finished."""
    return [name for _, _, names in os.walk(folder) for name in names if name.endswith(".tmp")]


def _run(*arguments: object) -> None:
    subprocess.run([*map(str, arguments)], check=True, capture_output=True)
