"""The frames of a video, known from its packets before any is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from expander.recipe import ShortVideos

# Time stamps are rounded (to 1/1000 s in Matroska, to 1/100 s in GIF): a frame is shown from a quarter of the nominal
# spacing before its time stamp on.
TOLERANCE = 0.25


@dataclass(frozen=True)
class Look:
    """What all frames of a video have in common. colorspace, color_range: as FFmpeg numbers them."""

    width: int
    height: int
    format: str
    colorspace: int
    color_range: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the P packets of a file lie, so that a decoder can be fed without the container.

    places, sizes: (P,) bytes of each, in the order of the file. optional: (P,) whether no other frame needs it. header:
    what the decoder is set up with. file: bytes and time of change (ns) of the file. look: of its frames, once one was
    decoded through the container; None before, or where that does more to them than a decoder.
    """

    places: NDArray[np.int64]
    sizes: NDArray[np.int32]
    optional: NDArray[np.bool_]
    header: bytes
    file: tuple[int, int]
    look: Look | None = None


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """What a video's packets say of its N frames, before any is decoded.

    times: (N,) seconds from the first frame, increasing. spacing: nominal seconds between frames: the median, with the
    rounding of time stamps averaged out. width, height: pixels as coded, before a rotation. keys: (K,) numbers of the
    frames from which decoding can begin. packets: (N,) position in the file of each frame's packet. stamps: time stamp
    of each packet, in the order of the file. stamped: False where these are not the times of the frames (raw streams;
    AVI with B-frames); frames are then counted from the first. unit: seconds of one time stamp. pixel_aspect: width of
    a pixel in its heights, as the file says; pictures are read without regard to it. layout: of H.264 in MP4, where
    packets lie in the file as they are decoded.
    """

    times: NDArray[np.float64]
    spacing: float
    width: int
    height: int
    keys: NDArray[np.int64]
    packets: NDArray[np.int64]
    stamps: NDArray[np.int64]
    stamped: bool
    unit: Fraction
    pixel_aspect: Fraction
    layout: Layout | None = field(default=None, kw_only=True)

    @property
    def rate(self) -> float:
        """Nominal frames per second."""
        return 1 / self.spacing

    @property
    def duration(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return float(self.times[-1]) + self.spacing

    def latest_start(self, frames: int, stride: int) -> float:
        """Seconds at which a clip can start at the latest; negative (by more than a rounding of time stamps) where it
        is longer than the video."""
        return float(self.times[-1]) - (frames - 1) * stride * self.spacing

    def shown(self, seconds: NDArray[np.floating], after_end: ShortVideos = "loop") -> NDArray[np.int64]:
        """Number of the frame shown at each time; at its end a video begins anew, or holds its last frame."""
        times = seconds + TOLERANCE * self.spacing
        if after_end == "loop":
            times = np.mod(times, self.duration)
        shown: NDArray[np.int64] = np.searchsorted(self.times, times, side="right") - 1
        return shown

    def runs(self, numbers: Sequence[int]) -> list[tuple[int, int]]:
        """First and last packet of each part of the file that holds all that these frames (increasing) need."""
        runs: list[tuple[int, int]] = []
        keys = self.keys[np.searchsorted(self.keys, numbers, side="right") - 1]
        for first, last in zip(self.packets[keys].tolist(), self.packets[numbers].tolist(), strict=True):
            if last < first:  # the file breaks the rule that a frame shown after a key frame comes after it
                first = int(self.packets[0])
            if runs and first <= runs[-1][1] + 1:
                runs[-1] = (min(first, runs[-1][0]), max(last, runs[-1][1]))
            else:
                runs.append((first, last))
        return runs


def index_of(
    stamps: list[int | None],
    keys: list[int],
    hidden: list[int],
    stream: av.VideoStream,
    container: str,
    layout: Layout | None = None,
) -> VideoIndex:
    """The index of a stream's packets, of which there is at least one.

    stamps: presentation time stamp of each packet in the order of the file, in the stream's time base; None where a
    packet has none. keys, hidden: positions of the key packets, and of those that are never shown. container: the
    name of the format.
    """
    keys = keys or [0]  # intra refresh: no packet is marked, and the decoder begins anywhere
    complete = None not in stamps
    file_stamps = np.array(stamps if complete else range(len(stamps)), dtype=np.int64)
    # AVI holds no presentation times: with B-frames the time stamps are those of other frames.
    stamped = complete and not (container == "avi" and stream.codec_context.has_b_frames)
    shown = np.ones(len(stamps), dtype=bool)
    shown[hidden] = False
    # What comes before the first key frame, in the file or on the screen, has no beginning.
    shown[: keys[0]] = False
    shown &= file_stamps >= file_stamps[keys[0]]
    candidates = np.flatnonzero(shown if shown.any() else np.ones_like(shown))
    ordered, first_of = np.unique(file_stamps[candidates], return_index=True)
    packets = candidates[first_of]
    unit = stream.time_base if complete and stream.time_base else 1 / _header_rate(stream)
    times = (ordered - ordered[0]) * float(unit)
    is_key = np.zeros(len(stamps), dtype=bool)
    is_key[keys] = True
    is_key[packets[0]] = True
    return VideoIndex(
        times=times,
        spacing=_spacing(times, float(_header_rate(stream))),
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        keys=np.flatnonzero(is_key[packets]),
        packets=packets,
        stamps=file_stamps,
        stamped=stamped,
        unit=unit,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        layout=layout if stamped and not hidden else None,
    )


def _header_rate(stream: av.VideoStream) -> Fraction:
    return stream.average_rate or stream.guessed_rate or Fraction(25)


def _spacing(times: NDArray[np.float64], header_rate: float) -> float:
    gaps = np.diff(times)
    if not len(gaps):
        return 1 / header_rate
    median = np.median(gaps)
    return float(gaps[np.abs(gaps - median) <= median / 2].mean())
