"""Trials that are begun before their step: they change no decision, and leave a store whole."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import spaces
from test_coordinator import MemoryStore
from test_store import DATA, SPACE, completed, epoch, new_search, whole_search

from expander.coordinator import NO_WAITS, nobody, nowhere, run_search
from expander.errors import SpaceError
from expander.search import foreseen, instances, next_step
from expander.space import SearchSpace, read_space
from expander.trial import Event, Failed, Started, Trial
from results.check.store import check
from results.connect import connect
from results.store import SearchStore, SqlStore, open_store
from trainers.dispatch.early import Early


def ahead(space: SearchSpace, speculation: str) -> SearchSpace:
    return space.model_copy(update={"resources": space.resources.model_copy(update={"speculation": speculation})})


class Eager:
    """Trains up to `room` early trials before each of its own, some of them only in part, as luck has it.

    begun: every attempt, `early` those that were early. failing: early trials fail, all of them.
    """

    meter: Any = None
    nodes = frozenset({"here"})

    def __init__(self, seed: int = 0, room: int = 2, *, failing: bool = False) -> None:
        self.luck = random.Random(seed)
        self.room = room
        self.failing = failing
        self.begun: Counter[str] = Counter()
        self.early: Counter[str] = Counter()
        self.finished: Counter[str] = Counter()
        self.named: list[frozenset[str]] = []

    def run(
        self,
        trials: Sequence[Trial],
        again: Callable[[Failed], float | None],
        waits: Mapping[str, float] = NO_WAITS,
        avoid: Callable[[str], frozenset[str]] = nowhere,
        early: Callable[[], Sequence[Trial]] = nobody,
    ) -> Generator[Event, None, None]:
        mine: set[str] = set()
        for trial in trials:
            wanted = [other for other in early() if other.id not in mine]
            self.named.append(frozenset(other.id for other in wanted))
            assert not {each.id for each in trials} & self.named[-1]
            for other in wanted[: self.room]:
                mine.add(other.id)
                self.early[other.id] += 1
                yield from self._early(other.id)
            yield from self._attempt(trial.id)

    def _early(self, trial: str) -> Iterator[Event]:
        if self.failing:
            yield Started(trial, "here:1")
            yield Failed(trial, "too early")
            return
        events = list(self._attempt(trial))
        # Whatever is cut off is trained again: nothing here has checkpoints.
        cut = self.luck.choice((1, 2, len(events)))
        if cut < len(events):
            self.finished[trial] -= 1
        yield from events[:cut]

    def _attempt(self, trial: str) -> Iterator[Event]:
        self.begun[trial] += 1
        yield Started(trial, "here:1")
        yield epoch(trial, 1)
        yield epoch(trial, 2)
        self.finished[trial] += 1
        yield replace(completed(trial), weights=None, weights_sha256=None)


def problems(store: SqlStore) -> list[str]:
    with closing(connect(store.url, create=False)) as database:
        return [problem.line for problem in check(database)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{tmp_path}/s.db", create=True)) as opened:
        yield opened


def carry_on(
    search: SearchStore, space: SearchSpace, dispatcher: Eager, watch: Callable[..., None] = lambda *_: None
) -> None:
    run_search(space, search, dispatcher, DATA, watch)


@pytest.mark.parametrize("speculation", ["off", "certain", "likely"])
def test_decisions_instances_and_trials_are_the_same(store: SqlStore, speculation: str) -> None:
    space = ahead(SPACE, speculation)
    search, trainer = new_search(store, space=space), Eager()
    search.claim()
    carry_on(search, space, trainer)
    search.release("completed")
    assert search.decisions() == whole_search()
    wanted = {trial.id for step in steps_of(SPACE) for trial in step.trials}
    assert set(trainer.finished) >= wanted
    assert set(+trainer.finished.copy()) >= wanted
    # No training that has completed is carried out again, in its step or as an early one.
    assert max(trainer.finished.values()) == 1
    assert bool(trainer.early) == (speculation != "off")
    if speculation == "certain":
        # Beside a contraction there is nothing to guess.
        assert set(trainer.early) <= wanted
    assert [i.name for i in search.instances()] == [i.name for i in instances(SPACE, whole_search())]
    assert problems(store) == []


def steps_of(space: SearchSpace) -> Iterator[Any]:
    decisions = whole_search()
    for count in range(len(decisions)):
        yield next_step(space, decisions[:count], DATA)


@settings(deadline=None, max_examples=25)
@given(spaces(), st.integers(0, 3), st.sampled_from(["certain", "likely"]))
def test_no_search_decides_otherwise(space: SearchSpace, seed: int, speculation: str) -> None:
    plain, eager = MemoryStore(), MemoryStore()
    run_search(space, plain, Eager(seed), "videos", lambda *_: None)
    run_search(ahead(space, speculation), eager, trainer := Eager(seed, 3), "videos", lambda *_: None)
    assert eager.made == plain.made
    assert eager.settled == plain.settled
    assert set(trainer.early) <= set(eager.foreseen)


@pytest.mark.parametrize("count", range(1, 60, 19))
def test_a_coordinator_that_is_killed_goes_on_alike(store: SqlStore, count: int) -> None:
    space = ahead(SPACE, "likely")
    search = new_search(store, space=space)
    seen = 0

    def kill(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            raise KeyboardInterrupt

    search.claim()
    with pytest.raises(KeyboardInterrupt):
        carry_on(search, space, Eager(count), kill)
    search.release("interrupted")
    assert problems(store) == []
    search.claim()
    carry_on(search, space, Eager(count + 1))
    search.release("completed")
    assert search.decisions() == whole_search()
    assert problems(store) == []


def test_what_fails_early_waits_for_its_step_and_counts_there(store: SqlStore) -> None:
    space = ahead(SPACE, "likely")
    search, trainer = new_search(store, space=space), Eager(failing=True)
    search.claim()
    carry_on(search, space, trainer)
    assert search.decisions() == whole_search()
    assert max(trainer.early.values()) == 1
    tried = next(trial for trial in trainer.early if trainer.begun[trial])
    (failure,) = search.attempts(tried)
    assert failure.next == "it was begun early, and is tried again where a step needs it"
    assert failure.due is None
    search.release("completed")
    assert problems(store) == []


def test_only_what_may_still_follow_is_named(store: SqlStore) -> None:
    space = ahead(SPACE, "likely")
    search, trainer = new_search(store, space=space), Eager(room=0)
    search.claim()
    carry_on(search, space, trainer)
    first = next_step(SPACE, (), DATA)
    assert first is not None
    every = {trial.id for _, step in foreseen(SPACE, (), first, DATA) for trial in step.trials}
    named = trainer.named[: len(first.trials)]
    assert named[0] == every - {trial.id for trial in first.trials}
    assert all(after <= before for before, after in itertools.pairwise(named))
    assert named[-1] < named[0]


def test_another_search_of_the_store_takes_over_what_was_finished_early(store: SqlStore) -> None:
    space = ahead(SPACE, "likely")
    search, trainer = new_search(store, space=space), Eager(room=30)
    trainer.luck.choice = max  # type: ignore[assignment,method-assign]
    search.claim()
    carry_on(search, space, trainer)
    search.release("completed")
    again, second = new_search(store, "second", space), Eager()
    again.claim()
    carry_on(again, space, second)
    assert not set(+second.finished) & set(+trainer.finished)
    assert again.decisions() == whole_search()


def test_a_complexity_that_is_measured_cannot_be_foreseen() -> None:
    values = {"complexity": "latency", "regimes": {"bounds": {"T": 1.0}}, "resources": {"speculation": "certain"}}
    with pytest.raises(SpaceError, match=r"resources.speculation: 'certain' needs the candidates of steps that may"):
        read_space(values, {}, "s")


# The room that others leave.


class Carrier:
    def __init__(self) -> None:
        self.told: list[str] = []

    def submit(self, trial: Trial, *, early: bool = False) -> None:
        assert early
        self.told.append(f"+{trial.seed}")

    def drop(self, trial: str) -> None:
        self.told.append(f"-{NUMBERED[trial]}")


TRIALS = [
    Trial(SPACE.lattice.basis and step.geometry, step.recipe, DATA, step.views, seed)
    for seed, step in enumerate([next(iter(steps_of(SPACE))).trials[0]] * 5)
]
NUMBERED = {trial.id: trial.seed for trial in TRIALS}


def test_the_best_begin_while_there_is_room_and_the_last_go_first() -> None:
    wanted, carrier = list(TRIALS), Carrier()
    early = Early(lambda: wanted, 1.0)
    early.fill(carrier, lambda: 3.5)
    assert carrier.told == ["+0", "+1", "+2"]
    early.make_room(carrier, lambda: 3.0)
    assert carrier.told[3:] == []
    early.make_room(carrier, lambda: 1.5)
    assert carrier.told[3:] == ["-2", "-1"]
    # What was dropped is not begun again.
    early.fill(carrier, lambda: 3.0)
    assert carrier.told[5:] == ["+3", "+4"]
    assert early.open == {trial.id for trial in TRIALS}


def test_what_is_no_longer_wanted_is_dropped_and_leaves_its_room() -> None:
    wanted, carrier = TRIALS[:2], Carrier()
    early = Early(lambda: wanted, 0.5)
    early.fill(carrier, lambda: 1.0)
    wanted = [TRIALS[1], TRIALS[4]]
    early.fill(carrier, lambda: 1.0)
    assert carrier.told == ["+0", "+1", "-0", "+4"]
    assert early.ended(TRIALS[1].id)
    assert not early.ended("another")
    early.make_room(carrier, lambda: 0.0)
    assert carrier.told[4:] == ["-4"]
    assert early.open == {TRIALS[0].id, TRIALS[4].id}
