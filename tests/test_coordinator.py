"""The loop over the simplest store and dispatcher that keep the protocols' promises: dictionaries and a generator."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import completed, score_of, searched, space_of, spaces

from expander.coordinator import Dispatcher, Store, run_search
from expander.errors import StepFailed
from expander.search import Decision, Step, ending, instances
from expander.trial import Completed, Epoch, Failed, Started

TINY = {
    "basis": {"widths": [8, 16], "blocks": [1, 2], "crop": 16, "classes": 4, "head_width": 16},
    "expansion": {"tolerance": 0.4, "first_stride": 4},
    "grids": {"crop": 4},
    "regimes": {"bounds": {"Small": 1.3e6, "Large": 3e6}},
}


class MemoryStore:
    """One search, remembered in dictionaries."""

    def __init__(self, decisions=(), outcomes=()):
        self.made = list(decisions)
        self.enrolled, self.events, self.settled = {}, [], ()
        self.completed = {outcome.trial: outcome for outcome in outcomes}
        self.failed = {}

    def decisions(self):
        return list(self.made)

    def enroll(self, step):
        assert self.enrolled.setdefault(step.key, step) == step

    def unfinished(self, step):
        return [trial for trial in step.trials if trial.id not in self.completed]

    def failures(self):
        return [failed for failures in self.failed.values() for failed in failures]

    def record(self, event):
        self.events.append(event)
        if isinstance(event, Completed):
            self.completed.setdefault(event.trial, event)
        elif isinstance(event, Failed):
            self.failed.setdefault(event.trial, []).append(event)

    def outcomes(self, step):
        last = {trial: failures[-1] for trial, failures in self.failed.items()} | self.completed
        return [last[trial.id] for trial in step.trials if trial.id in last]

    def commit(self, decision, settled):
        assert decision.key in self.enrolled
        assert decision.key not in {made.key for made in self.made}
        self.made.append(decision)
        self.settled = settled

    def settle(self, settled):
        self.settled = settled

    def forgive(self):
        """What `expander retry` does to failures, whose cause the user has fixed."""
        self.failed.clear()


@dataclass
class Trainer:
    """A dispatcher whose trials score what their names say. failing: trial -> attempts that fail, None for all."""

    luck: int = 0
    failing: dict = field(default_factory=dict)
    stop_after: int | None = None
    attempts: Counter = field(default_factory=Counter)
    closed: int = 0
    meter: object = None
    waited: list = field(default_factory=list)

    @property
    def nodes(self):
        return frozenset({"here"})

    def run(self, trials, again, waits, avoid):
        try:
            for trial in trials:
                self.waited.append(waits.get(trial.id, 0.0))
                while (yield from self._attempt(trial)) and (wait := again(self._last)) is not None:
                    self.waited.append(wait)
        finally:
            self.closed += 1

    def _attempt(self, trial):
        """One attempt; whether it failed."""
        if self.stop_after is not None and self.attempts.total() == self.stop_after:
            raise KeyboardInterrupt
        self.attempts[trial.id] += 1
        yield Started(trial.id, "here:1")
        failures = self.failing.get(trial.id, 0)
        if failures is None or self.attempts[trial.id] <= failures:
            self._last = Failed(trial.id, f"attempt {self.attempts[trial.id]} broke")
            yield self._last
            return True
        yield Epoch(trial.id, 1, 1, 0.5, 0.5, 0.1, 1.0)
        yield completed(trial.id, score_of(trial.id, self.luck))
        return False


def ignore(*_):
    pass


def ran(space, store, trainer, watch=ignore):
    return run_search(space, store, trainer, "videos", watch)


STEPS, DECISIONS = searched(space_of(**TINY))
FIRST = [trial.id for trial in STEPS[0].trials]


def test_the_seams_are_kept():
    store: Store = MemoryStore()
    dispatcher: Dispatcher = Trainer()
    assert {name for name in vars(Store) if not name.startswith("_")} <= set(dir(store))
    assert {name for name in vars(Dispatcher) if not name.startswith("_")} <= set(dir(dispatcher))


def test_a_search_takes_every_step_and_says_why_it_ended():
    space, store, trainer = space_of(**TINY), MemoryStore(), Trainer()
    assert ran(space, store, trainer) == ending(space, DECISIONS) == "every regime has its instance"
    assert store.made == DECISIONS
    assert list(store.enrolled) == [step.key for step in STEPS]
    assert store.settled == instances(space, DECISIONS)
    assert {instance.name for instance in store.settled} == {"Small", "Large"}
    assert any(step.kind == "contraction" for step in STEPS)
    assert trainer.closed == len(STEPS)


def test_every_different_trial_is_trained_once_though_candidates_share_some():
    trainer = Trainer()
    ran(space_of(**TINY), MemoryStore(), trainer)
    carried = Counter(candidate.trial.id for candidate in STEPS[0].candidates if candidate.trial)
    assert max(carried.values()) == 2
    assert set(trainer.attempts) == {trial.id for step in STEPS for trial in step.trials}
    assert set(trainer.attempts.values()) == {1}


def test_a_trial_of_another_search_is_taken_over():
    done = [completed(trial, score_of(trial)) for trial in FIRST[:3]]
    store, trainer = MemoryStore(outcomes=done), Trainer()
    ran(space_of(**TINY), store, trainer)
    assert store.made == DECISIONS
    assert not {outcome.trial for outcome in done} & set(trainer.attempts)


def test_the_watcher_is_told_of_each_step_its_events_and_its_decision():
    told = []
    store = MemoryStore()
    ran(space_of(**TINY), store, Trainer(), lambda step, news: told.append((step.key, news)))
    assert [news for _, news in told if isinstance(news, Started | Epoch | Completed)] == store.events
    finished = set()
    for step, decision in zip(STEPS, DECISIONS, strict=True):
        of_step = [news for key, news in told if key == step.key]
        assert (of_step[0], of_step[-1]) == (None, decision)
        completions = {news.trial for news in of_step if isinstance(news, Completed)}
        assert completions == {trial.id for trial in step.trials} - finished
        finished |= completions


def test_what_the_watcher_is_told_is_in_the_store():
    store = MemoryStore()

    def watch(step: Step, news: object) -> None:
        assert step.key in store.enrolled
        assert news is None or (news in store.made if isinstance(news, Decision) else news is store.events[-1])

    ran(space_of(**TINY), store, Trainer(), watch)


def test_a_failing_trial_is_tried_as_often_as_the_space_says():
    trainer = Trainer(failing={FIRST[0]: 2, FIRST[1]: 1})
    store = MemoryStore()
    ran(space_of(**TINY, failures={"retries": 2}), store, trainer)
    assert (trainer.attempts[FIRST[0]], trainer.attempts[FIRST[1]], trainer.attempts[FIRST[2]]) == (3, 2, 1)
    assert store.made == DECISIONS


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_trial_that_goes_on_failing_stops_the_step_and_the_others_are_kept(retries):
    space, store, trainer = space_of(**TINY, failures={"retries": retries}), MemoryStore(), Trainer()
    trainer.failing[FIRST[1]] = None
    with pytest.raises(StepFailed, match=rf"step 1: 1 of 5 trials failed\n.*attempt {retries + 1} broke"):
        ran(space, store, trainer)
    assert trainer.attempts[FIRST[1]] == retries + 1
    assert store.made == []
    assert set(store.completed) == set(FIRST) - {FIRST[1]}

    again = Trainer()
    with pytest.raises(StepFailed):
        ran(space, store, again)
    assert not again.attempts
    store.forgive()
    ran(space, store, again)
    assert store.made == DECISIONS
    assert again.attempts[FIRST[1]] == 1
    assert not set(store.completed) & set(FIRST) - {FIRST[1]} & set(again.attempts)


def test_a_step_goes_on_without_failed_trials_where_the_space_says_so():
    space, store = space_of(**TINY, failures={"retries": 1, "then": "skip"}), MemoryStore()
    best = DECISIONS[0].trial
    ran(space, store, trainer := Trainer(failing={best: None}))
    assert trainer.attempts[best] == 2
    assert store.made[0].trial != best
    assert store.made[0].score <= DECISIONS[0].score
    (reason,) = {ranked.reason for ranked in store.made[0].ranking if ranked.trial == best}
    assert reason == "attempt 2 broke"


def test_a_step_of_which_nothing_is_left_stops_even_then():
    space = space_of(**TINY, failures={"retries": 0, "then": "skip"})
    with pytest.raises(StepFailed, match="step 1: 5 of 5 trials failed"):
        ran(space, MemoryStore(), Trainer(failing=dict.fromkeys(FIRST)))


@pytest.mark.parametrize("count", range(len(DECISIONS) + 1))
def test_any_number_of_decisions_leads_to_the_same_end(count):
    store, trainer = MemoryStore(DECISIONS[:count]), Trainer()
    assert ran(space_of(**TINY), store, trainer) == "every regime has its instance"
    assert store.made == DECISIONS
    assert store.settled == instances(space_of(**TINY), DECISIONS)
    assert set(trainer.attempts) <= {trial.id for step in STEPS[count:] for trial in step.trials}


TRIALS = len({trial.id for step in STEPS for trial in step.trials})


@pytest.mark.parametrize("count", range(TRIALS))
def test_an_interrupted_search_goes_on_where_it_was(count):
    space, store = space_of(**TINY), MemoryStore()
    first = Trainer(stop_after=count)
    with pytest.raises(KeyboardInterrupt):
        ran(space, store, first)
    assert first.closed
    assert len(store.completed) == count
    second = Trainer()
    ran(space, store, second)
    assert store.made == DECISIONS
    assert first.attempts + second.attempts == Counter(dict.fromkeys(store.completed, 1))


def test_closing_reaches_the_dispatcher_when_the_store_breaks():
    class Full(MemoryStore):
        def record(self, event):
            raise OSError("disk full")

    trainer = Trainer()
    with pytest.raises(OSError, match="disk full") as caught:
        ran(space_of(**TINY), Full(), trainer)
    assert trainer.closed == 1
    # Until here the traceback kept the generator alive: it was closed, not merely forgotten.
    assert caught.value


def test_a_contraction_along_every_axis_is_trained_and_the_best_is_kept():
    space = space_of(**TINY | {"regimes": TINY["regimes"] | {"contract": "every-axis"}})
    steps, decisions = searched(space)
    store, trainer = MemoryStore(), Trainer()
    ran(space, store, trainer)
    assert store.made == decisions
    (step, decision) = next((s, d) for s, d in zip(steps, decisions, strict=True) if s.kind == "contraction")
    scores = [score_of(candidate.trial.id) for candidate in step.candidates if candidate.feasible]
    assert len(scores) > 1
    assert decision.score == max(scores)
    assert {trial.id for trial in step.trials} <= set(trainer.attempts)


def test_a_prescribed_path_trains_nothing():
    class Nobody:
        def run(self, trials, again):
            raise AssertionError(f"asked to train {trials}")

    expansion = TINY["expansion"] | {"path": ["temporal", "spatial"] * 4, "path_is": "prescribed"}
    space, store = space_of(**TINY | {"expansion": expansion}), MemoryStore()
    assert ran(space, store, Nobody()) == "every regime has its instance"
    assert [made.axis.value for made in store.made if made.kind == "expansion"] == expansion["path"][:7]
    assert all(decision.trial is None for decision in store.made)
    assert store.events == []
    assert [instance.name for instance in store.settled] == ["Small", "Large"]


def test_a_search_that_has_ended_is_not_begun_again():
    store = MemoryStore(DECISIONS)
    trainer = Trainer()
    ran(space_of(**TINY), store, trainer)
    assert (store.made, store.enrolled, trainer.attempts) == (DECISIONS, {}, Counter())


def test_instances_that_need_no_decision_are_settled_too():
    space = space_of(**TINY | {"regimes": {"bounds": {"Basis": 1.05 * STEPS[0].frontier_cost}}})
    store = MemoryStore()
    assert ran(space, store, Trainer()) == "every regime has its instance"
    assert [(instance.name, instance.kind) for instance in store.settled] == [("Basis", "basis")]


@settings(max_examples=25, deadline=None)
@given(spaces(), st.integers(0, 100), st.data())
def test_any_search_interrupted_anywhere_decides_as_if_it_had_not_been(space, luck, data):
    whole, trainer = MemoryStore(), Trainer(luck)
    end = ran(space, whole, trainer)
    store = MemoryStore()
    for _ in range(data.draw(st.integers(0, 3))):
        stopped = Trainer(luck, stop_after=data.draw(st.integers(0, 6)))
        try:
            ran(space, store, stopped)
        except KeyboardInterrupt:
            continue
    assert ran(space, store, Trainer(luck)) == end
    assert (store.made, store.settled) == (whole.made, whole.settled)
