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


def _pixels(picture: av.VideoFrame, halved: bool) -> NDArray[np.uint8]:
    """(H, W, 4) of luma, both chroma and nothing, as Pillow takes them: of each pixel, where libjpeg takes the mean of
    each four."""
    luma, blue, red = (rows_of(plane)[:, : plane.width] for plane in picture.planes)
    pixels = luma.astype("<u4")
    if halved:
        # Two pixels in each number, which share their chroma with the two below.
        chroma = (blue | np.left_shift(red, 8, dtype="<u2")).astype("<u8") * 0x0000_0100_0000_0100
        pairs = pixels.view("<u8").reshape(len(chroma), 2, -1)
        pairs |= chroma[:, None]
    else:
        pixels |= np.left_shift(blue, 8, dtype="<u4") | np.left_shift(red, 16, dtype="<u4")
    return pixels.view(np.uint8).reshape(*luma.shape, 4)
