"""Kills of every kind, in every run of the tests; `make chaos` does a hundred."""

from __future__ import annotations

import random

import chaos
import pytest
import servers

SEED = 15
KILLS = 15


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
def test_whatever_is_killed_the_search_ends_as_the_undisturbed_one() -> None:
    if reason := servers.missing():
        pytest.skip(reason)
    kinds = [chaos.KINDS[number % len(chaos.KINDS)] for number in range(KILLS)]
    random.Random(SEED).shuffle(kinds)
    done = chaos.chaos(kinds, SEED, per_search=5)
    print(chaos.table(done.tallies))
    assert sum(tally.kills for tally in done.tallies.values()) == KILLS
    assert all(tally.kills for tally in done.tallies.values())
    assert done.problems == [], f"seed {SEED}"


def test_work_that_is_done_twice_is_found() -> None:
    log = [("begin", "a", 1, 7), ("saved", "a", 1, 7), ("begin", "a", 2, 7)]
    assert chaos.lost([*log, ("begin", "a", 2, 8), ("saved", "a", 2, 8)]) == []
    assert chaos.lost([*log, ("begin", "a", 1, 8)]) == ["epoch 1 of trial a was saved and is trained again"]
    again = [*log, ("completed", "a", 2, 7), ("begin", "a", 3, 8)]
    assert chaos.lost(again) == ["trial a had completed and is trained again"]
