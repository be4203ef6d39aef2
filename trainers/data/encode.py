"""One video written anew for fast reading: as JPEG or raw frames that stand by themselves, or as H.264 with many keys.

Every frame and its time stamp are kept, so that a clip of the copy shows the frames of the same clip of the original.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from trainers.data.decode import DamagedVideo
from trainers.data.frames import AnyReader, FrameReader, add_list, open_video
from trainers.data.jpeg_writing import written
from trainers.data.video_index import VideoIndex

# Hours of film are whole videos too.
SECONDS_PER_VIDEO = 4 * 3600.0
# One thread, for the processes beside this one. Slower presets take two to three times as long and, at the same crf, no
# fewer bytes. The look-ahead, without which the bytes would be the same each time, saves a tenth to a half of them.
X264: dict[str, object] = {"preset": "veryfast", "tune": "fastdecode", "bf": "0", "threads": "1", "a53cc": "0"}
# Every frame of a copy is compared with what was written, as a grey picture of so many pixels each way.
THUMBNAIL = 16
# Of 255, averaged over a thumbnail; at crf 51 it is under 5. Another picture differs by more.
TOLERANCE = 12.0
# Seconds. Stamps are kept to the last digit; this is the rounding of floating point over hours.
SAME_TIME = 1e-6

_REFUSED = (av.FFmpegError, ValueError, OverflowError)


FormName = Literal["frames", "video", "raw"]


@dataclass(frozen=True)
class Form:
    """A kind of copy. suffix: of its file's name. coarser: what its quality is, for people; empty where it has none.
    best, worst: the range of quality; usual: where none is given."""

    codec: str
    container: str
    suffix: str
    coarser: str = ""
    best: int = 0
    worst: int = 0
    usual: int = 0


FORMS: dict[FormName, Form] = {
    "frames": Form("mjpeg", "mov", ".mov", "the quantiser of JPEG", 2, 31, 3),
    "video": Form("libx264", "mp4", ".mp4", "x264's crf", 0, 51, 20),
    "raw": Form("rawvideo", "nut", ".nut"),
}


@dataclass(frozen=True)
class Settings:
    """How copies are made. side: pixels of the shorter side, at most. keyframes: of a video, frames from one key frame
    to the next, at most. quality: higher is smaller; see FORMS for what it means, and the usual one."""

    side: int
    keyframes: int = 12
    quality: int | None = None
    form: FormName = "video"

    @property
    def level(self) -> int:
        """The quality, or the usual one."""
        return FORMS[self.form].usual if self.quality is None else self.quality

    @property
    def name(self) -> str:
        """As a folder is named: 'h264-side256-key12-crf20', 'jpeg-side256-q3', 'raw-side256'."""
        match self.form:
            case "video":
                return f"h264-side{self.side}-key{self.keyframes}-crf{self.level}"
            case "frames":
                return f"jpeg-side{self.side}-q{self.level}"
            case "raw":
                return f"raw-side{self.side}"

    @property
    def suffix(self) -> str:
        """Of the names of the copies."""
        return FORMS[self.form].suffix

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what has no meaning in this form is left out."""
        keys = {"keyframes": self.keyframes} if self.form == "video" else {}
        quality = {"quality": self.level} if FORMS[self.form].coarser else {}
        return {
            "form": {"video": "h264", "frames": "jpeg", "raw": "raw"}[self.form],
            "side": self.side,
            **keys,
            **quality,
        }


class Unfit(Exception):
    """A video that reads well and of which no faithful copy can be made. reason: one line for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Encoded:
    """What was written of a video. index: the original's. thumbnails: (N, 16, 16) grey, of each frame as written.
    settings: how. pixel_format: of the frames."""

    index: VideoIndex
    thumbnails: NDArray[np.uint8]
    settings: Settings
    pixel_format: str


def encode(source: Path, target: Path, settings: Settings) -> Encoded:
    """Write a copy of `source` to `target`, whatever its name.

    Raises DamagedVideo where any frame of the source cannot be read, Unfit where the form cannot hold them, and OSError
    where `target` cannot be written.
    """
    form = FORMS[settings.form]
    with open_video(source, seconds=SECONDS_PER_VIDEO) as reader, _Output(target, "w+") as output:
        try:
            encoded = _encode(reader, output, settings)
            if settings.form != "video":
                add_list(target, form.suffix, reader.index, encoded.pixel_format if settings.form == "raw" else "")
            return encoded
        except (DamagedVideo, *_REFUSED) as error:
            if output.error is not None:  # FFmpeg may tell of it anywhere, and in other words
                raise output.error from None
            if isinstance(error, DamagedVideo):
                raise
            raise Unfit(f"{form.codec} in {form.container} cannot hold it: {error}") from error


class _Output(io.FileIO):
    """A file that remembers why it could not be written."""

    error: OSError | None = None

    def write(self, content: Any, /) -> int:
        """Write all of `content`."""
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
            raise
        return len(content)


def _encode(reader: AnyReader, output: _Output, settings: Settings) -> Encoded:
    tick, stamps = _ticks(reader.index)
    thumbnails = np.empty((len(stamps), THUMBNAIL, THUMBNAIL), np.uint8)
    pictures, grey = _Pictures(settings), VideoReformatter()
    encoder = None
    with av.open(output, "w", format=FORMS[settings.form].container) as container:
        for number, frame in reader.frames(range(len(stamps))):
            picture = pictures.of(frame)
            encoder = encoder or _encoder(container, picture, reader.index, tick, settings, frame.rotation)
            picture.pts, picture.time_base = stamps[number], tick
            thumbnails[number] = _thumbnail(grey, picture)
            if settings.form == "frames":
                container.mux(_packet(encoder, stamps[number], tick, written(picture, settings.level)))
            else:
                container.mux(encoder.encode(picture))
        if encoder is not None:
            container.mux(encoder.encode())
    assert encoder is not None  # an index has at least one frame
    return Encoded(reader.index, thumbnails, settings, encoder.pix_fmt or "")


def verify(copy: Path, encoded: Encoded) -> None:
    """Read a copy back. Raises Unfit where it has not the frames, the times or the pictures that were written."""
    try:
        with open_video(copy, seconds=SECONDS_PER_VIDEO) as reader:
            if encoded.settings.form != "video" and not isinstance(reader, FrameReader):
                raise Unfit("the list of frames of its copy is not there")
            times, expected = reader.index.times, encoded.index.times
            if len(times) != len(expected):
                raise Unfit(f"its copy has {len(times):,} frames and not {len(expected):,}")
            late = float(np.abs(times - expected).max())
            if late > SAME_TIME:
                raise Unfit(f"its copy cannot hold its time stamps: a frame would be {late:.6f} s off")
            grey = VideoReformatter()
            for number, frame in reader.frames(range(len(times))):
                away = np.abs(_thumbnail(grey, frame).astype(np.int16) - encoded.thumbnails[number]).mean()
                if away > TOLERANCE:
                    raise Unfit(f"frame {number} of its copy is not the picture that was written")
    except DamagedVideo as damaged:
        raise Unfit(f"its copy cannot be read back: {damaged.reason}") from damaged


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height with a shorter side of `side`, to even numbers; unchanged where it is not longer than that."""
    shorter = min(width, height)
    if shorter <= side:
        return width, height
    even = side + side % 2
    scaled = (max(even, 2 * round(each * even / shorter / 2)) for each in (width, height))
    return next(scaled), next(scaled)


class _Pictures:
    """Frames of one video as they are encoded: scaled, turned as the rotation says, 8 bits, in the range of TV, or of
    JPEG. Frames that tell of no colours of their own have those of JPEG."""

    def __init__(self, settings: Settings) -> None:
        self.side, self.form = settings.side, settings.form
        self._scaler = VideoReformatter()
        self._first: tuple[int, int, int] | None = None

    def of(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The picture to encode. Raises Unfit where the frame has another size or rotation than the first."""
        shape = frame.width, frame.height, round(frame.rotation / 90) % 4
        self._first = self._first or shape
        if shape != self._first:
            was, now = (
                f"{width} x {height} pixels, turned by {90 * turns}°" for width, height, turns in (self._first, shape)
            )
            raise Unfit(f"its frames change from {was} to {now}")
        width, height = fitted(frame.width, frame.height, self.side)
        # Odd sizes are kept too: with the colours of every pixel.
        form = "444p" if width % 2 or height % 2 else "420p"
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        picture = self._scaler.reformat(
            frame,
            width,
            height,
            f"yuvj{form}" if self.form == "frames" else f"yuv{form}",
            interpolation=Interpolation.BICUBIC,
            src_color_range=ColorRange.JPEG if full else None,
            dst_colorspace=None if self.form == "video" else Colorspace.ITU601,
            dst_color_range=ColorRange.JPEG if self.form == "frames" else ColorRange.MPEG,
            threads=1,
        )
        picture = _turned(picture, shape[2]) if shape[2] else picture
        picture.pict_type = 0  # else x264 makes a key frame wherever the original has one
        return picture


def _encoder(
    container: av.container.OutputContainer,
    picture: av.VideoFrame,
    index: VideoIndex,
    tick: Fraction,
    settings: Settings,
    rotation: int,
) -> av.VideoStream:
    rate = Fraction(index.rate).limit_denominator(1001)
    stream = container.add_stream(FORMS[settings.form].codec, rate=rate or 1)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, picture.format.name
    stream.options = _options(settings)
    stream.time_base = tick
    codec = stream.codec_context
    codec.time_base = tick
    codec.colorspace, codec.color_range = picture.colorspace, picture.color_range
    codec.color_primaries, codec.color_trc = picture.color_primaries, picture.color_trc
    codec.sample_aspect_ratio = 1 / index.pixel_aspect if round(rotation / 90) % 2 else index.pixel_aspect
    return stream


def _options(settings: Settings) -> dict[str, object]:
    match settings.form:
        case "video":
            return X264 | {"crf": str(settings.level), "g": str(settings.keyframes)}
        case "frames" | "raw":
            return {}


def _packet(stream: av.VideoStream, stamp: int, tick: Fraction, content: bytes) -> av.Packet[Any]:
    """A picture that FFmpeg has not encoded, for its container."""
    packet: av.Packet[Any] = av.Packet(content)
    packet.stream, packet.is_keyframe = stream, True
    packet.pts = packet.dts = stamp
    packet.time_base = tick
    return packet


def _ticks(index: VideoIndex) -> tuple[Fraction, list[int]]:
    """The longest unit in which every time stamp is whole, in seconds, and the stamps in it, from zero."""
    stamps = index.stamps[index.packets]
    stamps = stamps - stamps[0]
    step = int(np.gcd.reduce(stamps))
    if step == 0:  # a single frame
        return Fraction(index.spacing).limit_denominator(1000), [0]
    return index.unit * step, (stamps // step).tolist()


def _turned(picture: av.VideoFrame, turns: int) -> av.VideoFrame:
    """A picture of planes, by so many quarter turns against the clock."""
    flat = picture.to_ndarray().ravel()
    pixels = picture.width * picture.height
    share = 1 if "444" in picture.format.name else 2
    chroma = picture.height // share, picture.width // share
    ends = [pixels, pixels + math.prod(chroma)]
    shapes = [(picture.height, picture.width), chroma, chroma]
    planes = [np.rot90(plane.reshape(shape), turns) for plane, shape in zip(np.split(flat, ends), shapes, strict=True)]
    height, width = planes[0].shape
    stacked = np.concatenate([plane.ravel() for plane in planes])
    shape = (3, height, width) if share == 1 else (height * 3 // 2, width)
    turned = av.VideoFrame.from_ndarray(stacked.reshape(shape), format=picture.format.name)
    turned.colorspace, turned.color_range = picture.colorspace, picture.color_range
    return turned


def _thumbnail(grey: VideoReformatter, picture: av.VideoFrame) -> NDArray[np.uint8]:
    small = grey.reformat(picture, THUMBNAIL, THUMBNAIL, "gray", interpolation=Interpolation.AREA, threads=1)
    return np.asarray(small.to_ndarray(), np.uint8)
