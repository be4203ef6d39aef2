"""The loop, and the two seams that it knows only as protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from expander.search import Decision, Instance, Step
from expander.trial import Completed, Epoch, Failed, Outcome, Trial


class Store(Protocol):
    """What is remembered of one search. Every method is one transaction."""

    def decisions(self) -> Sequence[Decision]:
        """The search's decisions, in order."""

    def enroll(self, step: Step) -> None:
        """Record the step, its candidates and the trials that they need. Idempotent."""

    def unfinished(self, step: Step) -> Sequence[Trial]:
        """The step's trials to be trained now: not completed, and failed no more often than the space retries."""

    def record(self, event: Epoch | Outcome) -> None:
        """Record an epoch's metrics or an attempt's outcome. A completed trial stays completed."""

    def outcomes(self, step: Step) -> Sequence[Completed | Failed]:
        """The outcome of every trial of the step that has one: Completed, else its last Failed."""

    def commit(self, decision: Decision, instances: Sequence[Instance]) -> None:
        """Record a decision and the instances that it settles. Refuses a second, different decision on a step."""


class Dispatcher(Protocol):
    """Carries trials out, in this process or on a cluster."""

    def run(self, trials: Sequence[Trial]) -> Iterator[Epoch | Outcome]:
        """Train `trials`; yield each epoch as it ends and exactly one outcome a trial, as they arrive.

        A trial that fails is an outcome, never an exception. Closing the iterator, or an exception at its yield,
        stops every running trial before it returns.
        """
