"""Clips to train on and views to test from (Sec. 4): which frames, which crop, and their pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from expander.axis import round_half_up
from expander.efficientnet3d import AnyGeometry
from expander.recipe import Recipe, ShortVideos
from expander.trial import Views, shorter_side
from trainers.data.converter import Box
from trainers.data.decode import SECONDS_PER_VIDEO, DamagedVideo
from trainers.data.frames import AnyReader, open_video
from trainers.data.manifest import Manifest, Video
from trainers.data.pictures import mirrored, scaled, shorter_side_scaled
from trainers.data.video_index import TOLERANCE, VideoIndex

# Of each channel, over pixels in [0, 1].
MEAN = 0.45
STD = 0.225
# About 50 MB of indexes of ten-second videos.
INDEXES_KEPT = 4096
# Frames of a training clip that are scaled together: what a processor's cache holds of them.
CROPS_AT_ONCE = 4


@dataclass(frozen=True, eq=False)
class Clip:
    """One training clip. pixels: uint8 (T, S, S, 3). index: its video's place in the manifest. times: (T,) seconds of
    its frames from the video's first."""

    pixels: Tensor
    label: int
    index: int
    times: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class ViewedVideo:
    """A video with all that it is scored from, for one or for several Views.

    pixels: uint8 (N, T, S, S, 3) for each size of crop; no clip stands there twice. rows: for each of the Views, which
    of `pixels` holds them, and their rows there (V,), clip by clip and each from left to right.
    """

    pixels: tuple[Tensor, ...]
    rows: tuple[tuple[int, Tensor], ...]
    label: int
    index: int


@dataclass(frozen=True)
class Damaged:
    """What stands in for a video that cannot be read. reason: one line for people."""

    path: str
    reason: str
    index: int


class TrainingClips(Dataset[Clip | Damaged]):
    """One random clip of a video: shorter side uniform in `recipe.scale_jitter` x crop, random crop, mirrored half the
    time where the recipe flips. The crop is cut from the frames, in whole pixels of theirs, and scaled then.

    Without state: a clip follows from the seed, the epoch and the video's place in the manifest alone, in any process.
    Both are its key, so that one loader serves every epoch and its processes keep the indexes of the videos. seconds:
    time limit of each video.
    """

    def __init__(
        self,
        manifest: Manifest,
        geometry: AnyGeometry,
        recipe: Recipe,
        seed: int,
        seconds: float = SECONDS_PER_VIDEO,
    ) -> None:
        self.manifest = manifest
        self.geometry = geometry
        self.recipe = recipe
        self.seed = seed
        self._indexes = Indexes(seconds)

    def __getitem__(self, key: tuple[int, int]) -> Clip | Damaged:
        epoch, index = key
        video = self.manifest.videos[index]
        try:
            pixels, times = self._pixels(video, np.random.default_rng((self.seed, epoch, index)))
        except DamagedVideo as damaged:
            return Damaged(str(video.path), damaged.reason, index)
        return Clip(pixels, video.label, index, times)

    def _pixels(self, video: Video, random: np.random.Generator) -> tuple[Tensor, tuple[float, ...]]:
        start, jitter, top, left, mirror = random.random(5)
        crop = self.geometry.crop
        low, high = self.recipe.scale_jitter
        side = max(crop, round_half_up((low + jitter * (high - low)) * crop))
        with self._indexes.reader(video.path) as reader:
            short = self.recipe.short_videos
            begin = random_start(reader.index, self.geometry, start, short)
            numbers = clip_frames(reader.index, self.geometry, begin, short)
            shown = sorted(set(numbers.tolist()))
            crops = _Crops(len(shown), crop, side, (top, left), self.recipe.flip and mirror < 0.5)
            for part in reader.parts(shown, crops.box):
                crops.take(part)
            times = tuple(reader.index.times[numbers].tolist())
        clip = crops.finish()
        if shown != numbers.tolist():
            clip = clip[[shown.index(number) for number in numbers.tolist()]]
        return torch.from_numpy(clip), times


class _Crops:
    """A square of each frame of a clip, scaled to `crop` pixels a side: what a crop takes of a shorter side of `side`.

    place: its upper left corner, one for all frames, in shares of what is left beside it, as a frame may differ from
    the others in size. mirror: from right to left.
    """

    def __init__(self, count: int, crop: int, side: int, place: tuple[float, float], mirror: bool) -> None:
        self._count, self._crop, self._side, self._place, self._mirror = count, crop, side, place, mirror
        self._pixels = np.empty((0, crop, crop, 3), np.uint8)
        self._done = 0
        # Squares that are cut and not yet scaled, of one size.
        self._cut = np.empty((CROPS_AT_ONCE, 0, 0, 3), np.uint8)
        self._waiting = 0

    def box(self, height: int, width: int) -> Box:
        """What to cut of a frame of that size."""
        shorter = min(height, width)
        side = min(shorter, max(1, round_half_up(self._crop * shorter / self._side)))
        y, x = (int(at * (size - side + 1)) for at, size in zip(self._place, (height, width), strict=True))
        return y, x, side, side

    def take(self, part: NDArray[np.uint8]) -> None:
        """Add the square of the next frame, (H, H, 3)."""
        side = len(part)
        if self._waiting == CROPS_AT_ONCE or side != self._cut.shape[1]:
            self._scale()
        if side != self._cut.shape[1]:
            self._cut = np.empty((CROPS_AT_ONCE, side, side, 3), np.uint8)
        self._cut[self._waiting] = part
        self._waiting += 1

    def finish(self) -> NDArray[np.uint8]:
        """(T, crop, crop, 3)."""
        self._scale()
        return self._pixels

    def _scale(self) -> None:
        if not self._waiting:
            return
        small = scaled(self._cut[: self._waiting], self._crop, self._crop)
        if self._mirror:
            small = mirrored(small)
        if len(small) == self._count:
            self._pixels = small
            return
        if self._done == 0:
            self._pixels = np.empty((self._count, self._crop, self._crop, 3), np.uint8)
        self._pixels[self._done : self._done + self._waiting] = small
        self._done, self._waiting = self._done + self._waiting, 0


class TestViews(Dataset[ViewedVideo | Damaged]):
    """Every video with its views: clips evenly spread from its start to its end, shorter side 128 γs.

    'center': one centre crop of 112 γs each; 'left-center-right': three of 128 γs along the longer side. A video
    is decoded once for all of `views`. Where one of them cannot be had it is damaged for all: they are to be compared.
    short_videos: as in the recipe. seconds: time limit of each video.
    """

    __test__ = False  # no test class, for pytest

    def __init__(
        self,
        manifest: Manifest,
        geometry: AnyGeometry,
        views: Sequence[Views],
        short_videos: ShortVideos = "loop",
        seconds: float = SECONDS_PER_VIDEO,
    ) -> None:
        self.manifest = manifest
        self.geometry = geometry
        self.views = tuple(views)
        self.short_videos = short_videos
        self.side = shorter_side(geometry.crop)
        self._indexes = Indexes(seconds)

    def __len__(self) -> int:
        return len(self.manifest.videos)

    def __getitem__(self, index: int) -> ViewedVideo | Damaged:
        video = self.manifest.videos[index]
        try:
            pixels, rows = self._pixels(video)
        except DamagedVideo as damaged:
            return Damaged(str(video.path), damaged.reason, index)
        return ViewedVideo(pixels, rows, video.label, index)

    def _pixels(self, video: Video) -> tuple[tuple[Tensor, ...], tuple[tuple[int, Tensor], ...]]:
        """`pixels` and `rows` of a ViewedVideo."""
        kinds = list(dict.fromkeys(views.crops for views in self.views))
        with self._indexes.reader(video.path) as reader:
            frames = [self._spread(reader.index, views.clips) for views in self.views]
            places = [kinds.index(views.crops) for views in self.views]
            shots = [
                _Shots(kind, self.geometry, [clips for clips, place in zip(frames, places, strict=True) if place == at])
                for at, kind in enumerate(kinds)
            ]
            for number, frame in reader.frames(np.concatenate([shot.numbers.ravel() for shot in shots])):
                picture = shorter_side_scaled(reader.picture(frame), self.side)
                for shot in shots:
                    shot.take(number, picture)
        rows = [(place, shots[place].rows(clips)) for clips, place in zip(frames, places, strict=True)]
        return tuple(torch.from_numpy(shot.pixels.reshape(-1, *shot.pixels.shape[2:])) for shot in shots), tuple(rows)

    def _spread(self, index: VideoIndex, clips: int) -> NDArray[np.int64]:
        """(K, T) numbers of the frames of K clips evenly spread."""
        starts = spread_starts(index, self.geometry, clips)
        return np.stack([clip_frames(index, self.geometry, start, self.short_videos) for start in starts])


class _Shots:
    """The different clips among several lists of them, each as frame numbers (K, T), and their crops of one kind.

    numbers: (N, T). pixels: uint8 (N, crops of a clip, T, S, S, 3), filled frame by frame.
    """

    def __init__(self, kind: str, geometry: AnyGeometry, clips: Sequence[NDArray[np.int64]]) -> None:
        self.kind = kind
        self.crop = geometry.crop if kind == "center" else shorter_side(geometry.crop)
        self.crops = 1 if kind == "center" else 3
        self.numbers = np.unique(np.concatenate(clips), axis=0)
        self.pixels = np.empty((len(self.numbers), self.crops, geometry.frames, self.crop, self.crop, 3), np.uint8)

    def take(self, number: int, picture: NDArray[np.uint8]) -> None:
        """Put the crops of frame `number`, (H, W, 3), wherever it is shown."""
        places = self.numbers == number
        for position, (y, x) in enumerate(self._corners(*picture.shape[:2])):
            self.pixels[:, position][places] = picture[y : y + self.crop, x : x + self.crop]

    def rows(self, clips: NDArray[np.int64]) -> Tensor:
        """Where the crops of `clips` are among those of all, clip by clip: (V,)."""
        found = (clips[:, None] == self.numbers).all(-1).argmax(1)
        return torch.from_numpy((found[:, None] * self.crops + np.arange(self.crops)).ravel())

    def _corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Upper left pixel (y, x) of each crop."""
        y, x = (height - self.crop) // 2, (width - self.crop) // 2
        if self.kind == "center":
            return [(y, x)]
        if height > width:
            return [(0, x), (y, x), (height - self.crop, x)]
        return [(y, 0), (y, x), (y, width - self.crop)]


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (..., T, S, S, 3) to float32 (..., 3, T, S, S) of about zero mean and unit variance.

    The channels stay last in memory: a batch of clips comes out in `torch.channels_last_3d`.
    """
    return pixels.float().mul_(1 / (255 * STD)).sub_(MEAN / STD).movedim(-1, -4)


def clip_frames(
    index: VideoIndex, geometry: AnyGeometry, start: float, short_videos: ShortVideos = "loop"
) -> NDArray[np.int64]:
    """(T,) numbers of the frames shown at start + k x stride / nominal rate; beyond the end as `short_videos` says."""
    times = start + np.arange(geometry.frames) * ((geometry.stride or 0) * index.spacing)
    return index.shown(times, short_videos)


def random_start(index: VideoIndex, geometry: AnyGeometry, share: float, short_videos: ShortVideos = "loop") -> float:
    """Seconds at which the clip starts: `share` in [0, 1) picks a frame of those from which it fits.

    Where it fits from none, one of all in a video that loops; one that holds its last frame is shown from its first.
    """
    latest = _latest_start(index, geometry)
    fitting = int(np.searchsorted(index.times, latest + TOLERANCE * index.spacing, side="right"))
    choices = fitting or (len(index.times) if short_videos == "loop" else 1)
    return float(index.times[int(share * choices)])


def spread_starts(index: VideoIndex, geometry: AnyGeometry, clips: int) -> NDArray[np.float64]:
    """(K,) seconds: the first clip begins with the video and the last ends with it; a single one is in the middle."""
    latest = max(0.0, _latest_start(index, geometry))
    return np.linspace(0, latest, clips) if clips > 1 else np.array([latest / 2])


def _latest_start(index: VideoIndex, geometry: AnyGeometry) -> float:
    return index.latest_start(geometry.frames, geometry.stride or 0)


class Indexes:
    """The indexes of the videos read last, so that the next epoch spares the pass over their packets."""

    def __init__(self, seconds: float = SECONDS_PER_VIDEO) -> None:
        self._seconds = seconds
        self._kept: OrderedDict[Path, VideoIndex] = OrderedDict()

    @contextmanager
    def reader(self, path: Path) -> Iterator[AnyReader]:
        """An open reader of the video; raises DamagedVideo."""
        with open_video(path, self._kept.get(path), self._seconds) as reader:
            try:
                yield reader
            finally:
                # A reader learns of its video as it reads.
                self._kept[path] = reader.index
                self._kept.move_to_end(path)
                if len(self._kept) > INDEXES_KEPT:
                    self._kept.popitem(last=False)
