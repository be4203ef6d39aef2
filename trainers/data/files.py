"""The files of a manifest, as far as a look tells one from another: all sizes, and the content of a sample.

A changed or replaced file nearly always has another size. What keeps its size, such as videos that were encoded anew at
a fixed rate, changes many at once, and shows in the sample. Times are not looked at: a copy has new ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest
from pathlib import Path

import numpy as np

from expander.errors import DataError
from trainers.data.manifest import FilesSummary, Manifest, ManifestSummary, Video, summary

SAMPLED = 64
# Of a file in the sample the first and the last so many bytes are read: the header and the index of any container.
END_BYTES = 2**20
ABSENT = -1
# A stat waits for a network disk, not for a core.
THREADS = 32
CHUNK = 500
NAMED = 10


@dataclass(frozen=True)
class FileList:
    """What a look at the files of a manifest found, each file by its place there.

    sizes: in bytes; ABSENT where there is no such file. sample: sixteen hexadecimal digits of the content of some.
    """

    sizes: tuple[int, ...]
    sample: Mapping[int, str]

    @cached_property
    def summary(self) -> FilesSummary:
        """What the fingerprint keeps of it."""
        present = [size for size in self.sizes if size != ABSENT]
        sample = json.dumps(sorted(self.sample.items())).encode()
        digest = hashlib.sha256(self._bytes + sample).hexdigest()[:16]
        return FilesSummary(sum(present), len(self.sizes) - len(present), digest)

    def packed(self) -> tuple[bytes, dict[str, str]]:
        """For the store: sizes, compressed, and the sample; `unpacked` reads them."""
        return zlib.compress(self._bytes), {str(place): digest for place, digest in self.sample.items()}

    @staticmethod
    def unpacked(sizes: bytes, sample: Mapping[str, str]) -> FileList:
        """The list that `packed` wrote."""
        found = np.frombuffer(zlib.decompress(sizes), "<i8")
        return FileList(tuple(found.tolist()), {int(place): digest for place, digest in sample.items()})

    @property
    def _bytes(self) -> bytes:
        return np.asarray(self.sizes, "<i8").tobytes()


def list_files(manifest: Manifest, tell: Callable[[int], None] = lambda _: None) -> FileList:
    """Look at every file of `manifest`. tell: is told how many more have been looked at."""
    paths = [video.path for video in manifest.videos]
    sizes: list[int] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for chunk in threads.map(_sizes, (paths[first : first + CHUNK] for first in range(0, len(paths), CHUNK))):
            sizes += chunk
            tell(len(chunk))
        places = [place for place in sample_places(manifest) if sizes[place] != ABSENT]
        digests = threads.map(digest_of, (paths[place] for place in places))
        sample = {place: digest for place, digest in zip(places, digests, strict=True) if digest is not None}
    return FileList(tuple(sizes), sample)


def sample_places(manifest: Manifest) -> list[int]:
    """The places of the sample, spread by a hash of the name: the same ones at any root."""
    named = (
        (hashlib.sha256(_name(video).encode(errors="surrogateescape")).digest(), place)
        for place, video in enumerate(manifest.videos)
    )
    return sorted(place for _, place in nsmallest(SAMPLED, named))


def changed_files(manifest: Manifest, recorded: FileList, now: FileList) -> tuple[str, ...]:
    """One line for each file of `manifest` that differs, of at most ten, and how many more there are."""
    lines = [
        f"{_name(video)}: {_size(before)} recorded, {_size(after)} now"
        for video, before, after in zip(manifest.videos, recorded.sizes, now.sizes, strict=True)
        if before != after
    ]
    lines += [
        f"{_name(manifest.videos[place])}: of the same size, {_content(place, recorded, now)}"
        for place in sorted({**recorded.sample, **now.sample})
        if recorded.sample.get(place) != now.sample.get(place) and recorded.sizes[place] == now.sizes[place]
    ]
    rest = len(lines) - NAMED
    return (*lines[:NAMED], *([f"and {rest:,} more files"] if rest > 0 else []))


@dataclass(frozen=True)
class Seen:
    """What a coordinator saw of a manifest. sha256: of its lines. sample: size and digest of some files, by place."""

    sha256: str
    sample: Mapping[int, tuple[int, str]]


def seen(read: ManifestSummary, files: FileList) -> Seen:
    """What a training compares with what it sees itself."""
    return Seen(read.sha256, {place: (files.sizes[place], digest) for place, digest in files.sample.items()})


def check_seen(manifest: Manifest, expected: Seen) -> None:
    """Raise DataError where this process sees other data than the coordinator did; a file that is missing is damage."""
    if summary(manifest).sha256 != expected.sha256:
        raise DataError(
            f"{manifest.path} is not what it was when the search was started or resumed, or not the same on this"
            " machine: restore it, or fork the search (expander fork)"
        )
    others = [
        _name(manifest.videos[place])
        for place, (size, digest) in expected.sample.items()
        if (found := look(manifest.videos[place].path)) != ABSENT
        and (found, digest_of(manifest.videos[place].path)) not in ((size, digest), (size, None))
    ]
    if others:
        raise DataError(
            f"{manifest.path}: {len(others)} of {len(expected.sample)} files looked at are others than when the search"
            f" was started or resumed, or than on its coordinator's machine: {', '.join(others[:NAMED])}. Restore them,"
            " or fork the search (expander fork)"
        )


def digest_of(path: Path) -> str | None:
    """Sixteen hexadecimal digits of the ends of a file; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            digest.update(file.read(END_BYTES))
            end = file.seek(0, os.SEEK_END)
            file.seek(max(END_BYTES, end - END_BYTES))
            digest.update(file.read(END_BYTES))
    except OSError:
        return None
    return digest.hexdigest()[:16]


def _sizes(paths: Sequence[Path]) -> list[int]:
    return [look(path) for path in paths]


def look(path: Path) -> int:
    """The size of a file in bytes; ABSENT where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ABSENT
    return found.st_size if stat.S_ISREG(found.st_mode) else ABSENT


def _content(place: int, recorded: FileList, now: FileList) -> str:
    if place not in recorded.sample:
        return "but it could not be read when it was recorded"
    return "with other content" if place in now.sample else "but it cannot be read now"


def _size(size: int) -> str:
    return "absent" if size == ABSENT else f"{size:,} bytes"


def _name(video: Video) -> str:
    return video.name or video.path.as_posix()
