"""What a planned search takes of a cluster, step by step: placed as its space says, and nothing fails."""

from __future__ import annotations

from dataclasses import dataclass

from expander.axis import Axis
from expander.errors import UsageError
from expander.hours import TrialHours, trials_of
from expander.plan import Plan
from expander.rounds import rounds_of
from expander.search import Step
from expander.simulate import Cluster, Simulated, Spent, policy_of, simulate
from expander.space import SearchSpace
from expander.throughput import Throughput


@dataclass(frozen=True)
class StepHours:
    """A step: its trials on one GPU, and what each took where it was placed; hours: until the last has ended."""

    step: Step
    chosen: Axis | None
    trials: tuple[TrialHours, ...]
    spent: tuple[Spent, ...]
    hours: float

    @property
    def training(self) -> float:
        """GPU-hours of training."""
        return sum(each.training for each in self.spent)

    @property
    def validation(self) -> float:
        """GPU-hours of validation."""
        return sum(each.validation for each in self.spent)

    @property
    def held(self) -> float:
        """GPU-hours in which its trials held GPUs."""
        return sum(each.held for each in self.spent)


def hours_of(
    space: SearchSpace, planned: Plan, throughput: Throughput, count: int
) -> tuple[Simulated, tuple[StepHours, ...]]:
    """The search on `count` GPUs, and every step of it. throughput: of one GPU with its readers.

    Raises UsageError where `count` GPUs are fewer than one trial holds.
    """
    least = space.resources.gpus_per_trial
    if least > count:
        raise UsageError(
            f"--count {count}: fewer than the {least:g} GPUs of one trial; give more, or a smaller"
            " resources.gpus_per_trial"
        )
    rounds = rounds_of(space, planned, throughput, foresee=space.resources.speculation != "off")
    # Of which machines they are matters to nothing but to their losses.
    found = simulate(rounds, Cluster(count, count, failures=0, preemptions=0), policy_of(space), least=least)
    steps = [
        StepHours(each.step, each.chosen, trials_of(space, each.step, throughput), spent, hours)
        for each, spent, hours in zip(planned.steps, found.trials, found.steps, strict=True)
    ]
    return found, tuple(steps)
