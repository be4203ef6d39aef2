"""Frames of a video, exact by time stamp, with as little decoding as they need (PyAV).

A video is read twice: once its packets alone, for the index of its frames; then, from the key frame before each wanted
frame, the packets that the wanted frames need. Packets whose frame is neither wanted nor a reference are not decoded.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from operator import add
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.stream import Discard, Disposition
from numpy.typing import NDArray

from trainers.data.converter import Box, BoxOf, Converter, shape_of
from trainers.data.video_index import Layout, Look, VideoIndex, index_of

# A video that takes longer is damaged, unless a space says otherwise. Ten seconds of 1080p take five.
SECONDS_PER_VIDEO = 120.0
# Of one frame, a little over 8K: what a decoder may be made to allocate by a header.
MAX_PIXELS = 8192 * 4352
# Of one video: nine hours at 30 frames a second. The index keeps a few numbers for each.
MAX_PACKETS = 1_000_000
# Scaled to the wanted shorter side, a narrower picture would fill the memory with its longer side.
MAX_ASPECT = 32
# H.264 packets of these units alone (slices, SEI, delimiters, filler), marked as no reference, can be left out without
# a change to any other frame. (Not so in HEVC, where a higher temporal layer may refer to such a frame. The decoder's
# own skip_frame would do it too, but then passes over damaged packets in silence.)
OPTIONAL_UNITS = (1, 6, 9, 12)
# Up to here reading on costs less than a seek.
NEAR_PACKETS = 16

# What PyAV raises for a file that it cannot read; the last three by its own conversions of broken values.
UNREADABLE = (av.FFmpegError, OSError, ValueError, OverflowError)


class DamagedVideo(Exception):
    """A video, or the part of it that was wanted, cannot be read. reason: one line for people."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class VideoReader:
    """One open video. A context manager; raises DamagedVideo for everything that is wrong with the file.

    index: of an earlier reading of the same file, to be spared the pass over its packets. seconds: time limit, from
    here to the last frame; it is looked at between packets and within each read of the file, but not while the decoder
    is busy with one packet, whose size MAX_PIXELS bounds.
    """

    def __init__(self, path: Path, index: VideoIndex | None = None, seconds: float = SECONDS_PER_VIDEO) -> None:
        self.path = path
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._converter = Converter()
        self._pushed_back: av.Packet[av.VideoStream] | None = None
        self._open()
        try:
            self.index = index or self._read_index()
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def frames(self, numbers: Sequence[int] | NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Each frame of `numbers` once, in the order in which they are shown, with its number.

        Where a packet held no frame (a dropped one of MPEG-4), the frame shown at its time stands in. Raises
        DamagedVideo when a packet between the key frame before the first of them and the last cannot be decoded, or a
        frame among these is marked as corrupt.
        """
        wanted = sorted(set(map(int, numbers)))
        done = 0
        if self.index.stamped:
            try:
                for frame in planned(self.index, wanted, self._decode_needed, self._check_frame):
                    self._learn(frame)
                    yield wanted[done], frame
                    done += 1
            except DamagedVideo:
                self._check_time()  # some key frames cannot be started from: the way from the first frame decides
        if done < len(wanted):
            yield from self._from_first(wanted[done:])

    def picture(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) pixels of `frame`, turned as its rotation says. Raises DamagedVideo."""
        return converted(self._converter, self.path, frame)

    def parts(self, numbers: Sequence[int] | NDArray[np.int64], box_of: BoxOf) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) pixels of a box in each frame of `numbers`, as `frames`."""
        for _, frame in self.frames(numbers):
            yield converted(self._converter, self.path, frame, box_of(*shape_of(frame)))

    def _decode_needed(self, first: int, last: int, only: set[int]) -> Iterator[av.VideoFrame]:
        return self._decode(first, last, damage_from=first, only=only)

    def _learn(self, frame: av.VideoFrame) -> None:
        """Keep what the frames look like, for readers that go without the container, which would turn them."""
        layout = self.index.layout
        if layout is not None and layout.look is None:
            layout = None if frame.rotation else replace(layout, look=look_of(frame))
            self.index = replace(self.index, layout=layout)

    def _from_first(self, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The wanted frames, decoding from the beginning of the file; a missing frame is the one before it."""
        queue = deque(wanted)
        key = int(self.index.keys[np.searchsorted(self.index.keys, wanted[0], side="right") - 1])
        last = int(self.index.packets[wanted].max()) if self.index.stamped else len(self.index.stamps) - 1
        shown = None
        decoded = self._decode(0, last, damage_from=int(self.index.packets[key]), only=None)
        for number, frame in self._numbered(decoded):
            if number >= key:
                self._check_frame(frame)
            while queue and queue[0] < number:
                yield queue.popleft(), shown or frame
            if queue and queue[0] == number:
                yield queue.popleft(), frame
            if not queue:
                return
            shown = frame
        if shown is None:
            raise DamagedVideo(self.path, "no frame can be decoded")
        for number in queue:
            yield number, shown

    def _numbered(self, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        if not self.index.stamped:
            yield from enumerate(frames)
            return
        stamps = self.index.stamps[self.index.packets]
        for frame in frames:
            if frame.pts is not None and frame.pts >= stamps[0]:
                yield int(np.searchsorted(stamps, frame.pts, side="right")) - 1, frame

    def _decode(self, first: int, last: int, damage_from: int, only: set[int] | None) -> Iterator[av.VideoFrame]:
        """Every frame of packets `first` to `last`; with `only` time stamps, others where they may be needed."""
        self._codec.flush_buffers()
        for position, packet in self._packets(first, last):
            if only is not None and packet.pts not in only and is_optional(packet, self._unit_prefix):
                continue
            try:
                yield from self._codec.decode(packet)
                corrupt = packet.is_corrupt
            except UNREADABLE as error:
                if position >= damage_from:
                    raise DamagedVideo(self.path, self._undecodable(position, error)) from error
                continue
            if corrupt and position >= damage_from:
                raise DamagedVideo(self.path, f"packet {position} of {len(self.index.stamps)} is cut off or damaged")
        try:
            yield from self._codec.decode(None)
        except UNREADABLE as error:
            raise DamagedVideo(self.path, f"its last frames cannot be decoded: {words(error)}") from error

    def _undecodable(self, position: int, error: Exception) -> str:
        reason = f"packet {position} of {len(self.index.stamps)} cannot be decoded: {words(error)}"
        # A decoder that refuses a frame's size forgets the size.
        return reason if self._codec.width else f"{reason} (no frame size, or one of more than {MAX_PIXELS:,} pixels)"

    def _packets(self, first: int, last: int) -> Iterator[tuple[int, av.Packet[av.VideoStream]]]:
        """The packets from `first` to `last` with their positions in the file."""
        if not 0 <= first - self._position <= NEAR_PACKETS:
            self._seek(first)
        while self._position <= last:
            packet = self._next_packet()
            if packet is None:
                return
            if self._position > first:
                yield self._position - 1, packet

    def _seek(self, first: int) -> None:
        """Go to packet `first` or a little before it; to the beginning where the file cannot be searched."""
        stamp = int(self.index.stamps[first])
        if self.index.stamped:
            try:
                self._container.seek(stamp, stream=self._stream)
                self._demuxer = self._container.demux(self._stream)  # the one before may have ended
                self._pushed_back = packet = self._next_packet()
            except (DamagedVideo, *UNREADABLE):
                packet = None
            if packet is not None:
                found = np.flatnonzero(self.index.stamps == packet.pts)
                if len(found) == 1 and found[0] <= first:
                    self._position = int(found[0])
                    return
        self._container.close()
        self._open()

    def _next_packet(self) -> av.Packet[av.VideoStream] | None:
        """The next packet of the video stream; None at the end."""
        self._check_time()
        packet, self._pushed_back = self._pushed_back, None
        try:
            packet = packet or next(self._demuxer, None)
        except av.error.ExitError as error:
            raise self._too_slow() from error
        except UNREADABLE as error:
            raise DamagedVideo(self.path, f"cannot be read on after packet {self._position}: {words(error)}") from error
        if packet is None or packet.size == 0:
            return None
        self._position += 1
        return packet

    def _open(self) -> None:
        if not os.path.isfile(self.path):  # Path's own raises for a name that is too long
            raise DamagedVideo(self.path, "is not a file" if os.path.exists(self.path) else "does not exist")
        try:
            # Before it is opened: another file in its place is then another one, and not this one with other packets.
            self._stamp = file_stamp(self.path)
            # With the protocol named, a colon in a file's name is no protocol. Broken metadata is no damage.
            self._container = av.open(
                f"file:{self.path}",
                metadata_errors="ignore",
                options={"max_pixels": str(MAX_PIXELS)},  # opening a file may decode its first frames
                timeout=self._seconds,
            )
        except av.error.ExitError as error:
            raise self._too_slow() from error
        except UNREADABLE as error:
            raise DamagedVideo(self.path, _unopened(self.path, error)) from error
        try:
            self._use_video_stream()
        except BaseException:
            self._container.close()
            raise

    def _use_video_stream(self) -> None:
        streams = self._container.streams.video
        moving = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
        if not moving:
            raise DamagedVideo(self.path, "holds a cover picture but no video" if streams else "holds no video stream")
        best = self._container.streams.best("video")
        self._stream = next((stream for stream in moving if stream is best), moving[0])
        self._codec = self._stream.codec_context
        if self._codec is None:
            raise DamagedVideo(self.path, "is of a codec for which PyAV has no decoder")
        if self._codec.width * self._codec.height > MAX_PIXELS:
            size = f"{self._codec.width} x {self._codec.height} pixels"
            raise DamagedVideo(self.path, f"claims frames of {size}; more than {MAX_PIXELS:,} are not decoded")
        for stream in self._container.streams:
            if stream is not self._stream:
                stream.discard = Discard.all  # sound is not even read
        extradata = self._codec.extradata or b""
        # Bytes of the length before each unit, in files of the kind of MP4 and Matroska (ISO 14496-15, 5.2.4.1).
        is_avc = self._codec.name == "h264" and len(extradata) > 4 and extradata[0] == 1
        self._unit_prefix = (extradata[4] & 3) + 1 if is_avc else 0
        self._codec.thread_count = 1
        self._codec.thread_type = "NONE"
        self._codec.options = {"max_pixels": str(MAX_PIXELS)}  # frames can grow after the first
        self._demuxer = self._container.demux(self._stream)
        self._position = 0
        self._pushed_back = None

    def _read_index(self) -> VideoIndex:
        """Reads every packet; the next one to be read is then past the end."""
        stamps: list[int | None] = []
        keys, hidden = [], []
        places: list[int] = []
        sizes: list[int] = []
        optional: list[bool] = []
        readable = self._unit_prefix > 0 and "mp4" in self._container.format.name
        while (packet := self._next_packet()) is not None:
            if packet.is_keyframe:
                keys.append(len(stamps))
            if packet.is_discard:
                hidden.append(len(stamps))
            if len(stamps) == MAX_PACKETS:
                raise DamagedVideo(self.path, f"holds more than {MAX_PACKETS:,} frames; cut it into shorter videos")
            stamps.append(packet.pts)
            # What comes beside a packet, as a header of its own, no other reader would tell the decoder of.
            readable = readable and not packet.is_corrupt and next(packet.iter_sidedata(), None) is None
            if readable:
                places.append(packet.pos or 0)
                sizes.append(packet.size)
                optional.append(is_optional(packet, self._unit_prefix))
        if not stamps:
            raise DamagedVideo(self.path, "holds no frame")
        layout = None
        if readable and min(places) > 0 and max(map(add, places, sizes)) <= self._stamp[0]:
            layout = Layout(
                places=np.array(places, np.int64),
                sizes=np.array(sizes, np.int32),
                optional=np.array(optional, np.bool_),
                header=bytes(self._codec.extradata or b""),
                file=self._stamp,
            )
        return index_of(stamps, keys, hidden, self._stream, self._container.format.name, layout)

    def _check_frame(self, frame: av.VideoFrame) -> None:
        if frame.is_corrupt:
            raise DamagedVideo(self.path, f"the frame with time stamp {frame.pts} is corrupt")

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise self._too_slow()

    def _too_slow(self) -> DamagedVideo:
        return DamagedVideo(self.path, f"took more than {self._seconds:g} s to read")


def planned(
    index: VideoIndex,
    wanted: list[int],
    decode: Callable[[int, int, set[int]], Iterator[av.VideoFrame]],
    check: Callable[[av.VideoFrame], None],
) -> Iterator[av.VideoFrame]:
    """The wanted frames in order, as long as each has the time stamp that the index expects.

    decode: gives the frames of packets from a first to a last; others than those of the time stamps where they may be
    needed. check: raises DamagedVideo for what is no sound frame.
    """
    stamps = deque(index.stamps[index.packets[wanted]].tolist())
    kept = set(stamps)
    for first, last in index.runs(wanted):
        floor = index.stamps[first]
        for frame in decode(first, last, kept):
            if frame.pts is None or frame.pts < floor:
                continue  # shown before the key frame: it may refer to what was not decoded
            check(frame)
            if frame.pts > stamps[0]:
                return
            if frame.pts == stamps[0]:
                stamps.popleft()
                yield frame
                if not stamps:
                    return


def is_optional(packet: av.Packet[av.VideoStream] | bytes, unit_prefix: int) -> bool:
    """Whether no other frame needs an H.264 packet, as its units say. unit_prefix: bytes of the length before each;
    0 where there are no such units."""
    if not unit_prefix:
        return False
    content = memoryview(packet)
    place = 0
    while place + unit_prefix < len(content):
        header = place + unit_prefix
        if content[header] & 0x60 or content[header] & 0x1F not in OPTIONAL_UNITS:
            return False
        place = header + int.from_bytes(content[place:header], "big")
    return place == len(content)


def look_of(frame: av.VideoFrame) -> Look:
    """What a frame has in common with the others of its video."""
    return Look(frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range))


def file_stamp(file: Path | int) -> tuple[int, int]:
    """Bytes and time of change, in ns, of a file, by its path or open. Raises OSError."""
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns


def check_aspect(path: Path, width: int, height: int) -> None:
    """Raise DamagedVideo where the frames of the video at `path` are too narrow."""
    shorter, longer = sorted((width, height))
    if longer > MAX_ASPECT * shorter:
        raise DamagedVideo(path, f"{width} x {height} pixels: narrower than 1 : {MAX_ASPECT}")


def converted(converter: Converter, path: Path, frame: av.VideoFrame, box: Box | None = None) -> NDArray[np.uint8]:
    """A frame of the video at `path`, or its part, as RGB. Raises DamagedVideo where that cannot be."""
    check_aspect(path, frame.width, frame.height)
    try:
        return converter.picture(frame, box)
    except UNREADABLE as error:
        name = frame.format.name
        raise DamagedVideo(path, f"pixels of format {name} cannot be turned to RGB: {words(error)}") from error


def _unopened(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "is empty"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the video: run 'git lfs pull'"
    return f"cannot be opened: {words(error)}"


def words(error: BaseException) -> str:
    """What FFmpeg or the system says of an error."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
