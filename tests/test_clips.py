import ctypes
import gc
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from expander.errors import DataError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Views, shorter_side
from trainers.data.clips import Clip, Damaged, TestViews, TrainingClips, ViewedVideo, normalise
from trainers.data.damage import Ledger
from trainers.data.decode import VideoReader
from trainers.data.manifest import Manifest, ManifestSource, Video
from trainers.data.pictures import scaled

DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")


def geometry(frames=4, stride=3, crop=16):
    return Geometry(frames, stride if frames > 1 else None, crop, (Stage(1, 8, 8, 8),), classes=2)


def write(path, count, width=60, height=40):
    """A lossless video: red tells a pixel's column (4 levels each), green its row, blue the number of its frame."""
    pictures = np.zeros((count, height, width, 3), np.uint8)
    pictures[..., 0] = 4 * np.arange(width)
    pictures[..., 1] = 4 * np.arange(height)[:, None]
    pictures[..., 2] = 4 * np.arange(count)[:, None, None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0", threads=1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def manifest(*paths):
    return Manifest(Path("train.csv"), tuple(Video(path, number) for number, path in enumerate(paths)), ("0", "1"))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write(tmp_path_factory.mktemp("videos") / "video.mkv", 40)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return write(tmp_path_factory.mktemp("videos") / "short.mkv", 5)


def numbers(pixels):
    """Frame numbers of (..., S, S, 3) pixels, from their blue."""
    blue = pixels[..., 2].float()
    assert (blue.amax((-1, -2)) == blue.amin((-1, -2))).all()
    return (blue[..., 0, 0] / 4).int().tolist()


def slope(picture):
    """Columns of the video in one pixel of the clip; negative where it is mirrored."""
    red = picture[0, :, 0].float() / 4
    return (red[-3] - red[2]).item() / (len(red) - 5)


def random_clips(path, count, geometry=None, recipe=None, seed=0):
    clips = TrainingClips(manifest(path), geometry or globals()["geometry"](), recipe or Recipe(), seed)
    return [clips[epoch, 0] for epoch in range(count)]


def test_a_clip_is_a_random_run_of_frames_at_the_stride(video):
    clips = random_clips(video, 150)
    runs = [numbers(clip.pixels) for clip in clips]
    assert all(run == list(range(run[0], run[0] + 12, 3)) for run in runs)
    assert {run[0] for run in runs} == set(range(31))  # every start from which the clip fits, and no other
    assert clips[0].pixels.shape == (4, 16, 16, 3)
    assert clips[0].pixels.dtype == torch.uint8
    assert (clips[0].label, clips[0].index) == (0, 0)


def test_a_clip_that_just_fits_starts_with_the_video(video):
    assert {tuple(numbers(clip.pixels)) for clip in random_clips(video, 5, geometry(14, 3))} == {tuple(range(0, 40, 3))}


def test_a_video_shorter_than_its_clip_loops_from_any_frame(short):
    runs = [numbers(clip.pixels) for clip in random_clips(short, 60)]
    assert all(run == [(run[0] + 3 * place) % 5 for place in range(4)] for run in runs)
    assert {run[0] for run in runs} == set(range(5))


def test_a_video_that_holds_is_shown_from_its_start_to_its_last_frame_and_stays_there(short, video):
    hold = Recipe(short_videos="hold")
    assert {tuple(numbers(clip.pixels)) for clip in random_clips(short, 20, recipe=hold)} == {(0, 3, 4, 4)}
    looped, held = (random_clips(video, 20, recipe=recipe) for recipe in (Recipe(), hold))
    assert all(torch.equal(one.pixels, other.pixels) for one, other in zip(looped, held, strict=True))


def test_a_clip_of_one_frame_is_any_frame(video, short):
    assert {numbers(clip.pixels)[0] for clip in random_clips(short, 60, geometry(1))} == set(range(5))
    assert random_clips(video, 1, geometry(1))[0].pixels.shape == (1, 16, 16, 3)


def test_the_shorter_side_is_uniform_in_the_range_of_the_recipe(video):
    recipe = replace(Recipe(), flip=False, scale_jitter=(1.25, 2.5))
    sides = [40 / slope(clip.pixels[0]) for clip in random_clips(video, 200, recipe=recipe)]
    assert 19 < min(sides) < 22
    assert 38 < max(sides) < 41.5
    assert np.mean(sides) == pytest.approx(30, abs=1.5)


def test_crops_reach_every_border_and_all_frames_of_a_clip_share_one(video):
    clips = [clip.pixels for clip in random_clips(video, 200, recipe=replace(Recipe(), scale_jitter=(2, 2)))]
    for clip in clips:
        assert (clip[..., :2] == clip[:1, ..., :2]).all()
    columns = torch.stack([clip[0, 0, :, 0] for clip in clips]) / 4
    rows = torch.stack([clip[0, :, 0, 1] for clip in clips]) / 4
    assert columns.min() < 2
    assert columns.max() > 57
    assert rows.min() < 2
    assert rows.max() > 37


def test_half_of_the_clips_are_mirrored_where_the_recipe_flips(video):
    mirrored = [slope(clip.pixels[0]) < 0 for clip in random_clips(video, 200)]
    assert 75 < sum(mirrored) < 125
    assert not any(slope(clip.pixels[0]) < 0 for clip in random_clips(video, 50, recipe=replace(Recipe(), flip=False)))


def test_a_clip_follows_from_seed_epoch_and_place_alone(video, short):
    both = manifest(video, short)
    first, second = (TrainingClips(both, geometry(), Recipe(), seed=3) for _ in range(2))
    expected = [first[epoch, index].pixels for epoch in range(3) for index in range(2)]
    for place in (5, 0, 3, 5):  # in any order, and again with the index of the frames at hand
        assert (second[divmod(place, 2)].pixels == expected[place]).all()
    assert not (expected[0] == expected[2]).all()
    assert not (first[0, 0].pixels == TrainingClips(both, geometry(), Recipe(), 4)[0, 0].pixels).all()


def test_clips_are_the_same_from_another_process(video, short):
    clips, keys = TrainingClips(manifest(video, short), geometry(), Recipe(), 0), [(1, 0), (1, 1), (2, 0)]
    loader = DataLoader(clips, batch_size=None, sampler=keys, num_workers=1)
    for key, there in zip(keys, loader, strict=True):
        assert (clips[key].pixels == there.pixels).all()
        assert clips[key].index == there.index


def test_pixels_are_those_of_a_square_of_the_frame_scaled_to_the_crop(video):
    with VideoReader(video) as reader:
        whole = {number: reader.picture(frame) for number, frame in reader.frames(range(40))}
    # A crop of 16 of a shorter side of 24: of the 40 rows of the video a square of 27.
    recipe = replace(Recipe(), flip=False, scale_jitter=(1.5, 1.5))
    for clip in random_clips(video, 10, recipe=recipe):
        corners = [
            (y, x)
            for y in range(40 - 26)
            for x in range(60 - 26)
            if all(
                (scaled(whole[number][None, y : y + 27, x : x + 27], 16, 16) == pixels).all()
                for number, pixels in zip(numbers(clip.pixels), clip.pixels.numpy(), strict=True)
            )
        ]
        assert len(corners) == 1


def viewed(dataset, index=0):
    """The pixels that each of the Views shows of a video: (V, T, S, S, 3) each."""
    video = dataset[index]
    return [video.pixels[size][rows] for size, rows in video.rows]


def views(path, clips=1, crops="center", **shape):
    (pixels,) = viewed(TestViews(manifest(path), geometry(**shape), [Views(clips, crops)]))
    return pixels


def test_views_are_evenly_spread_from_the_start_to_the_end(video):
    assert numbers(views(video, 1)) == [[15, 18, 21, 24]]
    assert numbers(views(video, 4)) == [[start, start + 3, start + 6, start + 9] for start in (0, 10, 20, 30)]
    assert [run[0] for run in numbers(views(video, 4, frames=1))] == [0, 13, 26, 39]


def test_views_of_a_short_video_loop_from_its_start(short):
    assert numbers(views(short, 2)) == [[0, 3, 1, 4]] * 2


def test_a_centre_view_has_128_for_112_and_the_middle(video):
    pixels = views(video, 3, crop=28)
    assert pixels.shape == (3, 4, 28, 28, 3)
    picture = pixels[0, 0]
    assert 40 / slope(picture) == pytest.approx(32, abs=0.8)
    assert picture[:, 13:15, 0].float().mean() / 4 == pytest.approx(29.5, abs=1)
    assert picture[13:15, :, 1].float().mean() / 4 == pytest.approx(19.5, abs=1)


@pytest.mark.parametrize(("size", "channel"), [((60, 40), 0), ((40, 60), 1)])
def test_three_crops_reach_from_one_end_of_the_longer_side_to_the_other(tmp_path, size, channel):
    path = write(tmp_path / "video.mkv", 40, *size)
    dataset = TestViews(manifest(path), geometry(crop=14), [Views(2, "left-center-right")])
    assert len(dataset) == 1
    (pixels,) = viewed(dataset)
    assert pixels.shape == (6, 4, 16, 16, 3)
    assert [run[0] for run in numbers(pixels)] == [0, 0, 0, 30, 30, 30]
    places = pixels[:3, 0, :, :, channel].float() / 4
    assert places[0].min() < 2
    assert places[1].mean() == pytest.approx(29.5, abs=1)
    assert places[2].max() > 57


def test_a_view_is_of_the_frames_that_a_full_decode_shows(video):
    whole = views(video, 40, frames=1)
    assert [run[0] for run in numbers(whole)] == list(range(40))
    some = views(video, 4)
    assert (some == whole[torch.tensor(numbers(some)), 0]).all()


CURVE = [*map(Views, (1, 3, 5, 7, 10)), Views(2, "left-center-right"), Views(10, "left-center-right")]


def test_views_of_a_short_video_may_hold_its_last_frame(short):
    tested = TestViews(manifest(short), geometry(), [Views(2)], short_videos="hold")
    assert numbers(viewed(tested, 0)[0]) == [[0, 3, 4, 4]] * 2


def test_a_video_that_takes_longer_than_the_limit_comes_as_damaged(video):
    for found in (
        TrainingClips(manifest(video), geometry(), Recipe(), 0, seconds=-1)[0, 0],
        TestViews(manifest(video), geometry(), [Views(1)], seconds=-1)[0],
    ):
        assert found == Damaged(str(video), "took more than -1 s to read", 0)


def test_several_views_of_a_video_are_what_each_is_alone(video, short):
    for path in (video, short):
        together = viewed(TestViews(manifest(path), geometry(crop=14), CURVE))
        for wanted, pixels in zip(CURVE, together, strict=True):
            alone = views(path, wanted.clips, wanted.crops, crop=14)
            assert len(pixels) == wanted.per_video
            assert (pixels == alone).all()


def test_no_clip_is_kept_twice_and_each_frame_is_decoded_once(video, short, monkeypatch):
    decoded = []
    picture = VideoReader.picture
    monkeypatch.setattr(VideoReader, "picture", lambda *arguments: decoded.append(1) or picture(*arguments))
    center, three = TestViews(manifest(video), geometry(), CURVE)[0].pixels
    # Of 26 clips: the first, middle and last are shared by all, thirds by seven and ten clips.
    assert len(center) == 15
    assert len(three) == 3 * 10
    assert len(decoded) == len({number for run in numbers(center) for number in run}) < 40
    decoded.clear()
    looped, _ = TestViews(manifest(short), geometry(), CURVE)[0].pixels
    assert (len(looped), len(decoded)) == (1, 4)


@pytest.mark.parametrize(("crop", "side"), [(112, 128), (160, 182), (224, 256), (312, 356)])
def test_the_shorter_side_is_cut_to_whole_pixels(crop, side):
    assert shorter_side(crop) == TestViews(manifest("x.mp4"), geometry(crop=crop), [Views()]).side == side


def test_a_video_that_cannot_be_read_comes_as_damaged(tmp_path, video):
    (tmp_path / "text.mp4").write_text("no video")
    both = manifest(video, tmp_path / "text.mp4")
    clip = TrainingClips(both, geometry(), Recipe(), 0)[0, 1]
    view = TestViews(both, geometry(), [Views(1)])[1]
    assert clip == view
    assert isinstance(clip, Damaged)
    assert (clip.path, clip.index) == (str(tmp_path / "text.mp4"), 1)
    assert clip.reason.startswith("cannot be opened: ")


def test_a_video_whose_frames_change_in_size_makes_a_clip_of_one_size(tmp_path):
    joined = tmp_path / "joined.h264"
    for width, height in ((60, 40), (90, 60)):
        with av.open(str(tmp_path / "part.h264"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt, stream.options = width, height, "yuv420p", {"threads": "1"}
            for _ in range(20):
                container.mux(stream.encode(av.VideoFrame(width, height, "yuv420p")))
            container.mux(stream.encode())
        with joined.open("ab") as file:
            file.write((tmp_path / "part.h264").read_bytes())
    with VideoReader(joined) as reader:
        assert {frame.width for _, frame in reader.frames(range(40))} == {60, 90}
    (clip,) = random_clips(joined, 1, geometry(13, 3))
    assert clip.pixels.shape == (13, 16, 16, 3)


def test_normalised_pixels_have_channels_before_frames_and_last_in_memory():
    pixels = torch.randint(0, 256, (2, 4, 8, 8, 3), dtype=torch.uint8)
    clips = normalise(pixels)
    assert clips.shape == (2, 3, 4, 8, 8)
    assert clips.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(clips[1, 2, 3], (pixels[1, 3, :, :, 2] / 255 - 0.45) / 0.225)
    assert normalise(pixels[0]).shape == (3, 4, 8, 8)


def damaged(number, reason="cannot be opened"):
    return Damaged(f"{number}.mp4", reason, number)


def test_damaged_videos_are_counted_once_and_named_in_order():
    ledger = Ledger(total=200, share=0.01)
    for number in (7, 3, 7):
        ledger.add(damaged(number))
    ledger.add(damaged(3, "another reason"))
    assert ledger.videos == ("3.mp4: cannot be opened", "7.mp4: cannot be opened")


def test_more_damaged_videos_than_the_share_end_in_an_error_that_names_five():
    ledger = Ledger(total=100, share=0.06)
    for number in range(6):
        ledger.add(damaged(number))
    with pytest.raises(DataError) as error:
        ledger.add(damaged(6))
    text = str(error.value)
    assert text.startswith("7 of 100 videos cannot be read, more than the 6.00% allowed:\n  0.mp4: cannot be opened\n")
    assert "  4.mp4: cannot be opened\n  and 2 more\n" in text
    assert "raise the share (data.damage_share in a space)" in text


def test_no_damage_is_allowed_where_the_share_is_zero():
    with pytest.raises(DataError, match="1 of 100"):
        Ledger(total=100, share=0).add(damaged(0))


@needs_data
def test_real_manifests_give_clips_and_views():
    manifest = ManifestSource(DATA / "actions" / "val.csv").read()
    assert len(manifest.videos) == 424
    clips = TrainingClips(manifest, geometry(4, 6, 64), Recipe(), 0)
    tested = TestViews(manifest, geometry(4, 6, 64), [Views(2)])
    for index in range(0, 424, 53):
        clip, view = clips[0, index], tested[index]
        assert isinstance(clip, Clip)
        assert isinstance(view, ViewedVideo)
        assert clip.label == view.label == manifest.videos[index].label
        (pixels,) = viewed(tested, index)
        assert pixels.shape == (2, 4, 64, 64, 3)
        assert pixels.float().std() > 5


def tiny(path, codec, options):
    """Eight frames of 24 x 16 pixels."""
    chance = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 24, 16, "yuv420p", {"threads": "1"} | options
        for _ in range(8):
            picture = chance.integers(0, 256, (16, 24, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def torn(path, source):
    """`source` with its packets overwritten: it opens, and does not decode."""
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                content[packet.pos + 8 : packet.pos + packet.size] = b"\x55" * (packet.size - 8)
    path.write_bytes(content)
    return path


class Mallinfo2(ctypes.Structure):
    """What glibc says of its memory."""

    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "mapped", "usmblks")]
    _fields_ += [(name, ctypes.c_size_t) for name in ("fsmblks", "used", "free", "keepcost")]


def allocated():
    """Bytes that malloc has given away, and Python's own blocks. Not the pages of this process in memory, of which a
    kernel makes huge ones, and takes cold ones out."""
    gc.collect()
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        pytest.skip("needs glibc 2.33 or later")
    mallinfo.restype = Mallinfo2
    found = mallinfo()
    return found.used + found.mapped, sys.getallocatedblocks()


def test_twenty_thousand_clips_leave_the_memory_as_it_was(tmp_path):
    avi = tiny(tmp_path / "a.avi", "mpeg4", {})
    mp4 = tiny(tmp_path / "a.mp4", "libx264", {"bf": "2", "g": "4"})
    vp9 = tiny(tmp_path / "a.webm", "libvpx-vp9", {})
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "half.mp4").write_bytes(mp4.read_bytes()[:400])
    broken = [tmp_path / "text.mp4", tmp_path / "half.mp4", torn(tmp_path / "b.mp4", mp4), tmp_path / "none.mp4"]
    clips = TrainingClips(manifest(avi, avi, avi, mp4, avi, vp9, *broken), geometry(2, 2), Recipe(), 0)
    assert [isinstance(clips[0, place], Damaged) for place in range(10)] == [False] * 6 + [True] * 4
    held = []
    for epoch in range(2_000):
        if epoch in (200, 1_999):
            held.append(allocated())
        for place in range(10):
            clips[epoch, place]
    # After a warm-up of 2,000 clips, of each of 18,000: a frame is 576 bytes, a file far more. FFmpeg itself keeps 150
    # to 290 of each container that it opens, as six of ten clips here do.
    (before, blocks_before), (after, blocks_after) = held
    assert after - before < 18_000 * 150
    assert blocks_after - blocks_before < 1_800
