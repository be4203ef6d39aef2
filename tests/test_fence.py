"""The folder of a trial has one writer: an attempt that was replaced stops before it writes there again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Videos
from test_training import trial

from expander.errors import TrialError
from expander.trial import Epoch, GoesOn, Told
from trainers.data.manifest import ManifestSource
from trainers.fence import Claim, Fence
from trainers.training import VideoTraining

OLD = Claim("smoke", "c0ffee", 1, "2026-11-28T06:00:00.000000+00:00", "process 7 on here")
NEW = replace(OLD, number=2, claimed="2026-11-28T06:00:00.000001+00:00", holder="process 8 on there")


def begun(folder: Path, claim: Claim | None) -> Fence:
    fence = Fence(folder, claim)
    fence.begin()
    return fence


def test_an_attempt_writes_until_a_later_coordinator_has_begun_one(tmp_path: Path) -> None:
    old = begun(tmp_path, OLD)
    old.check()
    new = begun(tmp_path, NEW)
    with pytest.raises(TrialError) as error:
        old.check()
    assert str(error.value) == (
        "this attempt was replaced by process 8 on there (lease 2 of search 'smoke', claimed"
        f" 2026-11-28T06:00:00.000001+00:00), and writes no more to {tmp_path}"
    )
    new.check()


def test_a_coordinator_that_was_taken_over_cannot_begin_what_the_new_one_has_begun(tmp_path: Path) -> None:
    new = begun(tmp_path, NEW)
    with pytest.raises(TrialError, match="replaced by process 8 on there"):
        begun(tmp_path, OLD)
    new.check()


def test_the_same_coordinator_replaces_an_attempt_that_it_has_lost_sight_of(tmp_path: Path) -> None:
    lost, again = begun(tmp_path, OLD), begun(tmp_path, OLD)
    again.check()
    with pytest.raises(TrialError, match="replaced by a later attempt of the same coordinator"):
        lost.check()


def test_a_store_that_was_restored_and_counts_its_leases_again_goes_on(tmp_path: Path) -> None:
    begun(tmp_path, replace(OLD, number=9))
    begun(tmp_path, replace(NEW, number=2)).check()


def test_searches_that_train_the_same_do_not_stop_each_other(tmp_path: Path) -> None:
    one, other = begun(tmp_path, NEW), begun(tmp_path, replace(OLD, search="other", key="cafe"))
    one.check()
    other.check()


def test_a_torn_or_removed_file_stops_nobody(tmp_path: Path) -> None:
    fence = begun(tmp_path, OLD)
    (file,) = tmp_path.iterdir()
    for content in ("", "[]", "{}", '{"attempt": "x"}', file.read_text()[:40]):
        file.write_text(content)
        fence.check()
    file.unlink()
    fence.check()
    begun(tmp_path, OLD).check()


def test_without_a_coordinator_nothing_is_left_behind(tmp_path: Path) -> None:
    begun(tmp_path, None).check()
    assert list(tmp_path.iterdir()) == []


def test_a_training_whose_trial_another_coordinator_has_taken_over_leaves_its_folder_alone(
    videos: Videos, tmp_path: Path
) -> None:
    sources = ManifestSource(videos.train), ManifestSource(videos.val)
    old = VideoTraining(*sources, runs=tmp_path, threads=1, device="cpu", claim=OLD)
    folder, epochs = tmp_path / "trials" / trial().id, list[Epoch]()
    folder.parent.mkdir()

    def taken_over(epoch: Epoch) -> None:
        epochs.append(epoch)
        begun(folder, NEW)

    with pytest.raises(TrialError, match="replaced by process 8 on there"):
        old(trial(), taken_over)
    assert [epoch.number for epoch in epochs] == [1]
    names = {path.name for path in folder.iterdir()}
    assert names == {"attempt-c0ffee.json", "epoch-00001.checkpoint", "events", "log.txt"}
    with pytest.raises(TrialError, match="replaced by process 8 on there"):
        old(trial(), epochs.append)
    told = list[Told]()
    completed = replace(old, claim=NEW)(trial(), told.append)
    behind, *others = told
    assert behind == GoesOn(trial().id, tuple(epochs))
    assert [each.number for each in others if isinstance(each, Epoch)] == [2, 3]
    assert completed.trial == trial().id
