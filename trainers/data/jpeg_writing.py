"""JPEG pictures of which any part can be decoded alone (see jpeg.py): FFmpeg's encoder cannot write them."""

from __future__ import annotations

import io
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.data.converter import rows_of

# The default matrix of MPEG-1 (ISO 11172-2, 2.4.3.2), row by row, as in FFmpeg's JPEG.
MATRIX = (
    *(8, 16, 19, 22, 26, 27, 29, 34),
    *(16, 16, 22, 24, 27, 29, 34, 37),
    *(19, 22, 26, 27, 29, 34, 34, 38),
    *(22, 22, 26, 27, 29, 34, 37, 40),
    *(22, 26, 27, 29, 32, 35, 40, 48),
    *(26, 27, 29, 32, 35, 40, 48, 58),
    *(26, 27, 29, 34, 38, 46, 56, 69),
    *(27, 29, 35, 38, 46, 56, 69, 83),
)


def written(picture: av.VideoFrame, quantiser: int) -> bytes:
    """A picture of yuvj420p as JPEG with a restart marker behind each square, or one of yuvj444p without any.

    quantiser: 2 to 31, as FFmpeg's. Raises ValueError where JPEG cannot hold the picture.
    """
    halved = picture.format.name == "yuvj420p"
    image = Image.frombuffer("YCbCr", (picture.width, picture.height), _pixels(picture, halved), "raw", "YCbCrX", 0, 1)
    content = io.BytesIO()
    try:
        # With the Huffman tables of the standard, so that pictures can be joined.
        image.save(
            content,
            "JPEG",
            qtables=[_table(quantiser)],
            subsampling=2 if halved else 0,
            restart_marker_blocks=1 if halved else 0,
        )
    except OSError as error:
        raise ValueError(f"{picture.width} x {picture.height} pixels: {error}") from error
    return content.getvalue()


@cache
def _table(quantiser: int) -> list[int]:
    # FFmpeg's steps are shorter by a twentieth, and it rounds down some of what lies between: its error is the same.
    # The steps of the means are of one length at every quality.
    return [MATRIX[0], *(min(255, round(step * quantiser * 1.05 / 8)) for step in MATRIX[1:])]


def _pixels(picture: av.VideoFrame, halved: bool) -> NDArray[np.uint32]:
    """(H, W) of luma, chroma and a byte of nothing, as Pillow takes them: all for every pixel, of which libjpeg takes
    the mean of each four."""
    luma, blue, red = (rows_of(plane)[:, : plane.width] for plane in picture.planes)
    chroma = blue.astype("<u4") << 8 | red.astype("<u4") << 16
    if halved:
        twice = (chroma.astype("<u8") * 0x1_0000_0001).view("<u4")
        chroma = np.broadcast_to(twice[:, None], (len(twice), 2, picture.width))
    found: NDArray[np.uint32] = np.bitwise_or(luma.reshape(chroma.shape), chroma)
    return found.reshape(picture.height, picture.width)
