"""H.264 in MP4 that was read before is decoded without its container, to the same frames and the same reasons."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from test_clips import geometry, manifest
from test_decode import X264, encode, pictures, pixels

from expander.recipe import Recipe
from trainers.data.clips import Clip, TrainingClips
from trainers.data.decode import DamagedVideo, VideoReader
from trainers.data.frames import open_video
from trainers.data.packets import PacketReader
from trainers.data.video_index import VideoIndex


def known(path: Path) -> VideoIndex:
    """What a first reading leaves."""
    with VideoReader(path) as reader:
        list(reader.frames([0]))
    return reader.index


def shown(reader, numbers):
    """The pixels of these frames, or why there are none."""
    try:
        with reader:
            return {number: reader.picture(frame).tobytes() for number, frame in reader.frames(numbers)}
    except DamagedVideo as damaged:
        return damaged.reason


def rewritten(path: Path, content: bytes) -> None:
    """Write a file anew that looks unchanged."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_second_reading_opens_no_container(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", pictures(50))
    index = known(path)
    expected = shown(VideoReader(path), range(50))
    monkeypatch.setattr(av, "open", None)
    for numbers in ([0], [11, 12, 13], [49], [3, 30, 40], range(50)):
        with open_video(path, index) as reader:
            assert isinstance(reader, PacketReader)
            found = {number: reader.picture(frame).tobytes() for number, frame in reader.frames(numbers)}
        assert found == {number: expected[number] for number in numbers}


def test_the_clips_of_an_epoch_are_the_same_whatever_was_read_before(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(50))
    clips = [TrainingClips(manifest(path), geometry(), Recipe(), seed=0) for _ in range(2)]
    for epoch in range(8):
        if epoch % 2:
            clips[1] = TrainingClips(manifest(path), geometry(), Recipe(), seed=0)
        once, again = (each[epoch, 0] for each in clips)
        assert isinstance(once, Clip)
        assert isinstance(again, Clip)
        assert (once.pixels == again.pixels).all()
        assert once.times == again.times


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mkv", {}),
        ("a.ts", {}),
        ("a.avi", {}),
        ("turned.mp4", {"rotation": 90}),
        ("other codec.mp4", {"codec": "mpeg4", "options": {"bf": "2", "threads": "1"}}),
    ],
)
def test_what_a_decoder_alone_would_not_show_alike_keeps_its_container(tmp_path, name, options):
    path = encode(tmp_path / name, pictures(30), **options)
    index = known(path)
    assert index.layout is None
    with open_video(path, index) as reader:
        assert isinstance(reader, VideoReader)


def test_colours_that_only_the_container_tells_of_are_kept(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(30))
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mp4"), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 2
        stream.codec_context.color_primaries, stream.codec_context.color_trc = 1, 1
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    index = known(tmp_path / "b.mp4")
    assert index.layout is not None
    assert index.layout.look is not None
    with open_video(tmp_path / "b.mp4", index) as reader:
        assert isinstance(reader, PacketReader)
    assert (index.layout.look.colorspace, index.layout.look.color_range) == (1, 2)
    numbers = [3, 20]
    assert shown(open_video(tmp_path / "b.mp4", index), numbers) == shown(VideoReader(tmp_path / "b.mp4"), numbers)


def test_a_file_that_is_another_now_is_read_from_its_start(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(50))
    index = known(path)
    encode(path, pictures(20, seed=1), rate=10)
    with open_video(path, index) as reader:
        assert len(reader.index.times) == 20
    path.unlink()
    with pytest.raises(DamagedVideo, match="does not exist"):
        open_video(path, index)


def test_what_is_wrong_with_a_file_is_told_as_by_its_container(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(30), options=X264 | {"crf": "10"})
    index, whole = known(path), path.read_bytes()
    assert index.layout is not None
    chance, reasons = random.Random(0), 0
    for number in range(40):
        content = bytearray(whole)
        packet = chance.randrange(30)
        place, size = int(index.layout.places[packet]), int(index.layout.sizes[packet])
        for _ in range(chance.choice((1, 8, 64))):
            # Not the first header: whether the packet is optional is known from the first reading.
            content[place + chance.randrange(min(8, size - 1), size)] = chance.randrange(256)
        rewritten(path, bytes(content))
        wanted = sorted(chance.sample(range(30), 4))
        expected = shown(VideoReader(path, replace(index, layout=None)), wanted)
        found = shown(open_video(path, index), wanted)
        assert found == expected, (number, found if isinstance(found, str) else "", expected)
        reasons += isinstance(found, str)
    assert 5 <= reasons < 40


def test_a_wrong_place_costs_the_layout_and_no_frame(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(50))
    index = known(path)
    assert index.layout is not None
    spoilt = replace(index, layout=replace(index.layout, places=index.layout.places + 1))
    reader = open_video(path, spoilt)
    assert shown(reader, [5, 30]) == shown(VideoReader(path), [5, 30])
    assert reader.index.layout is None


def test_the_time_limit_holds_without_a_container_too(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(20))
    index = known(path)
    with open_video(path, index, seconds=1e-9) as reader:
        assert isinstance(reader, PacketReader)
        with pytest.raises(DamagedVideo, match="took more than 1e-09 s to read"):
            list(reader.frames([3]))


def test_frames_outlive_their_reader(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(30))
    expected = dict(VideoReader(path).frames([4, 20]))
    with open_video(path, known(path)) as reader:
        held = dict(reader.frames([4, 20]))
    for number, frame in held.items():
        np.testing.assert_array_equal(pixels(frame), pixels(expected[number]))
