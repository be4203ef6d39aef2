import hashlib
import os
import subprocess
import sys

import av
import numpy as np
import pytest

from trainers.data.decode import VideoReader
from trainers.data.manifest import ManifestSource, read_pair
from trainers.data.pictures import shorter_side_scaled
from trainers.data.synthetic import CLASSES, draw, write_videos

FEW = {"train_per_class": 2, "val_per_class": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic")
    assert write_videos(path, **FEW) == (path / "train.csv", path / "val.csv")
    return path


def digests(folder):
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*.mp4")}


def gray(name, seed):
    return draw(name, np.random.default_rng(seed)).astype(float).mean(-1)


def test_the_manifests_list_every_class_alike(folder):
    train, val = read_pair(ManifestSource(folder / "train.csv"), ManifestSource(folder / "val.csv"))
    assert sorted(video.label for video in train.videos) == sorted(2 * list(range(6)))
    assert sorted(video.label for video in val.videos) == list(range(6))
    assert all(CLASSES[video.label] in video.name for video in (*train.videos, *val.videos))
    assert (folder / "classes.txt").read_text().split() == list(CLASSES)


def test_the_videos_are_h264_with_b_frames_and_a_key_frame_every_twelve(folder):
    for path in folder.rglob("*.mp4"):
        with VideoReader(path) as reader:
            video = reader.index
        assert video.keys.tolist() == list(range(0, len(video.times), 12))
        assert video.stamps.tolist() != sorted(video.stamps)
        assert 32 <= len(video.times) <= 40
        assert 24 < video.rate < 31
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_the_same_arguments_give_the_same_videos_and_another_seed_others(folder, tmp_path):
    write_videos(tmp_path / "again", **FEW)
    write_videos(tmp_path / "other", **FEW, seed=1)
    assert digests(tmp_path / "again") == digests(folder)
    assert not set(digests(tmp_path / "other").values()) & set(digests(folder).values())


def test_no_two_videos_are_the_same(folder):
    assert len(set(digests(folder).values())) == 18


def test_a_complete_set_is_left_alone_and_an_incomplete_one_made_whole(folder, tmp_path):
    write_videos(tmp_path, **FEW)
    video = tmp_path / "train" / "rising_000.mp4"
    os.utime(video, (0, 0))
    write_videos(tmp_path, **FEW)
    assert video.stat().st_mtime == 0
    (tmp_path / "val" / "dots_000.mp4").unlink()
    write_videos(tmp_path, **FEW)
    assert digests(tmp_path) == digests(folder)
    write_videos(tmp_path, train_per_class=1, val_per_class=1)
    assert len((tmp_path / "train.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize(("name", "backwards"), [("rising", "falling"), ("growing", "shrinking")])
def test_one_of_a_pair_is_the_other_backwards_so_that_a_frame_tells_nothing(name, backwards):
    for seed in range(3):
        forwards = draw(name, np.random.default_rng(seed))
        assert (draw(backwards, np.random.default_rng(seed))[::-1] == forwards).all()


def moved_up(pictures, gap=4):
    """Rows by which the picture has moved up after `gap` frames: where it fits best."""
    height = pictures.shape[1]
    shifts = range(-14, 15)
    errors = [
        np.mean(
            (pictures[:-gap, max(0, up) : height + min(0, up)] - pictures[gap:, max(0, -up) : height - max(0, up)]) ** 2
        )
        for up in shifts
    ]
    return shifts[int(np.argmin(errors))]


def test_two_frames_at_stride_four_tell_rising_from_falling():
    for seed in range(6):
        assert moved_up(gray("rising", seed)) >= 2
        assert moved_up(gray("falling", seed)) <= -2


def test_two_frames_at_stride_four_tell_growing_from_shrinking():
    for seed in range(6):
        for name, larger in (("growing", 1), ("shrinking", -1)):
            pictures = gray(name, seed)
            height, width = pictures.shape[1:]
            rows, columns = np.ogrid[:height, :width]

            def fit(factor, pictures=pictures, rows=rows, columns=columns, height=height, width=width):
                y = np.clip(np.rint(height / 2 + (rows - height / 2) * factor), 0, height - 1).astype(int)
                x = np.clip(np.rint(width / 2 + (columns - width / 2) * factor), 0, width - 1).astype(int)
                return np.mean((pictures[8:24] - pictures[4:20][:, y, x]) ** 2)

            assert (fit(1 / 1.1) < fit(1.1)) == (larger > 0)


def test_pictures_have_contrast_and_differ_from_video_to_video():
    firsts = [gray(name, seed)[0][:48, :64] for name in CLASSES for seed in range(3)]
    assert all(picture.std() > 20 for picture in firsts)
    assert len({picture.tobytes() for picture in firsts}) > 12


def test_the_encoded_videos_show_what_was_drawn(folder):
    pixels = draw("stripes", np.random.default_rng((0, 0, 4, 1)))
    with VideoReader(folder / "train" / "stripes_001.mp4") as reader:
        for number, frame in reader.frames(range(0, len(pixels), 5)):
            found = shorter_side_scaled(reader.picture(frame), min(pixels.shape[1:3])).astype(int)
            assert np.abs(found - pixels[number]).mean() < 12


def test_the_command_writes_a_set_and_prints_its_manifests(tmp_path):
    command = [
        sys.executable,
        "-m",
        "trainers.data.synthetic",
        str(tmp_path),
        "--train-per-class=1",
        "--val-per-class=1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == [str(tmp_path / "train.csv"), str(tmp_path / "val.csv")]
    assert len(list(tmp_path.rglob("*.mp4"))) == 12
