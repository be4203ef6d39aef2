"""Parts of JPEG pictures, without what lies beside them: cut out of the stream before it is decoded.

Where a restart marker follows each square of 16 x 16 pixels (one minimum coded unit of 4:2:0), no square needs another
one to be decoded, and any of them, put together behind a head that tells of another size, are a JPEG picture too.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import numpy as np

from trainers.data.converter import Box

# Pixels of a square, each way.
SQUARE = 16
# A head's size is two bytes each way.
MAX_SIDE = 0xFFFF

# Markers, and the second byte of those behind the squares: of the first restart, and of the end of a picture.
_FRAME, _INTERVAL, _SCAN = 0xFFC0, 0xFFDD, 0xFFDA
_RESTART, _END = 0xD0, 0xD9
# Precision, height, width, and three components, of which the first has twice as many samples each way.
_SIZE = struct.Struct(">xHHB xBx xBx xBx")


@dataclass(frozen=True)
class Head:
    """What comes before the squares of a picture. content: the bytes. place: where in them the size stands."""

    content: bytes
    place: int
    height: int
    width: int

    @classmethod
    def of(cls, picture: bytes) -> Self | None:
        """The head of a picture; None where no part of it can be decoded alone."""
        place, size, interval = 2, None, 0
        try:
            while True:
                marker, length = struct.unpack_from(">HH", picture, place)
                if marker == _FRAME:
                    size, (height, width, *layout) = place + 5, _SIZE.unpack_from(picture, place + 4)
                    if layout != [3, 0x22, 0x11, 0x11]:
                        return None
                elif marker == _INTERVAL:
                    (interval,) = struct.unpack_from(">H", picture, place + 4)
                place += 2 + length
                if marker == _SCAN:
                    return cls(picture[:place], size, height, width) if size and interval == 1 else None
        except struct.error:
            return None

    def squares(self, box: Box) -> tuple[slice, slice]:
        """Rows and columns of the squares in which a box lies."""
        y, x, height, width = box
        return slice(y // SQUARE, -(-(y + height) // SQUARE)), slice(x // SQUARE, -(-(x + width) // SQUARE))

    def joined(self, pictures: Sequence[bytes], rows: slice, columns: slice) -> bytes:
        """One picture of those squares of each of `pictures`, one below the other.

        Raises ValueError where a picture has another head, or not a marker behind each of its squares.
        """
        if not all(picture.startswith(self.content) for picture in pictures):
            raise ValueError("its head is not that of the frames beside it")
        content = b"".join(pictures)
        limits = list(accumulate(map(len, pictures)))
        count, height, width = len(pictures), -(-self.height // SQUARE), -(-self.width // SQUARE)
        # In coded data zero follows each byte of ones, unless they are a marker.
        codes = np.frombuffer(content, np.uint8)
        markers = np.flatnonzero((codes[:-1] == 0xFF) & (codes[1:] >= _RESTART)).reshape(count, -1)
        # Where the squares begin, and where the last one ends. A marker of the head stands where the first begins.
        edges = markers[:, -height * width - 1 :] + 2
        edges[:, 0] = [begin + len(self.content) for begin in (0, *limits[:-1])]
        if edges.shape[1] != height * width + 1 or edges[:, -1].tolist() != limits:
            raise ValueError("it has not a restart marker behind each square")
        begins, ends = (each.reshape(count, height, width)[:, rows, columns] for each in (edges[:, :-1], edges[:, 1:]))
        spans = zip(begins[:, :, 0].ravel().tolist(), ends[:, :, -1].ravel().tolist(), strict=True)
        found = bytearray().join([self.content, *[content[begin:end] for begin, end in spans]])
        struct.pack_into(">HH", found, self.place, count * begins.shape[1] * SQUARE, begins.shape[2] * SQUARE)
        # Restarts are counted from zero to seven, over and over.
        last = (ends - begins).ravel().cumsum() + (len(self.content) - 1)
        behind = np.frombuffer(found, np.uint8)
        behind[last] = _RESTART | np.arange(len(last)) & 7
        behind[-1] = _END
        return bytes(found)
