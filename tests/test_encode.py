"""Copies of videos for fast reading: the same frames at the same times, of any source, or a reason why not."""

from __future__ import annotations

import errno
import resource
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from numpy.typing import NDArray
from test_decode import DATA, X264, encode, expected_rows, frames_at, index, needs_data, pictures

from trainers.data import encode as copies
from trainers.data.decode import DamagedVideo
from trainers.data.encode import Settings, Unfit, fitted, verify

# The pictures of these tests are nearly noise, which 18 would blur.
SETTINGS = Settings(side=256, keyframes=12, quality=8)


def copy_of(source: Path, settings: Settings = SETTINGS) -> Path:
    """A verified copy, beside its source."""
    target = source.with_name(f"copy of {source.name}")
    verify(target, copies.encode(source, target, settings))
    return target


def assert_faithful(source: Path, copy: Path, away: float = 5.0) -> None:
    """The same times, clips of the same frame numbers, and nearly the same pixels; `away`: of 255, on average."""
    ours, theirs = index(copy), index(source)
    np.testing.assert_allclose(ours.times, theirs.times, rtol=0, atol=1e-9)
    assert ours.stamped
    for start in np.linspace(0, theirs.times[-1], 7):
        for stride in (1, 5, 12):
            steps = np.arange(13) * stride
            assert np.array_equal(
                ours.shown(start + steps * ours.spacing), theirs.shown(start + steps * theirs.spacing)
            )
    numbers = sorted({0, len(ours.times) // 2, len(ours.times) - 1})
    originals = frames_at(source, lambda video: numbers)
    for found, expected in zip(frames_at(copy, lambda video: numbers), originals, strict=True):
        assert found.rotation == 0
        assert np.abs(look(found) - look(expected)).mean() < away


def look(frame: av.VideoFrame) -> NDArray[np.int64]:
    """(32, 32, 3): a frame as it is shown, made small, so that how its pixels are scaled counts for little."""
    small = frame.reformat(32, 32, "rgb24", interpolation=Interpolation.AREA, threads=1)
    return np.rot90(small.to_ndarray(), round(frame.rotation / 90)).astype(np.int64)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "libx264", 25),
        ("a.mkv", "libx264", 30),
        ("a.ts", "libx264", Fraction(30000, 1001)),
        ("a.mov", "libx264", Fraction(24000, 1001)),
        ("a.webm", "libvpx-vp9", 25),
        ("a.avi", "mpeg4", 25),
        ("raw.h264", "libx264", 25),
        ("a.mpg", "mpeg2video", 25),
    ],
)
def test_a_copy_has_the_frames_and_times_of_its_source(tmp_path, name, codec, rate):
    options = X264 if codec == "libx264" else {"g": "12", "bf": "0" if "vpx" in codec else "2", "threads": "1"}
    source = encode(tmp_path / name, pictures(30), codec=codec, rate=rate, options=options)
    # VP9 does not say where its colours are between the pixels, and swscale takes them to be elsewhere than H.264's.
    assert_faithful(source, copy_of(source), away=9 if "vpx" in codec else 5)


def test_times_of_a_variable_rate_are_kept(tmp_path):
    stamps = [5000 + 40 * number + (317 if number >= 20 else 0) + number % 3 for number in range(40)]
    source = encode(tmp_path / "a.mkv", pictures(40), stamps=stamps)
    assert_faithful(source, copy_of(source))


def test_a_single_frame_is_copied_too(tmp_path):
    source = encode(tmp_path / "a.mp4", pictures(1))
    assert_faithful(source, copy_of(source))


@pytest.mark.parametrize("keyframes", [1, 5, 40])
def test_key_frames_are_as_near_as_asked_for_and_no_frame_is_out_of_order(tmp_path, keyframes):
    copy = index(copy_of(encode(tmp_path / "a.mp4", pictures(40)), Settings(256, keyframes, 18)))
    assert np.diff([*copy.keys, 40]).max() == keyframes
    assert (np.diff(copy.stamps) > 0).all()


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (33, 17)])
def test_a_rotation_is_applied_to_the_pixels(tmp_path, degrees, height, width):
    ramp = np.linspace(0, 250, height * width, dtype=np.uint8).reshape(height, width)
    picture = np.stack([ramp, np.flip(ramp, 1), np.full_like(ramp, 90)], -1)
    form = "yuv444p" if height % 2 else "yuv420p"
    source = encode(tmp_path / "a.mp4", [picture] * 3, rotation=degrees, pix_fmt=form)
    copy = copy_of(source)
    assert_faithful(source, copy)
    (frame,) = frames_at(copy, lambda video: [1])
    assert frame.rotation == 0
    assert (frame.height, frame.width) == ((height, width) if degrees == 180 else (width, height))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((1280, 720), 256, (456, 256)),
        ((720, 1280), 256, (256, 456)),
        ((340, 256), 256, (340, 256)),
        ((214, 160), 640, (214, 160)),
        ((33, 17), 17, (33, 17)),
        ((640, 357), 255, (458, 256)),
        ((4000, 20), 16, (3200, 16)),
    ],
)
def test_the_shorter_side_shrinks_to_an_even_number_and_never_grows(size, side, expected):
    assert fitted(*size, side) == expected


def test_a_large_video_is_shrunk(tmp_path):
    source = encode(tmp_path / "a.mp4", pictures(5, height=120, width=200))
    copy = copy_of(source, Settings(64, 12, 8))
    assert (index(copy).width, index(copy).height) == (106, 64)
    assert_faithful(source, copy)


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (5, 50), (50, 40)])
@pytest.mark.parametrize("pix_fmt", ["gray", "yuva420p", "yuv420p10le", "gray16le", "yuv422p", "yuvj420p", "bgra"])
def test_any_pixel_format_and_size_becomes_eight_bits_of_the_same_colours(tmp_path, pix_fmt, size):
    width, height = size
    codec = "mjpeg" if pix_fmt == "yuvj420p" else "ffv1"
    colour = np.broadcast_to(np.array([200, 120, 40], np.uint8), (height, width, 3))
    source = encode(tmp_path / "a.mkv", [colour] * 2, codec, pix_fmt, options={})
    copy = copy_of(source)
    assert_faithful(source, copy)
    (frame,) = frames_at(copy, lambda video: [0])
    assert frame.format.name in ("yuv420p", "yuv444p")
    assert (frame.width, frame.height) == size


def test_the_shape_of_a_pixel_is_kept_and_sound_is_not(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream, sound = output.add_stream("libx264", rate=25), output.add_stream("aac", rate=8000, layout="mono")
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)
        for picture in pictures(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.rate, silence.pts = 8000, 0
        output.mux(sound.encode(silence))
        output.mux([*stream.encode(), *sound.encode()])
    with av.open(str(copy_of(tmp_path / "a.mp4"))) as copy:
        assert [stream.type for stream in copy.streams] == ["video"]
        assert copy.streams.video[0].sample_aspect_ratio == Fraction(3, 4)


def test_a_video_whose_frames_change_in_size_has_no_copy(tmp_path):
    parts = [encode(tmp_path / f"{height}.h264", pictures(8, height=height), options=X264) for height in (48, 64)]
    (tmp_path / "both.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(Unfit, match="change from 64 x 48 pixels, turned by 0° to 64 x 64"):
        copy_of(tmp_path / "both.h264")


def test_damage_anywhere_in_a_video_is_told_with_its_reason(tmp_path):
    source = encode(tmp_path / "a.mp4", pictures(40), options=X264 | {"bf": "0", "crf": "10"})
    with av.open(str(source)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size][30]
        place, size = broken.pos + 8, broken.size - 8
    content = bytearray(source.read_bytes())
    content[place : place + size] = bytes(byte ^ 0x55 for byte in content[place : place + size])
    source.write_bytes(content)
    with pytest.raises(DamagedVideo, match=r"corrupt|cannot be decoded"):
        copy_of(source)


def test_a_copy_that_is_not_what_was_written_is_found_out(tmp_path):
    source = encode(tmp_path / "a.mp4", pictures(30))
    target = tmp_path / "copy.mp4"
    encoded = copies.encode(source, target, SETTINGS)
    verify(target, encoded)

    pixels = encoded.thumbnails.copy()
    pixels[[9, 20]] = pixels[[20, 9]]
    with pytest.raises(Unfit, match="frame 9 of its copy is not the picture"):
        verify(target, replace(encoded, thumbnails=pixels))
    other = index(encode(tmp_path / "other.mkv", pictures(30), stamps=[41 * number for number in range(30)]))
    with pytest.raises(Unfit, match=r"time stamps: a frame would be 0\.029"):
        verify(target, replace(encoded, index=other))
    shorter = index(encode(tmp_path / "shorter.mp4", pictures(29)))
    with pytest.raises(Unfit, match="has 30 frames and not 29"):
        verify(target, replace(encoded, index=shorter))
    target.write_bytes(target.read_bytes()[:-3000])
    with pytest.raises(Unfit, match="cannot be read back"):
        verify(target, encoded)


def test_a_full_disk_is_no_fault_of_the_video(tmp_path):
    source = encode(tmp_path / "a.mp4", pictures(40))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            copies.encode(source, tmp_path / "copy.mp4", SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.errno == errno.EFBIG


@needs_data
@pytest.mark.parametrize("row", expected_rows()[1::4], ids=lambda row: row["file"])
def test_real_files_are_copied_faithfully_or_named(tmp_path, row):
    source = DATA / "decoder" / "files" / row["file"]
    target = tmp_path / "copy.mp4"
    if row["frames_decoded"] == "0" or row["tag"] in ("res-change", "cover-art"):
        with pytest.raises((DamagedVideo, Unfit)) as error:
            copies.encode(source, target, Settings(128, 12, 12))
        assert len(error.value.reason) > 5
        return
    verify(target, copies.encode(source, target, Settings(128, 12, 12)))
    assert_faithful(source, target)
