"""What follows from a failed attempt, and what is read out of it: no process fails here, see test_failing_trials.py."""

from __future__ import annotations

import errno

import pytest
import torch
from spaces import space_of
from test_coordinator import DECISIONS, FIRST, TINY, MemoryStore, Trainer, ignore

from expander.coordinator import run_search
from expander.errors import DataError, DeviceMemoryError, Diverged, StepFailed, TrialError
from expander.failure import KINDS, counted, suspects, verdict
from expander.space import FailuresSection
from expander.trial import Epoch, Failed, FailureKind, GoesOn
from trainers.dispatch.attempt import failed, kind_of
from trainers.dispatch.reason import reason
from trainers.dispatch.witness import LINES, WIDTH, Witness, last_attempt
from trainers.trial_log import ATTEMPT

THREE = FailuresSection(retries=3, backoff_seconds=10)
HERE, BOTH = frozenset({"a"}), frozenset({"a", "b"})


def failure(kind: FailureKind = FailureKind.ERROR, node: str = "a", trial: str = "t", epoch: int = 0) -> Failed:
    return Failed(trial, kind.value, kind=kind, node=node, epoch=epoch)


# What follows


@pytest.mark.parametrize("kind", ["hang", "signal", "disk", "error"])
def test_most_failures_are_tried_again_after_twice_as_long_each_time(kind):
    past = [failure(FailureKind(kind))]
    waits = []
    while (wait := verdict(past, THREE, HERE).wait) is not None:
        waits.append(wait)
        past.append(failure(FailureKind(kind)))
    assert waits == [10, 20, 40]
    assert verdict(past, THREE, HERE).why == "no further attempt: 4 of 4 attempts have failed"


@pytest.mark.parametrize("kind", ["diverged", "memory", "data", "code"])
def test_what_fails_alike_each_time_is_tried_once_more_and_only_on_another_node(kind):
    past = [failure(FailureKind(kind))]
    assert verdict(past, THREE, HERE).wait is None
    assert "there is no other node" in verdict(past, THREE, HERE).why
    assert verdict(past, THREE, BOTH).wait == 10
    assert verdict(past, THREE, BOTH).why == "attempt 2 of 4 on another node"
    past.append(failure(FailureKind(kind), "b"))
    assert verdict(past, THREE, BOTH | {"c"}).wait is None


def test_nothing_is_tried_again_where_the_space_says_so():
    none = FailuresSection(retries=0)
    assert all(
        verdict([failure(kind)], none, BOTH).wait is None for kind in FailureKind if kind is not FailureKind.LOST
    )


def test_no_wait_is_longer_than_an_hour_however_often_a_trial_failed():
    often = FailuresSection(retries=5000, backoff_seconds=10)
    assert verdict([failure()] * 3000, often, HERE).wait == 3600


@pytest.mark.parametrize("kind", ["signal", "lost"])
def test_a_kill_and_a_lost_machine_do_not_count_where_the_trial_came_further(kind):
    going_on = [failure(FailureKind(kind), epoch=epoch) for epoch in (1, 5, 6, 90)]
    assert counted(going_on) == 0
    assert verdict(going_on, FailuresSection(retries=0), HERE).wait == 30
    assert counted([*going_on, failure(epoch=91)]) == 1
    assert counted([failure(FailureKind.HANG, epoch=4), failure(FailureKind.SIGNAL, epoch=4)]) == 2


def test_only_a_trial_that_loses_its_machine_again_and_again_is_held_to_account():
    lost = FailureKind.LOST
    assert [counted([failure(lost)] * times) for times in range(1, 7)] == [0, 0, 0, 1, 2, 3]
    assert counted([*[failure(lost)] * 3, failure(lost, epoch=1), *[failure(lost, epoch=1)] * 3]) == 0
    assert verdict([failure(lost)] * 5, FailuresSection(retries=1), HERE).wait is None


def test_a_node_is_suspected_once_different_trials_have_failed_on_it_by_what_nodes_do():
    signal, error = FailureKind.SIGNAL, FailureKind.ERROR
    assert suspects([failure(signal)] * 9) == frozenset()
    assert suspects([failure(error, trial="t"), failure(error, trial="u")]) == frozenset()
    assert suspects([failure(signal, trial="t"), failure(FailureKind.HANG, trial="u")]) == {"a"}
    assert suspects([failure(signal, "a", "t"), failure(signal, "b", "u")]) == frozenset()


def test_every_kind_has_words():
    assert set(KINDS) == set(FailureKind)


# The loop


def ran(space, store, trainer):
    return run_search(space, store, trainer, "videos", ignore)


def test_the_loop_waits_longer_before_each_attempt():
    trainer = Trainer(failing={FIRST[1]: 3})
    ran(space_of(**TINY, failures={"retries": 3, "backoff_seconds": 7}), store := MemoryStore(), trainer)
    assert [wait for wait in trainer.waited if wait] == [7, 14, 28]
    assert store.made == DECISIONS
    assert [each.next for each in store.failures()] == [f"attempt {n} of 4" for n in (2, 3, 4)]


def test_a_resumed_search_waits_for_what_is_left_of_a_due_time():
    store = MemoryStore()
    store.record(Failed(FIRST[0], "broke", wait=12.5))  # as the store tells it: what is left
    trainer = Trainer()
    ran(space_of(**TINY), store, trainer)
    assert sorted(trainer.waited, reverse=True)[:2] == [12.5, 0]


def test_more_retries_in_the_space_are_granted_to_a_search_that_goes_on():
    store = MemoryStore()
    with pytest.raises(StepFailed):
        ran(space_of(**TINY, failures={"retries": 0}), store, Trainer(failing={FIRST[0]: None}))
    with pytest.raises(StepFailed, match="run `expander retry`"):
        ran(space_of(**TINY, failures={"retries": 0}), store, again := Trainer())
    assert not again.attempts
    ran(space_of(**TINY, failures={"retries": 1}), store, again)
    assert store.made == DECISIONS


def test_a_trial_that_goes_on_had_come_as_far_as_its_checkpoint():
    """Though its last epoch was cut off before it was reported."""

    class Machines(Trainer):
        def _attempt(self, trial):
            if trial.id == FIRST[0] and not self.attempts[trial.id]:
                yield GoesOn(trial.id, tuple(Epoch(trial.id, number, 9, 0.5, 0.5, 0.1, 1.0) for number in (1, 2)))
            return (yield from super()._attempt(trial))

    store = MemoryStore()
    ran(space_of(**TINY), store, Machines(failing={FIRST[0]: 1}))
    assert [failed.epoch for failed in store.failures()] == [2]
    assert store.made == DECISIONS


# What kind it is


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Diverged("the loss is nan"), "diverged"),
        (DeviceMemoryError("a single BN group"), "memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory"),
        (MemoryError(), "memory"),
        (DataError("9 of 10 videos cannot be read"), "data"),
        (ModuleNotFoundError("No module named 'av'"), "code"),
        (OSError(errno.ENOSPC, "No space left on device", "/runs/x"), "disk"),
        (OSError(errno.EROFS, "Read-only file system", "/runs/x"), "disk"),
        (OSError(errno.ESTALE, "Stale file handle"), "disk"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/mnt/gone"), "disk"),
        (raised_from(TrialError("the checkpoint cannot be written"), OSError(errno.EIO, "I/O error")), "disk"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "error"),
        (TrialError("a trial's folder is named by its id"), "error"),
        (ValueError("the weather is bad"), "error"),
    ],
)
def test_an_exception_is_of_a_kind(error, kind):
    assert kind_of(error) == kind
    assert failed("t", error).kind == kind


def test_a_file_that_cannot_be_written_is_named():
    assert "/runs/x" in failed("t", OSError(errno.ENOSPC, "No space left on device", "/runs/x")).reason


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Task was killed due to the node running low on memory.", "signal"),
        ("The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR", "signal"),
        ("", "signal"),
        ("The actor died because its node has died. Node Id: 1f2e", "lost"),
        ("The node with node id: 1f2e has been marked dead because the detector has missed heartbeats", "lost"),
        ("RuntimeError: The actor failed to import on the worker.\nModuleNotFoundError: No module named 'av'", "code"),
        ("ModuleNotFoundError: No module named 'x'", "error"),
    ],
)
def test_what_ray_says_of_a_lost_worker_is_of_a_kind(text, kind):
    found, line = reason("here:1", text)
    assert found == kind
    assert "here:1" in line


# What a log says


def log_with(tmp_path, *attempts):
    folder = tmp_path / "trials" / "t"
    folder.mkdir(parents=True)
    text = [line for worker, lines in attempts for line in (f"12:00 {ATTEMPT}{worker} with 0 loader workers", *lines)]
    (folder / "log.txt").write_text("\n".join(text))
    return folder / "log.txt"


def seen(tmp_path, worker="here:17"):
    return Witness(tmp_path).see(Failed("t", "it died", kind=FailureKind.SIGNAL, worker=worker))


def test_the_end_of_the_log_is_kept_of_the_last_attempt_and_bounded(tmp_path):
    log_with(tmp_path, ("here:16", ["old"]), ("here:17", [*map(str, range(100)), "x" * 10 * WIDTH]))
    lines = seen(tmp_path).log.splitlines()
    assert len(lines) == LINES
    assert lines[0] == "61"
    assert len(lines[-1]) < WIDTH + 10


def test_a_log_of_another_attempt_is_not_taken_for_this_ones(tmp_path):
    log_with(tmp_path, ("here:16", ["Timeout (0:30:00)!"]))
    assert seen(tmp_path).log == ""
    assert seen(tmp_path).kind == FailureKind.SIGNAL
    assert "Timeout" in seen(tmp_path, "here:16,17 there:4").log


def test_a_huge_log_is_read_from_its_end_alone(tmp_path):
    path = log_with(tmp_path, ("here:17", ["y" * 100] * 50_000))
    assert path.stat().st_size > 5_000_000
    assert sum(map(len, last_attempt(path, "here:17"))) < 300_000
    assert len(seen(tmp_path).log) < LINES * WIDTH


def test_no_log_is_no_trouble(tmp_path):
    assert seen(tmp_path).log == ""
    assert Witness(None).see(Failed("t", "it died")) == Failed("t", "it died")


@pytest.mark.parametrize(
    ("line", "kind", "word"),
    [
        ("Timeout (0:30:00)!", "hang", "made no progress for 0:30:00"),
        ("Fatal Python error: Segmentation fault", "signal", "SIGSEGV"),
        ("Fatal Python error: Aborted", "signal", "SIGABRT"),
    ],
)
def test_last_words_in_the_log_say_how_a_process_died(tmp_path, line, kind, word):
    log_with(tmp_path, ("here:17", ["trains", "", line, 'File "train.py", line 3 in _compute']))
    found = seen(tmp_path)
    assert found.kind == kind
    assert word in found.reason
    assert "line 3 in _compute" in found.log


def test_an_exception_that_a_process_told_is_not_taken_for_what_its_log_says(tmp_path):
    log_with(tmp_path, ("here:17", ["Timeout (0:30:00)!"]))
    told = Failed("t", "bad", "Traceback (most recent call last): ...", worker="here:17")
    assert Witness(tmp_path).see(told).kind == FailureKind.ERROR
