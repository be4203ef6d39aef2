"""Frames as RGB pixels, and of a part of them only where no more is wanted."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

# Above, left, height and width in pixels of the picture, after its rotation.
Box = tuple[int, int, int, int]
# The box that is wanted of a picture of so much height and width.
BoxOf = Callable[[int, int], Box]
# Sizes for which what turns them to RGB is kept; setting it up takes 25 µs, and some 30 KB.
KEPT = 64
# A part of these has the pixels of the whole, bit by bit: swscale takes each square of four by itself, and in even
# pictures only. Planes, each with how many pixels of the picture share one of its own, each way.
SQUARES = {"yuv420p": (1, 2, 2), "yuvj420p": (1, 2, 2)}


class Converter:
    """Turns frames to RGB. One for all frames of a video, or of many: what a size needs is set up once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, str], VideoReformatter] = {}

    def picture(self, frame: av.VideoFrame, box: Box | None = None) -> NDArray[np.uint8]:
        """(H, W, 3) pixels of `frame`, or of `box` in it, turned as its rotation says; raises what PyAV raises."""
        turns = round(frame.rotation / 90) % 4
        if box is not None and not turns and frame.format.name in SQUARES and not (frame.width | frame.height) & 1:
            return self._of_part(frame, box)
        whole = np.rot90(self._rgb(frame), turns)
        if box is None:
            return whole
        y, x, height, width = box
        return whole[y : y + height, x : x + width]

    def _of_part(self, frame: av.VideoFrame, box: Box) -> NDArray[np.uint8]:
        y, x, height, width = box
        top, left = y & ~1, x & ~1
        rows, columns = y + height + 1 & ~1, x + width + 1 & ~1
        part = av.VideoFrame(columns - left, rows - top, frame.format.name)
        part.colorspace, part.color_range = frame.colorspace, frame.color_range
        for shared, plane, target in zip(SQUARES[frame.format.name], frame.planes, part.planes, strict=True):
            cut = rows_of(plane)[top // shared : rows // shared, left // shared : columns // shared]
            rows_of(target)[: cut.shape[0], : cut.shape[1]] = cut
        y, x = y - top, x - left
        return self._rgb(part)[y : y + height, x : x + width]

    def _rgb(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        size = frame.width, frame.height, frame.format.name
        if size not in self._kept:
            if len(self._kept) == KEPT:
                self._kept.clear()
            self._kept[size] = VideoReformatter()
        # By default swscale starts a pool of threads for each size: four times slower, and for some formats not even
        # the same pixels each time.
        rgb = self._kept[size].reformat(
            frame, frame.width, frame.height, "rgb24", interpolation=Interpolation.BILINEAR, threads=1
        )
        return rows_of(rgb.planes[0])[:, : 3 * rgb.width].reshape(rgb.height, rgb.width, 3)


def shape_of(frame: av.VideoFrame) -> tuple[int, int]:
    """Height and width of the picture that a frame holds, after its rotation."""
    return (frame.width, frame.height) if round(frame.rotation / 90) % 2 else (frame.height, frame.width)


def rows_of(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """The bytes of a plane, row by row, with what pads them."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
