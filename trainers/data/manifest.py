"""The list of videos and their labels, in whichever form people have it, and the fingerprint that names it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expander.errors import ManifestError
from expander.trial import content_id
from trainers.data.annotations import read_annotations
from trainers.data.entries import Listing, report

# Some videos of a list are always missing; when the first hundred are, the root is wrong.
VIDEOS_PROBED = 100


@dataclass(frozen=True)
class Video:
    """One video. name: what the manifest calls it, the same on every machine. where: its line or key there."""

    path: Path
    label: int
    name: str = ""
    where: str = ""


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read. classes: the name of each label; the label itself where the manifest holds numbers.
    form: what the file or folder was recognised as."""

    path: Path
    videos: tuple[Video, ...]
    classes: tuple[str, ...]
    form: str = ""


@dataclass(frozen=True)
class ManifestSource:
    """Where a manifest is and where its videos are: below the root, by default its own folder, unless `outside_root`.

    Its form is told by its content:

    - `path label` or `path,label` lines; the label is after the last white space or comma, the path may be quoted.
    - Kinetics' csv (label, youtube_id, time_start, time_end) or json; its videos are `<id>_<start>_<end>.mp4` (times in
      six digits; .mkv, .webm and .avi too) or `<id>.mp4`, in the root or in a folder of it named by the label.
    - Something-Something v2's json, its labels.json beside it; the videos are `<id>.webm` or `<id>.mp4`.
    - UCF101's trainlist01.txt and testlist01.txt, with classInd.txt beside them.
    - HMDB51's splits: `<folder>/train_split1.txt` or `test_split1.txt` stands for all its `*_test_split1.txt`.
    - A folder with one folder of videos for each class; the root is not used then.
    """

    path: Path
    root: Path | None = None
    outside_root: bool = False

    def read(self) -> Manifest:
        """The manifest. Raises ManifestError with every mistake of the file, or when its videos are not at the root."""
        return _manifest(self, self.listing(), classes=None)

    def listing(self) -> Listing:
        """What it lists, with labels as it writes them. Raises ManifestError with every mistake of the file."""
        return read_annotations(self.path, self.root, outside_root=self.outside_root)


def read_pair(train: ManifestSource, val: ManifestSource) -> tuple[Manifest, Manifest]:
    """Both manifests with one list of classes, that of `train`. Raises ManifestError as `read` does, and for a class of
    `val` that `train` lacks."""
    train_listing, val_listing = (each.listing() for each in (train, val))
    if train_listing.named != val_listing.named:
        numbers, names = (val, train) if train_listing.named else (train, val)
        raise ManifestError(
            f"{numbers.path} has numbers for labels and {names.path} has names; use one form for both manifests"
            f" (train was read as {train_listing.form}, val as {val_listing.form})"
        )
    classes = train_listing.classes()
    return _manifest(train, train_listing, classes), _manifest(val, val_listing, classes, train.path)


def check_classes(manifest: Manifest, classes: int) -> None:
    """Raises ManifestError for labels that a network of `classes` classes has no output for."""
    mistakes = [
        f"{video.where}: label {_shown(manifest, video.label)}" for video in manifest.videos if video.label >= classes
    ]
    if mistakes:
        limit = f"the network has {classes} classes, so labels go from 0 to {classes - 1}"
        advice = f"{limit}; correct the label, or set basis.classes in the search space"
        raise ManifestError(report(manifest.path, [f"{mistake}; {advice}" for mistake in mistakes], manifest.form))


@dataclass(frozen=True)
class ManifestSummary:
    """A manifest's content: number of videos, number of classes, SHA-256 of its `name label` lines."""

    videos: int
    classes: int
    sha256: str


@dataclass(frozen=True)
class FilesSummary:
    """What a look at the files of a manifest found: bytes of all, how many are absent, and a digest that names it."""

    bytes: int
    absent: int
    digest: str


@dataclass(frozen=True)
class DataFingerprint:
    """Names the data of a search: the same lists of the same files have the same id at any root.

    files: of both manifests, None where they have not been looked at, as by earlier versions.
    """

    id: str
    train: ManifestSummary
    val: ManifestSummary
    files: tuple[FilesSummary, FilesSummary] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `from_dict` reads them back."""
        values = {"id": self.id, "train": vars(self.train).copy(), "val": vars(self.val).copy()}
        if self.files is not None:
            values["files"] = dict(zip(("train", "val"), (vars(each).copy() for each in self.files), strict=True))
        return values

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> DataFingerprint:
        """The fingerprint that `as_dict` wrote."""
        train, val = ManifestSummary(**values["train"]), ManifestSummary(**values["val"])
        files = values.get("files")
        looked = None if files is None else (FilesSummary(**files["train"]), FilesSummary(**files["val"]))
        return DataFingerprint(values["id"], train, val, looked)

    def with_files(self, train: FilesSummary, val: FilesSummary) -> DataFingerprint:
        """The same lists with what was found of their files, under the id of both."""
        named = [vars(self.train), vars(self.val), [train.digest, val.digest]]
        return DataFingerprint(content_id(named), self.train, self.val, (train, val))

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
        digest.update(f"{video.name or video.path.as_posix()} {video.label}\n".encode("utf-8", "surrogateescape"))
    return ManifestSummary(len(manifest.videos), len(manifest.classes), digest.hexdigest())


def _manifest(
    source: ManifestSource, listing: Listing, classes: tuple[str, ...] | None, train: Path | None = None
) -> Manifest:
    """Labels to numbers. Labels can be outside `classes` only where these are of the manifest `train`."""
    classes = listing.classes() if classes is None else classes
    number_of = {name: number for number, name in enumerate(classes)}
    unknown = [entry for entry in listing.entries if entry.label not in number_of]
    if unknown:
        fix = f"not among the {len(classes)} classes of {train}; correct it or add its videos there"
        raise ManifestError(
            report(source.path, [f"{entry.where}: label {entry.label!r} is {fix}" for entry in unknown], listing.form)
        )
    # Normalised: what is opened must be what was found to be below the root, and '..' means elsewhere after a link.
    videos = tuple(
        Video(Path(os.path.normpath(entry.path)), number_of[entry.label], entry.name, entry.where)
        for entry in listing.entries
    )
    _check_root(source, videos, listing.form)
    return Manifest(source.path, videos, classes, listing.form)


def _check_root(source: ManifestSource, videos: Sequence[Video], form: str) -> None:
    if not any(os.path.exists(video.path) for video in videos[:VIDEOS_PROBED]):
        count = min(len(videos), VIDEOS_PROBED)
        raise ManifestError(
            f"{source.path}: read as {form}, none of its first {count} videos exists; the first was looked for at"
            f" {videos[0].path}. Set the root to the folder that the manifest's paths start from"
        )


def _shown(manifest: Manifest, label: int) -> str:
    name = manifest.classes[label] if label < len(manifest.classes) else str(label)
    return str(label) if name == str(label) else f"{label} ({name})"
