"""Videos of frames that stand by themselves, with an index at the end of the file: a clip's frames alone are read.

The file is one of JPEG pictures in MOV, which any player shows, or of raw ones in NUT, which FFmpeg's tools show.
Behind what the container holds are time stamp, place, length and checksum of each frame, and at the very end the length
and checksum of this list.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from trainers.data.converter import Box, BoxOf, Converter, rows_of, shape_of
from trainers.data.decode import (
    MAX_PACKETS,
    MAX_PIXELS,
    SECONDS_PER_VIDEO,
    UNREADABLE,
    DamagedVideo,
    VideoReader,
    check_aspect,
    converted,
    words,
)
from trainers.data.jpeg import MAX_SIDE, SQUARE, Head
from trainers.data.packets import PacketReader, open_again
from trainers.data.video_index import VideoIndex

MAGIC = b"frames01"
# What tells players to pass over the list, of so many bytes, by the ending of the file's name. NUT is for tools alone.
ELEMENTS: dict[str, Callable[[int], bytes]] = {
    ".mov": lambda length: struct.pack(">I4s", length + 8, b"free"),
    ".nut": lambda length: b"",
}
# Frames, width, height, unit, shape of a pixel, spacing, pixel format of raw frames (empty: JPEG).
_HEAD = struct.Struct("<III QQ II d 16s")
# Checksum and bytes of head and list, and the name of this form.
_TAIL = struct.Struct("<IQ8s")
_LIST = np.dtype([("stamp", "<i8"), ("place", "<u8"), ("size", "<u4"), ("sum", "<u4")])
# JPEG frames of which parts are decoded together, at most: what a processor's cache holds.
JOINED = 4
# Read at first, of the end of a file: the list of 1,300 frames.
_END_BYTES = 32 * 1024


@dataclass(frozen=True, eq=False)
class FrameIndex(VideoIndex):
    """The index of such a file, of N frames. places, sizes, sums: (N,) byte, length and CRC-32 of each. pixel_format:
    of raw frames; empty where they are JPEG."""

    places: NDArray[np.uint64]
    sizes: NDArray[np.uint32]
    sums: NDArray[np.uint32]
    pixel_format: str


class FrameReader:
    """One open file of frames, as VideoReader; raises DamagedVideo for all that is not as it was written."""

    def __init__(self, path: Path, index: FrameIndex | None = None, seconds: float = SECONDS_PER_VIDEO) -> None:
        self.path = path
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        self._converter = _converters.pop() if _converters else Converter()
        try:
            self._file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise DamagedVideo(path, words(error)) from error
        try:
            self._check_time()
            self.index = index or _read_index(self._file, path)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        _converters.append(self._converter)

    def frames(self, numbers: Sequence[int] | NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Each frame of `numbers` once, in the order in which they are shown, with its number."""
        for number in sorted(set(map(int, numbers))):
            yield number, self._frame(number, self._read(number))

    def picture(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) pixels of `frame`. Raises DamagedVideo."""
        return converted(self._converter, self.path, frame)

    def parts(self, numbers: Sequence[int] | NDArray[np.int64], box_of: BoxOf) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) pixels of a box in each frame of `numbers`, as `frames`; of JPEG no more is decoded than that."""
        wanted = sorted(set(map(int, numbers)))
        at_once = self._at_once()
        for first in range(0, len(wanted), at_once or 1):
            batch = wanted[first : first + (at_once or 1)]
            contents = [self._read(number) for number in batch]
            head = Head.of(contents[0]) if at_once else None
            if head is not None:
                yield from self._joined(batch, contents, head, box_of(head.height, head.width))
                continue
            for number, content in zip(batch, contents, strict=True):
                frame = self._frame(number, content)
                yield converted(self._converter, self.path, frame, box_of(*shape_of(frame)))

    def _at_once(self) -> int:
        """Frames of which parts can be joined to one; zero where not even one can be cut."""
        if self.index.pixel_format:
            return 0
        height, width = (side + SQUARE for side in (self.index.height, self.index.width))
        return min(JOINED, MAX_SIDE // height, MAX_PIXELS // (height * width))

    def _joined(
        self, numbers: Sequence[int], contents: Sequence[bytes], head: Head, box: Box
    ) -> Iterator[NDArray[np.uint8]]:
        """A box of each of several JPEG frames."""
        check_aspect(self.path, head.width, head.height)
        rows, columns = head.squares(box)
        try:
            frame = self._decoded(numbers[0], head.joined(contents, rows, columns))
            pictures = self._converter.picture(frame).reshape(len(contents), -1, frame.width, 3)
        except UNREADABLE as error:
            raise DamagedVideo(
                self.path, f"frames {numbers[0]} to {numbers[-1]} cannot be decoded: {words(error)}"
            ) from error
        y, x, height, width = box
        y, x = y - rows.start * SQUARE, x - columns.start * SQUARE
        for picture in pictures:
            yield picture[y : y + height, x : x + width]

    def _read(self, number: int) -> bytes:
        index = self.index
        self._check_time()
        try:
            content = os.pread(self._file, int(index.sizes[number]), int(index.places[number]))
        except OSError as error:
            raise DamagedVideo(self.path, f"frame {number} cannot be read: {words(error)}") from error
        if zlib.crc32(content) != index.sums[number]:
            raise DamagedVideo(
                self.path, f"frame {number} is not what was written; delete the file, and prepare the videos again"
            )
        return content

    def _frame(self, number: int, content: bytes) -> av.VideoFrame:
        return self._raw(content) if self.index.pixel_format else self._decoded(number, content)

    def _decoded(self, number: int, content: bytes) -> av.VideoFrame:
        try:
            decoder = _decoders.pop() if _decoders else _jpeg_decoder()
            (frame,) = decoder.decode(av.Packet(content))
        except UNREADABLE as error:
            raise DamagedVideo(self.path, f"frame {number} cannot be decoded: {words(error)}") from error
        _decoders.append(decoder)
        return frame

    def _raw(self, content: bytes) -> av.VideoFrame:
        index = self.index
        frame = av.VideoFrame(index.width, index.height, index.pixel_format)
        planes, begin = np.frombuffer(content, np.uint8), 0
        for plane in frame.planes:
            target = rows_of(plane)[:, : plane.width]
            target[:] = planes[begin : begin + target.size].reshape(target.shape)
            begin += target.size
        frame.color_range, frame.colorspace = ColorRange.MPEG, Colorspace.ITU601
        return frame

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise DamagedVideo(self.path, f"took more than {self._seconds:g} s to read")


AnyReader = VideoReader | FrameReader | PacketReader

# Each JPEG is read by itself, so that one decoder serves the frames of all files; setting it up takes as long as a
# fifth of a frame. Who decodes takes one from here, and brings it back where nothing failed.
_decoders: list[av.VideoCodecContext] = []
# So with what turns them to RGB, which is set up anew for each size only.
_converters: list[Converter] = []


def _jpeg_decoder() -> av.VideoCodecContext:
    decoder = av.VideoCodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    return decoder


def open_video(path: Path, index: VideoIndex | None = None, seconds: float = SECONDS_PER_VIDEO) -> AnyReader:
    """An open reader of any video. index: of an earlier reading of the file. Raises DamagedVideo."""
    if isinstance(index, FrameIndex) or (index is None and path.suffix in ELEMENTS and _has_list(path)):
        return FrameReader(path, index, seconds)
    if index is not None and index.layout is not None and index.layout.look is not None:
        # Where the file has changed, so has its index.
        return open_again(path, index, seconds) or VideoReader(path, None, seconds)
    return VideoReader(path, index, seconds)


def add_list(path: Path, suffix: str, index: VideoIndex, pixel_format: str) -> FrameIndex:
    """Write the list of its frames behind the file at `path`, which FFmpeg has written.

    suffix: of its name once it has one. index: of the video of which the frames are. pixel_format: as in FrameIndex.
    Raises OSError where it cannot be written, ValueError where the file has not a frame for each of the index.
    """
    with path.open("r+b") as file:
        written = np.array(list(_packets(path, file)), _LIST)
        if len(written) != len(index.times):
            raise ValueError(f"{len(written)} frames were written of {len(index.times)}")
        written["stamp"] = index.stamps[index.packets] - index.stamps[index.packets[0]]
        with av.open(str(path)) as container:
            width, height = container.streams.video[0].width, container.streams.video[0].height
        head = _HEAD.pack(
            *(len(written), width, height),
            *index.unit.as_integer_ratio(),
            *index.pixel_aspect.limit_denominator(1 << 16).as_integer_ratio(),
            *(index.spacing, pixel_format.encode()),
        )
        content = head + written.tobytes()
        content += _TAIL.pack(zlib.crc32(content), len(content), MAGIC)
        file.seek(0, os.SEEK_END)
        file.write(ELEMENTS[suffix](len(content)) + content)
    return _index_of(content[: -_TAIL.size])


def _packets(path: Path, file: BinaryIO) -> Iterator[tuple[int, int, int, int]]:
    """What the list has of each frame of a file; stamps are zero."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                content = bytes(memoryview(packet))
                file.seek(packet.pos or 0)
                # NUT gives the place of a frame's header, which comes before the frame.
                there = file.read(packet.size + 64)
                place = 0 if there.startswith(content) else there.find(content)
                if place < 0 or packet.pos is None:
                    raise ValueError("a frame is not in the file as it was written")
                yield 0, packet.pos + place, packet.size, zlib.crc32(content)


def _has_list(path: Path) -> bool:
    """Whether a file ends as one of these; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(-len(MAGIC), os.SEEK_END)
            return file.read() == MAGIC
    except OSError:
        return False


def _read_index(file: int, path: Path) -> FrameIndex:
    try:
        end = os.fstat(file).st_size
        content = os.pread(file, _END_BYTES, max(0, end - _END_BYTES))
        checksum, length, magic = _TAIL.unpack(content[-_TAIL.size :])
        if length > MAX_PACKETS * _LIST.itemsize or magic != MAGIC:
            raise ValueError
        if len(content) < length + _TAIL.size:
            content = os.pread(file, length + _TAIL.size, end - length - _TAIL.size)
        content = content[-length - _TAIL.size : -_TAIL.size]
        if zlib.crc32(content) != checksum:
            raise ValueError
        return _index_of(content)
    except OSError as error:
        raise DamagedVideo(path, f"cannot be read: {words(error)}") from error
    except (ValueError, struct.error) as error:
        reason = "the list of its frames is not what was written; delete the file, and prepare the videos again"
        raise DamagedVideo(path, reason) from error


def _index_of(content: bytes) -> FrameIndex:
    """The index in a head and a list. Raises ValueError and struct.error where they are none."""
    count, width, height, ticks, second, wide, high, spacing, pixel_format = _HEAD.unpack(content[: _HEAD.size])
    frames = np.frombuffer(content, _LIST, count, _HEAD.size)
    stamps = frames["stamp"].astype(np.int64)
    unit = Fraction(ticks, second)
    return FrameIndex(
        times=(stamps * float(unit)).astype(np.float64),
        spacing=spacing,
        width=width,
        height=height,
        keys=np.arange(count),
        packets=np.arange(count),
        stamps=stamps,
        stamped=True,
        unit=unit,
        pixel_aspect=Fraction(wide, high),
        places=frames["place"].copy(),
        sizes=frames["size"].copy(),
        sums=frames["sum"].copy(),
        pixel_format=pixel_format.rstrip(b"\0").decode(),
    )
