"""How fast a trial trains, in words; what to change where reading holds it up; when a step may be ready."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from expander.cli.remaining import seconds_left
from expander.pace import advice, figures, held_up, speed, told
from expander.trial import Epoch

EPOCH = Epoch("t", 2, 10, 1.25, 0.5, 0.05, 100.0, clips_per_second=60.0, waited=0.4, gpu_memory=3 * 2**29)


def test_an_epoch_is_told_with_all_that_is_known_of_its_pace() -> None:
    assert told(EPOCH) == (
        "epoch 2/10, loss 1.250, train top-1 50.0%, rate 0.05, 1 min 40 s, 60.0 clips/s, 40% waiting for data,"
        " 1.5 GiB of GPU memory"
    )
    assert figures(Epoch("t", 2, 10, 1.25, 0.5, 0.05, 100.0)) == []


@pytest.mark.parametrize(
    ("clips", "text"),
    [(0.0, "0"), (0.04567, "0.0457"), (4.567, "4.57"), (45.67, "45.7"), (456.7, "457"), (4567.0, "4,567")],
)
def test_a_speed_has_three_digits(clips: float, text: str) -> None:
    assert speed(clips) == text


def test_reading_sets_the_pace_over_a_fifth_of_an_epoch() -> None:
    assert held_up(EPOCH)
    assert not held_up(replace(EPOCH, waited=0.2))
    assert not held_up(replace(EPOCH, waited=None))


@pytest.mark.parametrize(
    ("workers", "waited", "wanted"),
    [
        (0, 0.25, 1),  # 25 s of decoding beside 75 s of computing
        (0, 0.7, 3),  # 70 s of decoding beside 30 s
        (3, 0.4, 5),  # 3 x 100 s of decoding in 60 s
        (4, 0.5, 8),
        (2, 1.0, 200),  # nothing was computed: a bound, not a division by zero
    ],
)
def test_so_many_workers_would_decode_within_the_time_of_computing(workers: int, waited: float, wanted: int) -> None:
    assert f"Set resources.loader_workers to {wanted} (now {workers})" in advice(replace(EPOCH, waited=waited), workers)


def test_the_advice_says_what_was_measured_and_every_way_out() -> None:
    assert advice(EPOCH, 3) == (
        "epoch 2 spent 40% of its 1 min 40 s waiting for data (60.0 clips/s; computing alone 100): reading video, not"
        " computing, sets the pace. Set resources.loader_workers to 5 (now 3) and resources.cpus so that each has a"
        " core; or copy the videos with `expander data prepare`, unless they are copies already"
    )


def candidate(trial: str | None, state: str, *, epoch: int | None = None, flops: int = 100) -> Any:
    return SimpleNamespace(trial=trial, state=state, epoch=epoch, epochs=10, flops=flops)


def left(measured: dict[str, tuple[float, ...]], *candidates: Any) -> float | None:
    return seconds_left(cast(Any, SimpleNamespace(candidates=candidates)), measured)


def test_a_running_trial_takes_its_median_epoch_for_each_that_is_left() -> None:
    assert left({"a": (90.0, 2.0, 3.0)}, candidate("a", "running", epoch=3)) == 7 * 3.0


def test_what_waits_takes_the_first_slot_that_is_free_at_the_pace_of_its_flops() -> None:
    step = (
        candidate("a", "running", epoch=5),  # 5 x 2 s
        candidate("b", "running", epoch=8, flops=300),  # 2 x 6 s
        candidate("c", "pending", flops=200),  # 10 x 4 s, after a
        candidate("d", "pending", flops=50),  # 10 x 1 s, after b
        candidate("e", "completed", epoch=10),
        candidate("f", "failed", epoch=2),
        candidate(None, "infeasible"),
    )
    assert left({"a": (2.0,), "b": (6.0,), "e": (2.0,)}, *step) == 10 + 40


def test_candidates_that_share_a_trial_are_trained_once() -> None:
    assert left({"a": (2.0,)}, candidate("a", "running", epoch=5), candidate("a", "running", epoch=5)) == 10


def test_nothing_is_estimated_before_an_epoch_is_measured_or_where_nothing_runs() -> None:
    assert left({}, candidate("a", "running")) is None
    assert left({"a": (2.0,)}, candidate("a", "pending", epoch=5)) is None
