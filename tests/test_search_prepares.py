"""A search that makes copies of its videos before its first step, and trains on them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Videos

from expander.cli.files import load_space
from expander.cli.inputs import look_at_files, originals_of, read_videos
from expander.cli.prepare import prepare_for
from expander.errors import DataError, Interrupted, UsageError
from expander.space import SearchSpace
from trainers.data import prepare as job
from trainers.data.manifest import read_pair


def space_on(videos: Videos, folder: Path, *more: str) -> SearchSpace:
    given = [f"data.train='{videos.train}'", f"data.val='{videos.val}'", f"prepare.folder='{folder}'", *more]
    return load_space("smoke", given)[0]


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.mov")}


def test_a_search_trains_on_copies_of_its_videos_under_data_of_another_name(videos: Videos, tmp_path: Path) -> None:
    space = space_on(videos, tmp_path / "fast")
    with pytest.raises(UsageError, match=r"train\.csv .*the copies of the videos are not there, or not all of them"):
        read_videos(space)
    prepare_for(space, renew=True)
    made = read_videos(space)
    originals = read_pair(*originals_of(space))
    for ours, theirs in zip(made.manifests, originals, strict=True):
        assert [video.label for video in ours.videos] == [video.label for video in theirs.videos]
        # Of the smoke space the largest crop is 68, or 48 where the frames, the width or the depth were expanded.
        assert {video.name.split("/")[0] for video in ours.videos} == {"jpeg-side97-q3"}
    plain = read_videos(load_space("smoke", [f"data.train='{videos.train}'", f"data.val='{videos.val}'"])[0])
    assert made.fingerprint.id != plain.fingerprint.id
    before = written(tmp_path / "fast")
    assert len(before) == 36
    for renew in (True, False):
        prepare_for(space, renew)
    assert written(tmp_path / "fast") == before

    # Copies that are lost are made anew, and are the same data.
    looked = look_at_files(made).fingerprint
    shutil.rmtree(tmp_path / "fast")
    prepare_for(space, renew=False)
    assert look_at_files(read_videos(space)).fingerprint == looked


def test_what_was_interrupted_is_gone_on_with_and_no_list_names_what_is_not_there(
    videos: Videos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = space_on(videos, tmp_path / "fast", "prepare.side=32", "prepare.form=raw")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(job, "predict", stopped)  # after the sample
        with pytest.raises(Interrupted, match="the same command goes on from here"):
            prepare_for(space, renew=True)
    assert not (tmp_path / "fast" / "train.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nut")}
    assert 20 <= len(before) < 36  # processes had others in hand
    prepare_for(space, renew=False)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nut")}
    assert len(after) == 36
    assert sum(after[path] == when for path, when in before.items()) >= 20


def test_a_disk_that_is_too_small_ends_a_search_before_it_begins(
    videos: Videos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 5000))  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"copies of the 16 videos that are left will take about .*B, and 5.00 kB"):
        prepare_for(space_on(videos, tmp_path / "fast", "prepare.side=32"), renew=True)


def test_a_side_that_only_measuring_would_tell_has_to_be_given(videos: Videos, tmp_path: Path) -> None:
    measured = ("complexity=latency", "regimes.bounds={Fast: 1.0}")
    with pytest.raises(UsageError, match=r"prepare\.side: the crops of a space whose complexity is latency"):
        prepare_for(space_on(videos, tmp_path / "fast", *measured), renew=True)
    assert not (tmp_path / "fast").exists()


def test_no_folder_no_copies(videos: Videos) -> None:
    space, _ = load_space("smoke", [f"data.train='{videos.train}'", f"data.val='{videos.val}'"])
    prepare_for(space, renew=True)
    assert read_videos(space).train.path == videos.train


def test_the_folder_starts_from_that_of_the_space(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("prepare: {folder: fast}\n")
    assert load_space(str(tmp_path / "space.yaml"))[0].prepare.folder == str(tmp_path / "fast")
