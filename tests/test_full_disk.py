"""A disk that is full, read-only or gone fails a trial with that reason, and nothing is lost once it is mended."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import Expander, Videos
from disks import Disk, mounted, unfinished
from test_prepare import SETTINGS, pair, small_set
from test_store import DATA, VALUES, new_search
from test_team_dispatch import Meter

from expander.errors import FileError, StoreError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.search import next_step
from expander.space import read_space
from expander.trial import Epoch, Event, Failed, Started, Told, Trial, Views, Warned
from results.export import export_configs
from results.store import open_store
from trainers.data.manifest import ManifestSource
from trainers.data.prepare import Finished, prepare
from trainers.dispatch.inline import InlineDispatcher
from trainers.training import VideoTraining

GEOMETRY = Geometry(1, None, 24, (Stage(1, 8, 12, 8),), classes=6, head_width=16)
RECIPE = Recipe(epochs=3, batch=8, base_rate=0.05, reference_batch=8, batchnorm_group=8)
TRIAL = Trial(GEOMETRY, RECIPE, "test", Views(clips=1), seed=3)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path, "4m") as made:
        yield made


@pytest.fixture
def training(videos: Videos, disk: Disk) -> VideoTraining:
    sources = (ManifestSource(videos.train), ManifestSource(videos.val))
    (disk.path / "runs" / "trials").mkdir(parents=True)
    return VideoTraining(*sources, runs=disk.path / "runs", threads=1, device="cpu")


@pytest.fixture(scope="module")
def undisturbed(videos: Videos, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of the trial on a disk without troubles."""
    runs = tmp_path_factory.mktemp("undisturbed")
    (runs / "trials").mkdir()
    sources = (ManifestSource(videos.train), ManifestSource(videos.val))
    return weights(VideoTraining(*sources, runs=runs, threads=1, device="cpu"))


def weights(training: VideoTraining, report: Callable[[Told], None] = lambda told: None) -> bytes:
    completed = training(TRIAL, report)
    assert completed.weights is not None
    return Path(completed.weights).read_bytes()


def after_epoch(number: int, deed: Callable[[], None]) -> Callable[[Told], None]:
    def report(told: Told) -> None:
        if isinstance(told, Epoch) and told.number == number:
            deed()

    return report


def checkpoints(training: VideoTraining) -> list[str]:
    return sorted(path.name for path in (training.runs / "trials" / TRIAL.id).glob("epoch*"))


def test_a_full_disk_fails_the_trial_with_its_reason_and_with_space_it_goes_on_from_its_checkpoint(
    training: VideoTraining, disk: Disk, undisturbed: bytes
) -> None:
    with pytest.raises(FileError) as full:
        training(TRIAL, after_epoch(1, disk.fill))
    assert "epoch-00002.checkpoint cannot be written: No space left on device (" in str(full.value)
    assert "of 4.19 MB are free); free some space there" in str(full.value)
    assert isinstance(full.value.__cause__, OSError)
    assert full.value.number == errno.ENOSPC
    assert checkpoints(training) == ["epoch-00001.checkpoint"]
    assert unfinished(disk.path) == []

    disk.empty()
    epochs: list[Told] = []
    assert weights(training, epochs.append) == undisturbed
    assert [each.number for each in epochs if isinstance(each, Epoch)] == [2, 3]


def test_a_disk_that_is_full_before_the_weights_are_written_loses_no_epoch(
    training: VideoTraining, disk: Disk, undisturbed: bytes
) -> None:
    with pytest.raises(FileError, match=r"weights\.safetensors cannot be written: No space left"):
        training(TRIAL, after_epoch(3, disk.fill))
    assert unfinished(disk.path) == []
    disk.empty()
    epochs: list[Told] = []
    assert weights(training, epochs.append) == undisturbed
    assert not any(isinstance(each, Epoch) for each in epochs)


def test_a_read_only_folder_fails_the_trial_before_an_epoch_is_spent_on_it(
    training: VideoTraining, disk: Disk, undisturbed: bytes
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(TRIAL, after_epoch(1, stop))
    disk.read_only(True)
    epochs: list[Told] = []
    with pytest.raises(FileError, match="cannot be written to: Read-only file system; have its file system mounted"):
        training(TRIAL, epochs.append)
    assert epochs == []
    disk.read_only(False)
    assert weights(training) == undisturbed


def test_where_a_mount_has_vanished_nothing_is_written_in_its_place(
    training: VideoTraining, disk: Disk, undisturbed: bytes
) -> None:
    with pytest.raises(FileError, match=r"epoch-00002\.checkpoint cannot be written: .* mount it again"):
        training(TRIAL, after_epoch(1, disk.vanish))
    with pytest.raises(FileError, match=r"trials is not there; its file system may have been unmounted"):
        training(TRIAL, lambda told: None)
    assert list(disk.path.iterdir()) == []

    disk.come_back()
    assert checkpoints(training) == ["epoch-00001.checkpoint"]
    epochs: list[Told] = []
    assert weights(training, epochs.append) == undisturbed
    assert [each.number for each in epochs if isinstance(each, Epoch)] == [2, 3]


def test_a_log_and_curves_that_cannot_be_written_are_warned_of_once_and_stop_nothing(
    training: VideoTraining, undisturbed: bytes
) -> None:
    folder = training.runs / "trials" / TRIAL.id
    folder.mkdir()
    (folder / "log.txt").symlink_to("/dev/full")
    (folder / "events").write_bytes(b"no folder")
    told: list[Told] = []
    assert weights(training, told.append) == undisturbed
    log, curves = (each.text for each in told if isinstance(each, Warned))
    assert log.startswith("the trial goes on without its ")
    assert log.endswith("No space left on device")
    assert "goes on without its curves for TensorBoard" in curves


def test_of_a_team_the_reason_of_the_leader_is_told(training: VideoTraining, disk: Disk, undisturbed: bytes) -> None:
    def events(fill_after: int | None = None) -> list[Event]:
        found = []
        dispatcher = InlineDispatcher(training, Meter(), workers=2)
        for event in dispatcher.run([TRIAL], again=lambda failed: None):
            found.append(event)
            if isinstance(event, Started) and fill_after is not None:
                disk.fill(leave=fill_after)
        return found

    failed = events(fill_after=0)[-1]
    assert isinstance(failed, Failed)
    assert "epoch-00001.checkpoint cannot be written: No space left on device" in failed.reason
    assert "FileError" in failed.traceback
    disk.empty()
    events()
    assert (training.runs / "trials" / TRIAL.id / "weights.safetensors").read_bytes() == undisturbed


def test_a_store_on_a_full_disk_keeps_what_it_had_and_goes_on_with_space(disk: Disk) -> None:
    space = read_space({**VALUES, "recipe": {"epochs": 100, "batch": 8}}, {}, "the test's space")
    step = next_step(space, (), DATA)
    assert step is not None
    trial = step.trials[0].id
    first = Epoch(trial, 1, step.recipe.epochs, 0.5, 0.5, 0.1, 1.0)
    with closing(open_store(f"sqlite:///{disk.path}/store.db", create=True)) as store:
        search = new_search(store, space=space)
        search.enroll(step)
        disk.fill()
        recorded: list[Epoch] = []

        def record() -> None:
            while len(recorded) < 100:  # what is left of a page is used up first
                search.record(epoch := replace(first, number=len(recorded) + 1))
                recorded.append(epoch)

        with pytest.raises(StoreError, match=r"(?i)full; nothing of this was written.*free some space on its disk"):
            record()
        assert list(search.trial(trial).epochs) == recorded
        disk.empty()
        record()
        assert list(search.trial(trial).epochs) == recorded


def test_a_search_is_refused_where_its_checkpoints_have_no_room_and_its_name_stays_free(
    expander: Expander, videos: Videos, disk: Disk, tmp_path: Path
) -> None:
    arguments = [
        "search",
        "smoke",
        "--name",
        "a",
        "--train",
        videos.train,
        "--val",
        videos.val,
        "--dispatcher",
        "inline",
    ]
    refused = expander(*arguments, "--runs", disk.path / "runs", code=2).stderr
    said = " ".join(refused.split())
    assert "the checkpoints of the 5 trials of step 1 take about 16.3 MB more" in said
    assert "4.19 MB are free there. Free some space, or give --runs a folder on a larger disk" in said
    status = json.loads(expander("status", "--json").stdout)
    assert status["searches"] == []


def test_a_search_whose_disk_with_store_and_checkpoints_is_full_ends_as_another_once_there_is_space(
    expander: Expander, videos: Videos, disk: Disk, tmp_path: Path
) -> None:
    shrunk = ["recipe.epochs=1", "recipe.batch=12", "recipe.batchnorm_group=12", "views.clips=1", "failures.retries=0"]
    axes = "expansion.axes=[fast, depth]"
    common = ["--train", videos.train, "--val", videos.val, "--dispatcher", "inline", "--steps", 1, "--json"]
    common += [f"--set={key}" for key in (*shrunk, axes)]
    undisturbed = expander("search", "smoke", "--name", "a", *common).stdout

    disk.resize("32m")
    store = ["--store", f"sqlite:///{disk.path}/store.db"]
    said = fill_meanwhile(expander, disk, ["search", "smoke", "--name", "a", *common, *store, "--runs", disk.path])
    assert "No space left on device" in said or "database or disk is full" in said
    assert "Traceback" not in said
    disk.empty()
    assert result(expander("resume", "a", *store, "--dispatcher", "inline", "--json").stdout) == result(undisturbed)
    assert unfinished(disk.path) == []


def fill_meanwhile(expander: Expander, disk: Disk, arguments: list[Any]) -> str:
    """What a search says whose disk somebody fills when its first trial has written a checkpoint."""

    def fill() -> None:
        while not list(disk.path.glob("trials/*/epoch*")):
            time.sleep(0.002)
        disk.fill()

    other = Thread(target=fill)
    other.start()
    try:
        return " ".join(expander(*arguments, code=1).stderr.split())
    finally:
        other.join()


def result(status: str) -> dict[str, Any]:
    """What must not depend on the disk."""
    document = json.loads(status)
    steps = [
        (step["chosen"], [(each["axis"], each["trial"], each["score"]) for each in step["candidates"]])
        for step in document["steps"]
    ]
    return {"state": document["state"], "steps": steps, "instances": document["instances"]}


def test_what_is_exported_to_a_full_disk_is_whole_or_absent(disk: Disk) -> None:
    from expander.cli.networks import shipped_configs

    (out := disk.path / "out").mkdir()
    source = disk.path.parent / "X3D-S.safetensors"
    source.write_bytes(bytes(1_000_000))
    disk.fill(leave=500_000)
    config = shipped_configs()["X3D-S"]
    with pytest.raises(FileError, match=r"X3D-S\.safetensors cannot be written: No space left on device"):
        export_configs([config], out, "yaml", {"X3D-S": source})
    assert list(out.iterdir()) == []
    disk.empty()
    (written,) = export_configs([config], out, "yaml", {"X3D-S": source})
    assert written.weights is not None
    assert written.weights.read_bytes() == source.read_bytes()


def test_videos_are_prepared_on_a_full_disk_once_it_has_space(disk: Disk, tmp_path: Path) -> None:
    manifests = pair(*small_set(tmp_path / "set"))
    disk.fill(leave=24_000)
    with pytest.raises(FileError, match=r"No space left on device .* the same command goes on from here"):
        list(prepare(disk.path / "fast", manifests, SETTINGS, workers=1))
    assert not (disk.path / "fast" / "unfinished").exists()
    assert not (disk.path / "fast" / "train.csv").exists()
    disk.empty()
    *_, finished = prepare(disk.path / "fast", manifests, SETTINGS, workers=1)
    assert isinstance(finished, Finished)
    assert [made.state for made in finished.made] == ["prepared"] * 4
