"""What an attempt leaves for people: the pace of its epochs, a log, and curves that TensorBoard reads."""

from __future__ import annotations

import logging
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Videos
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog

from expander.errors import DataError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Completed, Epoch, Metrics, Told, Trial, Views, Warned
from trainers.data.manifest import ManifestSource
from trainers.events import Curves
from trainers.journal import keeping_journal
from trainers.stopwatch import Stopwatch
from trainers.training import VideoTraining

GEOMETRY = Geometry(1, None, 24, (Stage(1, 8, 12, 8),), classes=6, head_width=16)
RECIPE = Recipe(epochs=3, batch=8, base_rate=0.05, reference_batch=8, batchnorm_group=8)
CPU = torch.device("cpu")
TRIAL = Trial(GEOMETRY, RECIPE, "test", Views(clips=1), seed=3)
EVERY_CURVE = {
    *("train/loss", "train/top1", "train/rate"),
    *("pace/epoch_seconds", "pace/clips_per_second", "pace/waiting_for_data"),
    *("val/top1", "val/top5", "val/loss"),
}


@pytest.fixture
def training(videos: Videos, tmp_path: Path) -> VideoTraining:
    sources = (ManifestSource(videos.train), ManifestSource(videos.val))
    (tmp_path / "runs" / "trials").mkdir(parents=True)
    return VideoTraining(*sources, runs=tmp_path / "runs", threads=1, device="cpu")


@pytest.fixture
def folder(training: VideoTraining) -> Path:
    return training.runs / "trials" / TRIAL.id


def events(folder: Path) -> Iterator[Event]:
    """Every event of the files in `folder`, with its checksums checked: as the format of TFRecord says."""
    for path in sorted(folder.glob("*tfevents*")):
        content = path.read_bytes()
        while content:
            (length,), size = struct.unpack_from("<Q", content), content[:8]
            data = content[12 : 12 + length]
            for value, at in ((size, 8), (data, 12 + length)):
                assert struct.unpack_from("<I", content, at) == (masked(value),)
            yield Event.FromString(data)
            content = content[16 + length :]


def masked(data: bytes) -> int:
    checksum = crc32c(data)
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Curve -> its points, in the order of the file."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def epoch(number: int, loss: float = 1.0) -> Epoch:
    return Epoch(TRIAL.id, number, 3, loss, 0.5, 0.1, 10.0)


# How fast


def slowly(items: int, seconds: float) -> Iterator[int]:
    for item in range(items):
        time.sleep(seconds)
        yield item


def test_the_share_of_waiting_is_that_of_the_wall_time() -> None:
    stopwatch, begun = Stopwatch(CPU), time.monotonic()
    for _ in stopwatch.waiting_for(slowly(5, 0.03)):
        time.sleep(0.01)
    pace = stopwatch.stop(clips=20)
    assert pace.seconds == pytest.approx(time.monotonic() - begun, abs=0.02)
    assert pace.clips_per_second == pytest.approx(20 / pace.seconds)
    # 150 of 200 ms, where the machine is quiet.
    assert 0.15 <= pace.waited * pace.seconds < pace.seconds - 0.045
    assert pace.gpu_memory is None


def test_data_that_are_there_are_not_waited_for() -> None:
    stopwatch = Stopwatch(CPU)
    assert list(stopwatch.waiting_for("abc")) == ["a", "b", "c"]
    time.sleep(0.05)
    assert stopwatch.stop(clips=3).waited < 0.1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_still_computes_is_not_waiting() -> None:
    device = torch.device("cuda")
    matrix = torch.ones(4096, 4096, device=device)
    matrix @ matrix
    torch.cuda.synchronize()
    stopwatch = Stopwatch(device)
    for item in stopwatch.waiting_for(slowly(3, 0.05)):
        if item == 1:
            for _ in range(300):  # longer than the wait that follows
                matrix @ matrix
    pace = stopwatch.stop(clips=3)
    assert 0.09 < pace.waited * pace.seconds < 0.13
    assert pace.gpu_memory is not None
    assert pace.gpu_memory >= 4 * 4096**2


# Curves


def test_a_trial_leaves_every_curve_with_one_point_an_epoch(training: VideoTraining, folder: Path) -> None:
    epochs: list[Epoch] = []
    completed = training(TRIAL, epochs.append)
    found = curves(folder / "events")
    assert set(found) == EVERY_CURVE
    assert found["train/loss"] == [(each.number, pytest.approx(each.loss)) for each in epochs]
    assert found["train/rate"] == [(each.number, pytest.approx(each.rate)) for each in epochs]
    assert found["val/top1"] == [(3, pytest.approx(completed.metrics.top1))]
    assert all(0 <= each.waited <= 1 and each.clips_per_second > 0 for each in epochs)  # type: ignore[operator]


def test_an_epoch_that_is_lost_and_trained_again_shows_once(training: VideoTraining, folder: Path) -> None:
    def stop_after_two(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(TRIAL, stop_after_two)
    assert [step for step, _ in curves(folder / "events")["train/loss"]] == [1, 2]
    (folder / "epoch-00002.checkpoint").write_bytes(b"torn")  # as after a power cut
    told: list[Told] = []
    training(TRIAL, told.append)
    warned, *epochs = told
    assert isinstance(warned, Warned)
    assert "epoch-00002.checkpoint is damaged" in warned.text
    assert [each.number for each in epochs if isinstance(each, Epoch)] == [2, 3]
    assert len(list((folder / "events").glob("*"))) == 1
    for curve, points in curves(folder / "events").items():
        assert [step for step, _ in points] == ([3] if curve.startswith("val/") else [1, 2, 3]), curve


def test_an_epoch_that_was_saved_but_not_drawn_before_a_kill_is_drawn_by_the_next_attempt(tmp_path: Path) -> None:
    before = Curves(tmp_path)
    before.epoch(epoch(1))  # and then killed, with the checkpoint of epoch 2 on disk
    after = Curves(tmp_path, [epoch(1), epoch(2, loss=0.5)])
    after.epoch(epoch(3))
    after.close()
    before.close()
    assert curves(tmp_path)["train/loss"] == [(1, 1.0), (2, 0.5), (3, 1.0)]


def test_an_open_tensorboard_is_told_to_forget_what_it_has_read(tmp_path: Path) -> None:
    Curves(tmp_path, [epoch(1), epoch(2)]).close()
    first, second, *points = events(tmp_path)
    assert first.file_version == "brain.Event:2"
    assert (second.step, second.session_log.status) == (1, SessionLog.START)
    times = [point.wall_time for point in points if point.summary.value[0].tag == "train/loss"]
    assert times[1] - times[0] == pytest.approx(10.0)
    assert times[1] == pytest.approx(time.time(), abs=60)


def test_a_point_is_on_disk_as_soon_as_its_epoch_is_told(tmp_path: Path) -> None:
    drawn = Curves(tmp_path)
    drawn.epoch(epoch(1))
    assert curves(tmp_path)["train/loss"] == [(1, 1.0)]
    drawn.close()


def test_curves_that_cannot_be_written_are_a_warning_and_no_failure(
    training: VideoTraining, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir(parents=True)
    (folder / "events").write_text("in the way")
    training(TRIAL, lambda epoch: None)
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        f"the trial goes on without its curves for TensorBoard: [Errno 17] File exists: '{folder / 'events'}'"
    ]
    assert "goes on without its curves" in (folder / "log.txt").read_text()


# The log


def log_of(folder: Path, deed: Callable[[], None], loader_workers: int = 0) -> str:
    with keeping_journal(folder, TRIAL, loader_workers, {"torch": "9.9"}, [].append) as journal:
        journal.goes_on([], CPU)
        deed()
        journal.completed(Completed(TRIAL.id, Metrics(0.5, 1.0, 0.25, 8), 61.0), 3)
    return (folder / "log.txt").read_text()


def test_the_log_has_the_attempt_its_epochs_and_its_score(training: VideoTraining, folder: Path) -> None:
    training(TRIAL, lambda epoch: None)
    attempt, trial, device, *lines = (folder / "log.txt").read_text().splitlines()
    assert "---- attempt on " in attempt
    assert " with 0 loader workers; python 3." in attempt
    assert f"trial {TRIAL.id}: 1 frame of 24 pixels, blocks 1, widths 8; " in trial
    assert '"base_rate": 0.05' in trial
    assert device.endswith("Z trains on the CPU with 1 thread")
    told = [line.partition("Z ")[2] for line in lines]
    assert [line.partition(",")[0] for line in told if line.startswith("epoch") and "/3" in line] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert told[-1].startswith("completed in ")
    assert "on 12 videos" in told[-1]


def test_an_attempt_is_added_to_those_before(training: VideoTraining, folder: Path) -> None:
    def stop(epoch: Epoch) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        training(TRIAL, stop)
    training(TRIAL, lambda epoch: None)
    log = (folder / "log.txt").read_text()
    assert log.count("---- attempt on ") == 2
    assert log.count("epoch 1/3") == 1
    assert "stopped (SystemExit); the next attempt goes on from the last checkpoint" in log
    assert "trains on the CPU with 1 thread, goes on after epoch 1 of 3" in log


def test_damaged_videos_are_in_the_log_with_their_reasons_and_a_failure_with_its_traceback(
    training: VideoTraining, folder: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(b"no video")
    manifest = tmp_path / "train.csv"
    lines = training.train.path.read_text().splitlines()
    kept = [f"{training.train.path.parent / line}" for line in lines]
    manifest.write_text("\n".join([f"{torn} {lines[0].split()[1]}", *kept]) + "\n")
    damaged = replace(training, train=ManifestSource(manifest, outside_root=True), damage_share=0.5)
    damaged(TRIAL, lambda epoch: None)
    log = (folder / "log.txt").read_text()
    assert log.count(f"damaged video {torn}: ") == 1
    assert log.index(f"damaged video {torn}: ") < log.index("epoch 1/3")
    other = replace(TRIAL, seed=4)
    with pytest.raises(DataError):
        replace(damaged, damage_share=0.0)(other, lambda epoch: None)
    log = (training.runs / "trials" / other.id / "log.txt").read_text()
    assert "Traceback (most recent call last)" in log
    assert "DataError: 1 of 25 videos cannot be read" in log


def test_warnings_of_anybody_are_in_the_log_and_still_where_they_went_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a process of ours, where nobody handles what is logged.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    def warn() -> None:
        warnings.warn("the moon is full", UserWarning, stacklevel=1)
        logging.getLogger("somebody.else").warning("the tide is high")
        logging.getLogger("somebody.else").info("nothing of note")
        logging.getLogger("trainers.checkpoint").warning("the last one is damaged")

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        log = log_of(tmp_path, warn)
    for line in ("UserWarning: the moon is full", "the tide is high", "the last one is damaged"):
        assert log.count(line) == 1
    assert "nothing of note" not in log
    assert [str(each.message) for each in warned] == ["the moon is full"]
    shown = capsys.readouterr().err
    assert "the tide is high" in shown
    assert "attempt on" not in shown


def test_nothing_of_the_attempt_is_left_in_the_process(tmp_path: Path) -> None:
    root, ours, show = logging.getLogger(), logging.getLogger("trainers"), warnings.showwarning
    before = (list(root.handlers), ours.level)
    log_of(tmp_path, lambda: None)
    assert (list(root.handlers), ours.level) == before
    assert warnings.showwarning is show


def test_reading_that_holds_a_trial_up_is_in_the_log_once_with_what_to_change(tmp_path: Path) -> None:
    slow = [replace(epoch(number), waited=0.5, clips_per_second=8.0) for number in (4, 5, 6)]
    with keeping_journal(tmp_path, TRIAL, 3, {}, [].append) as journal:
        journal.goes_on([epoch(number) for number in (1, 2, 3)], CPU)
        for each in slow:
            journal.epoch(each)
    log = (tmp_path / "log.txt").read_text()
    assert log.count("sets the pace") == 1
    assert "epoch 5 spent 50% of its 10 s waiting for data (8.00 clips/s; computing alone 16.0)" in log
    assert "Set resources.loader_workers to 6 (now 3)" in log


def test_a_process_that_does_not_lead_its_trial_writes_nothing(tmp_path: Path) -> None:
    with keeping_journal(tmp_path, TRIAL, 0, {}, [].append, leads=False) as journal:
        journal.goes_on([], CPU)
        journal.epoch(epoch(1))
        journal.completed(Completed(TRIAL.id, Metrics(0.5, 1.0, 0.25, 8), 61.0), 3)
        logging.getLogger("trainers.checkpoint").info("not a word")
    assert list(tmp_path.iterdir()) == []
