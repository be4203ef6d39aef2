"""Pictures in the size that a network sees."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def scaled(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3): `picture` in that size; bilinear, each pixel the mean of all that it covers."""
    if picture.shape[:2] == (height, width):
        return picture
    rows, columns, channels = picture.shape
    # With the strides of a batch, which one picture has not by itself: else torch takes the path for channels that come
    # first, at twice the time.
    strides = rows * columns * channels, 1, columns * channels, channels
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).as_strided((1, channels, rows, columns), strides)
    small = torch.nn.functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    found: NDArray[np.uint8] = small[0].movedim(0, -1).numpy()
    return found


def shorter_side_scaled(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`picture` with a shorter side of `side` pixels, and as wide or as high as it was beside it."""
    shorter = min(picture.shape[:2])
    height, width = (max(side, round(each * side / shorter)) for each in picture.shape[:2])
    return scaled(picture, height, width)


def mirrored(pixels: Tensor) -> Tensor:
    """(..., W, 3) pixels, from right to left."""
    # As channels before pixels, for which torch has a path of its own: 14 times as fast as numpy.
    return pixels.movedim(-1, 1).flip(-1).movedim(1, -1).contiguous()
