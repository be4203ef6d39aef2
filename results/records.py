"""What a reader of the store gets, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from expander.axis import Axis
from expander.search import Kind, Ranked
from expander.space import SearchSpace
from expander.trial import Completed, Epoch, FailureKind, Outcome, Trial

SearchState = Literal["created", "running", "interrupted", "failed", "completed"]
# untrained: feasible, in a search that trains nothing because its path is prescribed.
CandidateState = Literal["infeasible", "untrained", "pending", "running", "completed", "failed"]


@dataclass(frozen=True)
class Accepted:
    """A change of what trains that a user has accepted. kind: which part. trial: whose `recorded` was; None for the
    search's own."""

    kind: str
    recorded: str
    now: str
    at: datetime
    trial: str | None = None


@dataclass(frozen=True)
class Forked:
    """Where the first decisions of a search are from: those of search `name` before its expansion `step`."""

    name: str
    step: int


@dataclass(frozen=True)
class SearchRecord:
    """A search as it was started. state, reason: as its coordinator wrote them, which a killed one never amends.

    device: where its complexity is measured; None until it has been, and where it is in closed form. versions, sources:
    of what decides and trains, those that were accepted since in place of the first; sources are empty where nobody
    knows.
    """

    name: str
    space: SearchSpace
    source: str
    overrides: tuple[str, ...]
    data: Mapping[str, Any] | None
    runs: str
    created: datetime
    versions: Mapping[str, str]
    state: SearchState
    reason: str | None
    device: str | None
    sources: Mapping[str, str]
    accepted: tuple[Accepted, ...]
    forked: Forked | None


@dataclass(frozen=True)
class FailureRecord:
    """One attempt that failed, as FailureRow has it. number: from 1, of the trial in this search. counts: not forgiven.

    due: when the next attempt is, None where none follows. traceback, log: None where they were not asked for.
    """

    trial: str
    number: int
    kind: FailureKind
    reason: str
    worker: str | None
    node: str | None
    epoch: int | None
    counts: bool
    failed: datetime
    due: datetime | None
    next: str
    traceback: str | None = None
    log: str | None = None


@dataclass(frozen=True)
class CandidateRecord:
    """One candidate of a step; figures are None where the axis cannot move at all, or where nothing came back yet.

    cost: in the unit of the search's complexity.
    trial: the id of its training. epoch of epochs: the last one recorded. seconds: wall time of the completed attempt.
    failures, failure: attempts that failed in this search, forgiven ones too, and why the last of them did, which
    `failed` tells in full but for its traceback and log. last: its last epoch. damaged: videos that a completed trial
    left out. notes: what it did otherwise than it began.
    """

    axis: Axis
    feasible: bool
    reason: str | None
    factors: Mapping[str, Any] | None
    geometry: Mapping[str, Any] | None
    flops: int | None
    params: int | None
    params_without_batchnorm: int | None
    activations: int | None
    cost: float | None
    achieved_rate: float | None
    trial: str | None
    state: CandidateState
    score: float | None
    top5: float | None
    loss: float | None
    epoch: int | None
    epochs: int | None
    seconds: float | None
    failures: int
    failure: str | None
    last: Epoch | None
    damaged: int
    failed: FailureRecord | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StepRecord:
    """One round; chosen, train_top1 and decided_at are None and the ranking is empty until it is decided.

    bound, frontier_cost: in the unit of the search's complexity. recipe: of its trials. train_top1: of what it kept.
    by_user: a user chose, not the scores.
    """

    number: int
    kind: Kind
    regime: str | None
    key: str
    bound: float
    frontier_cost: float
    recipe: Mapping[str, Any]
    candidates: tuple[CandidateRecord, ...]
    chosen: Axis | None
    ranking: tuple[Ranked, ...]
    train_top1: float | None
    started_at: datetime
    decided_at: datetime | None
    by_user: bool


@dataclass(frozen=True)
class InstanceRecord:
    """The network kept for a regime, from step `step` (0: the basis). bound, cost: as the search's complexity."""

    name: str
    bound: float
    step: int
    kind: Literal["basis", "expansion", "contraction"]
    factors: Mapping[str, Any]
    geometry: Mapping[str, Any]
    flops: int
    params: int
    params_without_batchnorm: int
    activations: int
    cost: float
    trial: str | None
    score: float | None
    settled_at: datetime


@dataclass(frozen=True)
class DamagedRecord:
    """A video that trials of a search could not read. manifest: 'train' or 'val', empty where nobody knows.

    reason: of the last trial that reported it. searches: names of all that have one of these trials.
    """

    manifest: str
    video: str
    reason: str
    trials: tuple[str, ...]
    searches: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class TrialRecord:
    """A training, its outcome in this search (None while it has none) and its epochs in order."""

    id: str
    trial: Trial
    outcome: Outcome | None
    epochs: tuple[Epoch, ...]

    @property
    def completed(self) -> Completed | None:
        """The outcome, where it is not a failure."""
        return self.outcome if isinstance(self.outcome, Completed) else None

    @property
    def weights(self) -> str | None:
        """Path of the trained weights."""
        return self.completed.weights if self.completed else None

    @property
    def damaged(self) -> tuple[str, ...]:
        """Videos that did not decode."""
        return self.completed.damaged if self.completed else ()

    @property
    def versions(self) -> Mapping[str, str]:
        """What ran the training."""
        return self.completed.versions if self.completed else {}
