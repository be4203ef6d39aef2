"""H.264 of an MP4 that was read before: its packets go from the file to a decoder, and no container is opened.

Opening one takes as long as decoding several frames: FFmpeg reads the header, and decodes some to see what they are
like. Whatever is not as it was at the first reading is left to VideoReader, and so is all that is wrong with a file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from trainers.data.converter import BoxOf, Converter, shape_of
from trainers.data.decode import (
    MAX_PIXELS,
    SECONDS_PER_VIDEO,
    UNREADABLE,
    DamagedVideo,
    VideoReader,
    converted,
    file_stamp,
    look_of,
    planned,
    words,
)
from trainers.data.video_index import Layout, Look, VideoIndex


class PacketReader:
    """One open video, as VideoReader. file: open, and closed by this. index: with a layout, and that with a look."""

    def __init__(self, path: Path, file: int, index: VideoIndex, seconds: float) -> None:
        self.path = path
        self.index = index
        self._file = file
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        self._converter = Converter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def frames(self, numbers: Sequence[int] | NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Each frame of `numbers` once, in the order in which they are shown, with its number."""
        wanted = sorted(set(map(int, numbers)))
        done = 0
        try:
            for frame in planned(self.index, wanted, self._decode, self._check_frame):
                yield wanted[done], frame
                done += 1
        except DamagedVideo:
            self._check_time()  # all else is for the container to judge
        if done < len(wanted):
            self.index = replace(self.index, layout=None)
            with VideoReader(self.path, self.index, self._deadline - time.monotonic()) as reader:
                yield from reader.frames(wanted[done:])

    def picture(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) pixels of `frame`. Raises DamagedVideo."""
        return converted(self._converter, self.path, frame)

    def parts(self, numbers: Sequence[int] | NDArray[np.int64], box_of: BoxOf) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) pixels of a box in each frame of `numbers`, as `frames`."""
        for _, frame in self.frames(numbers):
            yield converted(self._converter, self.path, frame, box_of(*shape_of(frame)))

    def _decode(self, first: int, last: int, only: set[int]) -> Iterator[av.VideoFrame]:
        """The frames of packets `first` to `last`; others than those of time stamps `only` where these need them."""
        decoder = _decoder(*self._known())
        try:
            for packet in self._packets(first, last, only):
                yield from decoder.decode(packet)
            yield from decoder.decode(None)
        except UNREADABLE as error:
            raise DamagedVideo(self.path, words(error)) from error

    def _packets(self, first: int, last: int, only: set[int]) -> Iterator[av.Packet[av.VideoStream]]:
        layout, _ = self._known()
        columns = (self.index.stamps, layout.places, layout.sizes, layout.optional)
        keys = set(self.index.packets[self.index.keys].tolist())
        rows = zip(*(column[first : last + 1].tolist() for column in columns), strict=True)
        for position, (stamp, place, size, optional) in enumerate(rows, first):
            if optional and stamp not in only:
                continue
            self._check_time()
            packet: av.Packet[Any] = av.Packet(os.pread(self._file, size, place))
            packet.pts, packet.is_keyframe = stamp, position in keys
            yield packet

    def _known(self) -> tuple[Layout, Look]:
        layout = self.index.layout
        assert layout is not None
        assert layout.look is not None
        return layout, layout.look

    def _check_frame(self, frame: av.VideoFrame) -> None:
        if frame.is_corrupt or look_of(frame) != self._known()[1]:
            raise DamagedVideo(self.path, f"the frame with time stamp {frame.pts} is not as others were")

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise DamagedVideo(self.path, f"took more than {self._seconds:g} s to read")


def open_again(path: Path, index: VideoIndex, seconds: float = SECONDS_PER_VIDEO) -> PacketReader | None:
    """A reader of a video of which the layout and the look are known; None where the file is not the same any more."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    if index.layout is not None and file_stamp(file) == index.layout.file:
        return PacketReader(path, file, index, seconds)
    os.close(file)
    return None


def _decoder(layout: Layout, look: Look) -> av.VideoCodecContext:
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.extradata = layout.header
    decoder.thread_count, decoder.thread_type = 1, "NONE"
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    # What the container says of colours, where the stream itself says nothing.
    decoder.colorspace, decoder.color_range = look.colorspace, look.color_range
    return decoder
