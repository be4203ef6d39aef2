"""JPEG pictures of which any part can be decoded alone (see jpeg.py): FFmpeg's encoder cannot write them."""

from __future__ import annotations

import io

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
    # FFmpeg has steps shorter by a twentieth and rounds them down in part: the error is the same. Those of the means
    # are of one length at every quality.
    table = [MATRIX[0], *(min(255, max(1, round(step * quantiser * 1.05 / 8))) for step in MATRIX[1:])]
    lines = _lines(picture)
    image = Image.frombuffer("YCbCr", (picture.width, picture.height), lines, "raw", "YCbCr;L", 0, 1)
    content = io.BytesIO()
    halved = picture.format.name == "yuvj420p"
    try:
        # The Huffman tables of the standard, so that pictures can be joined; their own would spare 4 to 7 %.
        image.save(
            content, "JPEG", qtables=[table], subsampling=2 if halved else 0, restart_marker_blocks=1 if halved else 0
        )
    except OSError as error:
        raise ValueError(f"{picture.width} x {picture.height} pixels: {error}") from error
    return content.getvalue()


def _lines(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """(H, 3, W) of all three components, as Pillow takes them: with chroma for every pixel. libjpeg takes the mean of
    each four that are the same."""
    lines = np.empty((picture.height, 3, picture.width), np.uint8)
    for component, plane in enumerate(picture.planes):
        samples = rows_of(plane)[:, : plane.width]
        if plane.width < picture.width:
            samples = np.multiply(samples, 0x0101, dtype=np.uint16).view(np.uint8)
            lines[0::2, component] = lines[1::2, component] = samples
        else:
            lines[:, component] = samples
    return lines
