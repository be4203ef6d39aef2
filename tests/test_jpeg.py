"""Parts of JPEG frames, decoded alone: the same pixels to the bit, from pictures as good as FFmpeg's."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray
from test_decode import encode

from trainers.data import encode as copies
from trainers.data import frames
from trainers.data.converter import Box, rows_of
from trainers.data.decode import DamagedVideo
from trainers.data.encode import Settings, verify
from trainers.data.frames import FrameReader, open_video
from trainers.data.jpeg import SQUARE, Head
from trainers.data.jpeg_writing import written

COUNT = 9


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture of patches with noise, of which every square has many coefficients."""
    chance = np.random.default_rng(seed)
    patches = chance.integers(0, 200, (height // 5 + 1, width // 5 + 1, 3)).repeat(5, 0).repeat(5, 1)[:height, :width]
    return (patches + chance.integers(0, 50, patches.shape)).astype(np.uint8)


def by_ffmpeg(picture: av.VideoFrame, quantiser: int) -> bytes:
    """As these files had their frames at first."""
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
    encoder.time_base = picture.time_base = Fraction(1, 25)
    encoder.options = {"qmin": str(quantiser), "qmax": str(quantiser), "threads": "1"}
    picture.pts = 0
    (packet, *_) = [*encoder.encode(picture), *encoder.encode(None)]
    return bytes(packet)


def copy_of(folder: Path, height: int, width: int) -> Path:
    """A verified copy of a video of noise."""
    pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
    source = encode(folder / "a.mkv", [noise(height, width, seed) for seed in range(COUNT)], pix_fmt=pix_fmt)
    copy = folder / "a.mov"
    verify(copy, copies.encode(source, copy, Settings(4096, form="frames")))
    return copy


def assert_parts_are_those_of_the_whole(path: Path, boxes: int) -> None:
    chance = random.Random(0)
    with open_video(path) as reader:
        assert isinstance(reader, FrameReader)
        wholes = [reader.picture(frame) for _, frame in reader.frames(range(COUNT))]
        height, width = wholes[0].shape[:2]
        for number in range(boxes):
            y, x = chance.randrange(height), chance.randrange(width)
            box = y, x, chance.randint(1, height - y), chance.randint(1, width - x)
            if number % 4 == 0:  # to the lower right corner
                box = y, x, height - y, width - x
            numbers = chance.sample(range(COUNT), chance.randint(1, COUNT))
            parts = list(reader.parts(numbers, lambda high, wide, box=box: box))
            assert len(parts) == len(numbers)
            for place, part in zip(sorted(numbers), parts, strict=True):
                assert (part == wholes[place][box[0] :, box[1] :][: box[2], : box[3]]).all(), (box, place)
        whole = reader.parts(range(COUNT), lambda high, wide: (0, 0, high, wide))
        assert all((part == other).all() for part, other in zip(whole, wholes, strict=True))


@pytest.mark.parametrize("size", [(100, 118), (48, 64), (50, 86), (16, 16), (2, 2), (18, 34), (130, 6), (33, 17)])
def test_a_part_of_a_frame_has_the_pixels_of_the_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    assert_parts_are_those_of_the_whole(copy_of(tmp_path, *size), 40)


def test_a_part_is_all_that_is_decoded_and_frames_are_decoded_together(tmp_path: Path, monkeypatch) -> None:
    decoded = []
    usual = FrameReader._decoded

    def noted(reader: FrameReader, number: int, content: bytes) -> av.VideoFrame:
        decoded.append(usual(reader, number, content))
        return decoded[-1]

    monkeypatch.setattr(FrameReader, "_decoded", noted)
    with open_video(copy_of(tmp_path, 100, 200)) as reader:
        decoded.clear()
        assert len(list(reader.parts(range(COUNT), lambda high, wide: (20, 50, 40, 70)))) == COUNT
    assert [(frame.height, frame.width) for frame in decoded] == [(192, 80), (192, 80), (48, 80)]


def test_frames_of_earlier_versions_are_read_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(copies, "written", by_ffmpeg)
    copy = copy_of(tmp_path, 50, 86)
    with open_video(copy) as reader:
        assert isinstance(reader, FrameReader)
        assert Head.of(reader._read(0)) is None
    assert_parts_are_those_of_the_whole(copy, 10)


def test_pictures_too_large_to_be_joined_are_read_whole(tmp_path: Path, monkeypatch) -> None:
    copy = copy_of(tmp_path, 50, 86)
    monkeypatch.setattr(frames, "JOINED", 0)
    assert_parts_are_those_of_the_whole(copy, 10)


@pytest.mark.parametrize("quantiser", [2, 3, 10])
def test_a_picture_is_as_near_to_its_source_as_ffmpegs(quantiser: int) -> None:
    frame = av.VideoFrame.from_ndarray(noise(96, 112), format="rgb24")
    picture = frame.reformat(format="yuvj420p", dst_color_range=ColorRange.JPEG, threads=1)
    ours, theirs = (_away(write(picture, quantiser), picture) for write in (written, by_ffmpeg))
    assert np.abs(10 * np.log10(ours / theirs)).max() < 0.5  # dB, of each plane


def _away(content: bytes, picture: av.VideoFrame) -> NDArray[np.float64]:
    """Mean square of the error of each plane."""
    (frame,) = frames._jpeg_decoder().decode(av.Packet(content))
    assert frame.format.name == picture.format.name
    planes = zip(frame.planes, picture.planes, strict=True)
    return np.array(
        [((rows_of(a)[:, : a.width].astype(int) - rows_of(b)[:, : b.width]) ** 2).mean() for a, b in planes]
    )


def _pictures(height: int, width: int) -> list[bytes]:
    return [
        written(
            av.VideoFrame.from_ndarray(noise(height, width, seed), format="rgb24").reformat(
                format="yuvj420p", interpolation=Interpolation.BILINEAR, threads=1
            ),
            3,
        )
        for seed in range(3)
    ]


def test_joined_squares_are_a_picture_by_the_rules() -> None:
    box: Box = (17, 5, 60, 20)
    pictures = _pictures(80, 48)
    head = Head.of(pictures[0])
    assert head is not None
    assert (head.height, head.width) == (80, 48)
    rows, columns = head.squares(box)
    assert (rows, columns) == (slice(1, 5), slice(0, 2))
    joined = head.joined(pictures, rows, columns)
    restarts = re.findall(rb"\xff[\xd0-\xd7]", joined[len(head.content) :])
    assert [restart[1] for restart in restarts] == [0xD0 + place % 8 for place in range(3 * 4 * 2 - 1)]
    assert joined.endswith(b"\xff\xd9")
    assert joined.count(b"\xff\xd9") == 1
    size = Head.of(joined)
    assert size is not None
    assert (size.height, size.width) == (3 * 4 * SQUARE, 2 * SQUARE)


def test_what_cannot_be_cut_is_told_apart_from_what_should_not_be_so(tmp_path: Path, monkeypatch) -> None:
    pictures = _pictures(48, 48)
    for content in (
        b"",
        pictures[0][:60],
        pictures[0][:2],
        pictures[0].replace(b"\xff\xdd\x00\x04\x00\x01", b"\xff\xdd\x00\x04\x00\x02"),
    ):
        assert Head.of(content) is None
    head = Head.of(pictures[0])
    assert head is not None
    square = slice(0, 1)
    marker = pictures[1].index(b"\xff\xd3")
    for broken, reason in (
        (pictures[1][:marker] + pictures[1][marker + 2 :], "restart marker|cannot reshape"),
        (pictures[1] + b"\0", "restart marker"),
        (_pictures(48, 64)[0], "its head is not"),
    ):
        with pytest.raises(ValueError, match=reason):
            head.joined([pictures[0], broken], square, square)
    copy = copy_of(tmp_path, 48, 48)
    with open_video(copy) as reader:
        assert isinstance(reader, FrameReader)
        sound = reader._read(0)
        monkeypatch.setattr(reader, "_read", lambda number: sound if number != 2 else sound.replace(b"\xff\xd3", b""))
        with pytest.raises(DamagedVideo, match="frames 0 to 3 cannot be decoded"):
            list(reader.parts(range(4), lambda high, wide: (0, 0, 8, 8)))
