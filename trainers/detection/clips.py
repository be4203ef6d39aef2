"""Clips centred at key frames, with the boxes of their persons in pixels of the clip (Sec. 5, A.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from expander.axis import round_half_up
from expander.efficientnet3d import AnyGeometry
from expander.recipe import Recipe
from expander.trial import shorter_side
from trainers.data.ava import Sample
from trainers.data.clips import Damaged, Indexes
from trainers.data.decode import SECONDS_PER_VIDEO, DamagedVideo
from trainers.data.frames import AnyReader
from trainers.data.pictures import shorter_side_scaled
from trainers.data.video_index import VideoIndex


@dataclass(frozen=True, eq=False)
class KeyFrameClip:
    """A clip around a key frame. pixels: uint8 (T, H, W, 3). boxes: (R, 4) as x1, y1, x2, y2 in its pixels.

    persons: (R,) places of the boxes among the sample's persons; those of which the clip shows nothing are left out.
    index: the sample's place.
    """

    pixels: Tensor
    boxes: Tensor
    persons: Tensor
    index: int


@dataclass(frozen=True)
class KeyFrames:
    """The samples of a split, and the path of the video of each. start: AVA's second at which the files begin."""

    samples: Sequence[Sample]
    paths: Sequence[Path]
    start: float = 0.0


class TrainingKeyFrames(Dataset[KeyFrameClip | Damaged]):
    """Shorter side uniform in `recipe.scale_jitter` x crop, random crop, mirrored half the time where the recipe flips.

    Without state: a clip follows from the seed and its key (epoch, place of the sample) alone, in any process.
    """

    def __init__(self, frames: KeyFrames, geometry: AnyGeometry, recipe: Recipe, seed: int) -> None:
        self.frames = frames
        self.geometry = geometry
        self.recipe = recipe
        self.seed = seed
        self._indexes = Indexes(SECONDS_PER_VIDEO)

    def __getitem__(self, key: tuple[int, int]) -> KeyFrameClip | Damaged:
        epoch, index = key
        jitter, top, left, mirror = np.random.default_rng((self.seed, epoch, index)).random(4)
        crop, (low, high) = self.geometry.crop, self.recipe.scale_jitter
        side = max(crop, round_half_up((low + jitter * (high - low)) * crop))
        try:
            pictures = _pictures(self._indexes, self.frames, index, self.geometry, side)
        except DamagedVideo as damaged:
            return Damaged(str(damaged.path), damaged.reason, index)
        y, x = (int(at * (size - crop + 1)) for at, size in zip((top, left), pictures.shape[1:3], strict=True))
        clip = _cropped(pictures, self.frames.samples[index], index, (y, x, crop, crop))
        return _mirrored(clip) if self.recipe.flip and mirror < 0.5 else clip


class TestKeyFrames(Dataset[KeyFrameClip | Damaged]):
    """Shorter side 128 γs; the centre crop of 128 γs (Sec. 5), or the whole frame, as the detectors before it take."""

    __test__ = False  # no test class, for pytest

    def __init__(self, frames: KeyFrames, geometry: AnyGeometry, *, whole_frame: bool = False) -> None:
        self.frames = frames
        self.geometry = geometry
        self.whole_frame = whole_frame
        self._indexes = Indexes(SECONDS_PER_VIDEO)

    def __len__(self) -> int:
        return len(self.frames.samples)

    def __getitem__(self, index: int) -> KeyFrameClip | Damaged:
        side = shorter_side(self.geometry.crop)
        try:
            pictures = _pictures(self._indexes, self.frames, index, self.geometry, side)
        except DamagedVideo as damaged:
            return Damaged(str(damaged.path), damaged.reason, index)
        height, width = pictures.shape[1:3]
        window = (0, 0, height, width)
        if not self.whole_frame:
            window = ((height - side) // 2, (width - side) // 2, side, side)
        return _cropped(pictures, self.frames.samples[index], index, window)


def centred_frames(index: VideoIndex, geometry: AnyGeometry, seconds: float) -> NDArray[np.int64]:
    """(T,) numbers of the frames around the one shown at `seconds`, which is the clip's frame T // 2, a stride apart.

    Times before the first or after the last frame show that frame.
    """
    steps = np.arange(geometry.frames) - geometry.frames // 2
    times = seconds + steps * ((geometry.stride or 0) * index.spacing)
    return index.shown(np.clip(times, 0, index.times[-1]))


def _pictures(indexes: Indexes, frames: KeyFrames, place: int, geometry: AnyGeometry, side: int) -> NDArray[np.uint8]:
    """(T, H, W, 3): the whole frames of a sample's clip, the shorter of H and W being `side`. Raises DamagedVideo."""
    path, (_, second) = frames.paths[place], frames.samples[place].key
    with indexes.reader(path) as reader:
        seconds = _seconds(reader, second, frames.start)
        numbers = centred_frames(reader.index, geometry, seconds)
        pictures: NDArray[np.uint8] | None = None
        for number, frame in reader.frames(numbers):
            picture = shorter_side_scaled(reader.picture(frame), side)
            if pictures is None:
                pictures = np.empty((len(numbers), *picture.shape), dtype=np.uint8)
            if picture.shape != pictures.shape[1:]:
                raise DamagedVideo(path, f"its frames change in shape around second {second}: boxes have no place then")
            pictures[numbers == number] = picture
    assert pictures is not None
    return pictures


def _seconds(reader: AnyReader, second: int, start: float) -> float:
    """The key frame's time in the file."""
    seconds, end = second - start, reader.index.duration
    # The last frame of a file that was cut at the second itself is a little before it.
    if not 0 <= seconds <= end + reader.index.spacing:
        begins = f", and the file begins at {start:g} s of them" if start else ""
        raise DamagedVideo(
            reader.path, f"lasts {end:.2f} s: it has no key frame at second {second}{begins} (see --video-start)"
        )
    return seconds


def _cropped(
    pictures: NDArray[np.uint8], sample: Sample, index: int, window: tuple[int, int, int, int]
) -> KeyFrameClip:
    """The window (top, left, height, width) of the pictures, and the boxes as far as they are in it."""
    y, x, height, width = window
    shares = np.asarray([person.box for person in sample.persons], dtype=np.float64).reshape(-1, 4)
    sizes = np.asarray([pictures.shape[2], pictures.shape[1]] * 2, dtype=np.float64)
    boxes = np.clip(shares * sizes - [x, y, x, y], 0, [width, height, width, height])
    shown = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(1))
    pixels = torch.from_numpy(np.ascontiguousarray(pictures[:, y : y + height, x : x + width]))
    return KeyFrameClip(pixels, torch.from_numpy(boxes[shown]).float(), torch.from_numpy(shown), index)


def _mirrored(clip: KeyFrameClip) -> KeyFrameClip:
    width = clip.pixels.shape[2]
    x1, y1, x2, y2 = clip.boxes.unbind(1)
    boxes = torch.stack([width - x2, y1, width - x1, y2], 1)
    return KeyFrameClip(clip.pixels.flip(2), boxes, clip.persons, clip.index)
