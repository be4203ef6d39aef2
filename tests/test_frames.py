"""Copies whose frames stand by themselves: exact to the frame, and nothing is shown that was not written."""

from __future__ import annotations

import json
import random
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import Expander
from numpy.typing import NDArray
from test_clips import geometry, manifest
from test_decode import encode, pictures
from test_prepare import pair, small_set

from expander.cli.prepare import settings_of
from expander.errors import UsageError
from expander.recipe import Recipe
from expander.trial import Views
from trainers.data import encode as copies
from trainers.data import frames
from trainers.data.clips import Clip, Damaged, TestViews, TrainingClips
from trainers.data.converter import Converter
from trainers.data.decode import DamagedVideo, VideoReader
from trainers.data.encode import FORMS, FormName, Settings, Unfit, verify
from trainers.data.frames import FrameIndex, FrameReader, open_video
from trainers.data.prepare import Finished, prepare

STANDING: tuple[FormName, ...] = ("frames", "raw")
# The pictures of these tests are nearly noise.
SETTINGS = {"frames": Settings(256, quality=2, form="frames"), "raw": Settings(256, form="raw")}


def smooth(count: int, height: int, width: int) -> list[NDArray[np.uint8]]:
    """Pictures that JPEG has no trouble with, each of its own brightness, and no side like another."""
    ramp = np.linspace(0, 120, height * width).reshape(height, width)
    return [
        np.stack([ramp + 3 * number, np.flip(ramp, 1), np.full_like(ramp, 90)], -1).astype(np.uint8)
        for number in range(count)
    ]


def made(source: Path, form: FormName) -> Path:
    """A verified copy of that form."""
    copy = source.with_name(f"copy{FORMS[form].suffix}")
    verify(copy, copies.encode(source, copy, SETTINGS[form]))
    return copy


def test_one_decoder_serves_files_of_other_sizes_and_colours_and_outlives_a_damaged_one(tmp_path):
    copies_of = []
    for name, size, pix_fmt in (("a", (48, 64), "yuv420p"), ("b", (33, 17), "yuv444p"), ("c", (96, 32), "yuv420p")):
        (tmp_path / name).mkdir()
        encode(tmp_path / name / "a.mkv", smooth(12, *size), pix_fmt=pix_fmt)
        copies_of.append(made(tmp_path / name / "a.mkv", "frames"))
    expected = []
    for path in copies_of:
        frames._decoders.clear()
        with open_video(path) as reader:
            expected.append([reader.picture(frame) for _, frame in reader.frames(range(12))])
    with ExitStack() as stack:
        readers = [stack.enter_context(open_video(path)) for path in copies_of]
        for number in range(12):
            if number == 5:
                with pytest.raises(DamagedVideo, match="frame 0 cannot be decoded"):
                    readers[0]._decoded(0, b"no picture")
            for reader, pictures_of in zip(readers, expected, strict=True):
                ((_, frame),) = reader.frames([number])
                assert (reader.picture(frame) == pictures_of[number]).all()


@pytest.mark.parametrize("form", STANDING)
@pytest.mark.parametrize("size", [(48, 64), (33, 17)])
@pytest.mark.parametrize("rotation", [0, 90])
def test_a_copy_has_the_frames_and_times_of_its_source_and_any_player_shows_it(tmp_path, form, size, rotation):
    stamps = [41 * number + (300 if number >= 20 else 0) for number in range(40)]
    even = size[0] % 2 == 0
    source = tmp_path / ("a.mp4" if rotation else "a.mkv")
    encode(source, smooth(40, *size), pix_fmt="yuv420p" if even else "yuv444p", stamps=stamps, rotation=rotation)
    copy = made(source, form)
    with open_video(copy) as ours, VideoReader(copy) as others:
        assert isinstance(ours, FrameReader)
        assert (ours.index.width, ours.index.height) == (size if rotation else size[::-1])
        np.testing.assert_allclose(others.index.times[:40], ours.index.times, atol=6e-4)
        assert form == "raw" or len(others.index.times) == 40
        for (_, frame), (_, other) in zip(ours.frames([7, 30]), others.frames([7, 30]), strict=True):
            assert (frame.to_ndarray(format="rgb24") == other.to_ndarray(format="rgb24")).all()
        theirs = VideoReader(source).index
        np.testing.assert_allclose(ours.index.times, theirs.times, rtol=0, atol=1e-9)
        assert ours.index.spacing == theirs.spacing
        with VideoReader(source) as originals:
            for (_, frame), (_, other) in zip(ours.frames([7, 30]), originals.frames([7, 30]), strict=True):
                assert np.abs(ours.picture(frame).astype(int) - originals.picture(other)).mean() < 4


def test_colours_of_high_definition_are_those_that_jpeg_and_raw_frames_are_read_with(tmp_path):
    source = tmp_path / "a.mp4"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1  # BT.709, as televisions have it
        for colour in ((200, 40, 30), (30, 180, 60), (20, 50, 210)):
            picture = np.broadcast_to(np.array(colour, np.uint8), (48, 64, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=1, threads=1)))
        output.mux(stream.encode())
    for form in STANDING:
        with open_video(made(source, form)) as copy, VideoReader(source) as reader:
            for (_, ours), (_, theirs) in zip(copy.frames(range(3)), reader.frames(range(3)), strict=True):
                away = copy.picture(ours).astype(int) - reader.picture(theirs)
                assert np.abs(away).mean() < 5


@pytest.mark.parametrize("form", STANDING)
def test_clips_and_views_of_a_copy_are_those_of_its_source(tmp_path, form):
    source = encode(tmp_path / "a.mp4", pictures(40), options={"crf": "1", "threads": "1"})
    copy = made(source, form)
    shape = geometry(4, 3, 32)
    recipe = Recipe(scale_jitter=(1.0, 1.5))
    originals, copied = (TrainingClips(manifest(path), shape, recipe, 0) for path in (source, copy))
    for epoch in range(6):
        one, other = originals[epoch, 0], copied[epoch, 0]
        assert isinstance(one, Clip)
        assert isinstance(other, Clip)
        assert one.times == other.times
        assert (one.pixels.int() - other.pixels.int()).abs().float().mean() < 5
    one, other = (TestViews(manifest(path), shape, [Views(2)])[0].pixels[0] for path in (source, copy))
    assert (one.int() - other.int()).abs().float().mean() < 5


def test_a_part_of_a_frame_has_the_pixels_of_the_whole():
    chance = random.Random(0)
    numbers = np.random.default_rng(0)
    for form, height, width in (("yuv420p", 48, 64), ("yuvj420p", 50, 86), ("yuv420p", 33, 47), ("yuv444p", 20, 30)):
        planes = numbers.integers(0, 256, (height, width, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="rgb24").reformat(format=form, threads=1)
        converter = Converter()
        whole = converter.picture(frame)
        for _ in range(100):
            y, x = chance.randrange(height), chance.randrange(width)
            box = y, x, chance.randint(1, height - y), chance.randint(1, width - x)
            assert (converter.picture(frame, box) == whole[y : y + box[2], x : x + box[3]]).all(), (form, box)


@pytest.mark.parametrize("form", STANDING)
def test_a_torn_frame_is_named_and_only_its_clips_are_damaged(tmp_path, form):
    copy = made(encode(tmp_path / "a.mp4", pictures(40)), form)
    with open_video(copy) as reader:
        index = reader.index
        assert isinstance(index, FrameIndex)
        sound = {number: reader.picture(frame) for number, frame in reader.frames([3, 8])}
    content = bytearray(copy.read_bytes())
    content[int(index.places[5]) + 40] ^= 1  # one bit, which a decoder would show
    copy.write_bytes(content)
    for known in (None, index):
        with open_video(copy, known) as reader:
            for number, frame in reader.frames([3, 8]):
                assert (reader.picture(frame) == sound[number]).all()
            with pytest.raises(DamagedVideo, match="frame 5 is not what was written; delete the file, and prepare"):
                list(reader.frames([3, 5]))
    clips = TrainingClips(manifest(copy), geometry(40, 1, 16), Recipe(), 0)
    found = clips[0, 0]
    assert isinstance(found, Damaged)
    assert found.reason.startswith("frame 5 is not")


@pytest.mark.parametrize("form", STANDING)
def test_no_damage_ends_in_anything_but_frames_or_a_reason(tmp_path, form):
    copy = made(encode(tmp_path / "a.mp4", pictures(20)), form)
    whole = copy.read_bytes()
    with open_video(copy) as reader:
        sound = [reader.picture(frame) for _, frame in reader.frames(range(20))]
    chance = random.Random(0)
    damaged = 0
    for number in range(60):
        content = bytearray(whole)
        start = 0 if number % 2 else len(whole) - 700  # the list, too
        for _ in range(chance.choice((1, 8))):
            content[chance.randrange(start, len(whole))] = chance.randrange(256)
        copy.write_bytes(content if number % 3 else content[: chance.randrange(len(whole))])
        try:
            with open_video(copy) as reader:
                for place, frame in reader.frames(range(0, len(reader.index.times), 3)):
                    if isinstance(reader, FrameReader):
                        assert (reader.picture(frame) == sound[place]).all()
                if isinstance(reader, FrameReader):
                    for part, whole in zip(reader.parts(range(20), lambda *_: (8, 5, 9, 9)), sound, strict=True):
                        assert (part == whole[8:17, 5:14]).all()
        except DamagedVideo as error:
            damaged += len(error.reason) > 5
    assert 25 <= damaged <= 60


def test_a_copy_that_is_not_what_was_written_is_found_out(tmp_path):
    source, target = encode(tmp_path / "a.mp4", pictures(12)), tmp_path / "a.mov"
    encoded = copies.encode(source, target, SETTINGS["frames"])
    swapped = encoded.thumbnails.copy()
    swapped[[3, 8]] = swapped[[8, 3]]
    with pytest.raises(Unfit, match="frame 3 of its copy is not the picture"):
        verify(target, replace(encoded, thumbnails=swapped))
    target.write_bytes(target.read_bytes()[:-100])
    with pytest.raises(Unfit, match="the list of frames of its copy is not there"):
        verify(target, encoded)


def test_frames_are_prepared_resumed_and_of_another_name_than_other_copies(expander: Expander, tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    call = ("data", "prepare", "set/train.csv", "set/val.csv", "--side", 32, "--workers", 1, "--out")
    told = json.loads(expander(*call, "fast", "--json").stdout)
    assert told["settings"] == {"form": "jpeg", "side": 32, "quality": 3}
    assert told["prepared"] == 4
    train, _ = pair(tmp_path / "fast" / "train.csv", tmp_path / "fast" / "val.csv")
    assert [video.name for video in train.videos] == [f"jpeg-side32-q3/videos/{n}.avi.mov" for n in (1, 2, 3)]
    torn = train.videos[1].path
    torn.write_bytes(torn.read_bytes()[:-10])
    assert "4 videos, 3 of them are there already" in expander(*call, "fast").stderr
    with open_video(torn) as reader:
        assert isinstance(reader, FrameReader)


def test_a_video_that_cannot_be_read_is_kept_under_the_name_of_a_copy(tmp_path: Path) -> None:
    train, val = small_set(tmp_path / "set")
    (tmp_path / "set" / "videos" / "2.avi").write_bytes(b"no video")
    *_, finished = prepare(tmp_path / "fast", pair(train, val), Settings(32, form="raw"), workers=1)
    assert isinstance(finished, Finished)
    kept = next(made for made in finished.made if made.state == "kept")
    with pytest.raises(DamagedVideo, match="cannot be opened"):
        open_video(tmp_path / "fast" / kept.video)


def test_what_has_no_meaning_in_a_form_is_refused() -> None:
    with pytest.raises(UsageError, match="of --as frames every frame stands by itself; leave it out"):
        settings_of(64, "frames", 12, None)
    with pytest.raises(UsageError, match="--quality 40: of --as frames it is the quantiser of JPEG, 2 to 31"):
        settings_of(64, "frames", None, 40)
    with pytest.raises(UsageError, match="--as raw loses nothing"):
        settings_of(64, "raw", None, 3)
    assert settings_of(64, "video", None, None).name == "h264-side64-key12-crf20"
    assert settings_of(64, "video", 5, 51).as_dict() == {"form": "h264", "side": 64, "keyframes": 5, "quality": 51}
