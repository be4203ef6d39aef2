"""Where a search stands: read at one moment, and as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from expander.cli.failing import failure_document
from expander.cli.remaining import seconds_left
from expander.failure import suspects
from expander.search import Decision, regularisation
from expander.trial import Failed

if TYPE_CHECKING:
    from results.lease import Lease
    from results.records import CandidateRecord, DamagedRecord, InstanceRecord, SearchRecord, SearchState, StepRecord
    from results.search import SearchStore


@dataclass(frozen=True)
class Snapshot:
    """Where a search stood when it was read. left: seconds until its step is ready, None where that is not known.

    holder: who runs it, or left it running. failures: those that count.
    """

    record: SearchRecord
    state: SearchState
    steps: tuple[StepRecord, ...]
    instances: tuple[InstanceRecord, ...]
    decisions: tuple[Decision, ...]
    damaged: tuple[DamagedRecord, ...]
    left: float | None
    holder: Lease | None
    failures: tuple[Failed, ...]


def take(search: SearchStore) -> Snapshot:
    """Read where a search stands."""
    steps, state = search.steps(), search.effective_state
    left = seconds_left(steps[-1], search.epoch_seconds()) if steps and state == "running" else None
    found = search.instances(), search.decisions(), search.damaged()
    return Snapshot(search.record_of, state, steps, *found, left, search.holder, search.failures())


def status_document(search: SearchStore) -> dict[str, Any]:
    """Where a search stands, as plain values."""
    return document_of(take(search))


def document_of(taken: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values."""
    record = taken.record
    return {
        "name": record.name,
        "state": taken.state,
        "reason": record.reason,
        "coordinator": _coordinator_document(taken.holder) if taken.holder else None,
        "forked": asdict(record.forked) if record.forked else None,
        "versions": dict(record.versions),
        "accepted": [asdict(change) | {"at": change.at.isoformat()} for change in record.accepted],
        "space": record.source,
        "created": record.created.isoformat(),
        "runs": record.runs,
        "complexity": record.space.complexity,
        "device": record.device,
        "step_seconds_left": taken.left,
        "frontier": _frontier(taken.steps),
        "regularisation": [asdict(change) for change in regularisation(record.space, taken.decisions)],
        "steps": [_step_document(step) for step in taken.steps],
        "instances": [_instance_document(instance) for instance in taken.instances],
        "damaged": [_damaged_document(video) for video in taken.damaged],
        "avoided": sorted(suspects(taken.failures)),
    }


def _coordinator_document(lease: Lease) -> dict[str, Any]:
    return {
        "host": lease.owner.host,
        "pid": lease.owner.pid,
        "since": lease.claimed.isoformat(),
        "last_heard_of": lease.heard.isoformat(),
        "lease": lease.number,
        "lease_seconds": lease.seconds,
    }


def _damaged_document(video: DamagedRecord) -> dict[str, Any]:
    seen = {"first_seen": video.first_seen.isoformat(), "last_seen": video.last_seen.isoformat()}
    return {**asdict(video), "trials": list(video.trials), "searches": list(video.searches), **seen}


def _frontier(steps: tuple[StepRecord, ...]) -> dict[str, Any] | None:
    """The candidate that the last expansion kept."""
    for step in reversed(steps):
        if step.kind == "expansion" and step.chosen is not None:
            kept = next(candidate for candidate in step.candidates if candidate.axis == step.chosen)
            return {"step": step.number, **_candidate_document(kept)}
    return None


def _step_document(step: StepRecord) -> dict[str, Any]:
    return {
        "number": step.number,
        "kind": step.kind,
        "regime": step.regime,
        "bound": step.bound,
        "frontier_cost": step.frontier_cost,
        "candidates": [_candidate_document(candidate) for candidate in step.candidates],
        "chosen": step.chosen,
        "chosen_by_user": step.by_user,
        "ranking": [asdict(ranked) for ranked in step.ranking],
        "recipe": dict(step.recipe),
        "train_top1": step.train_top1,
        "decided": step.decided_at.isoformat() if step.decided_at else None,
    }


def _candidate_document(candidate: CandidateRecord) -> dict[str, Any]:
    return {
        "axis": candidate.axis,
        "feasible": candidate.feasible,
        "reason": candidate.reason,
        "trial": candidate.trial,
        "state": candidate.state,
        "score": candidate.score,
        "top5": candidate.top5,
        "loss": candidate.loss,
        "epoch": candidate.epoch,
        "epochs": candidate.epochs,
        "seconds": candidate.seconds,
        "failures": candidate.failures,
        "failure": candidate.failure,
        "failed": failure_document(candidate.failed) if candidate.failed else None,
        "notes": list(candidate.notes),
        "last_epoch": asdict(candidate.last) if candidate.last else None,
        "damaged": candidate.damaged,
        "flops": candidate.flops,
        "params": candidate.params,
        "params_without_batchnorm": candidate.params_without_batchnorm,
        "cost": candidate.cost,
        "achieved_rate": candidate.achieved_rate,
        "geometry": candidate.geometry,
        "factors": candidate.factors,
    }


def _instance_document(instance: InstanceRecord) -> dict[str, Any]:
    return {
        "name": instance.name,
        "bound": instance.bound,
        "step": instance.step,
        "kind": instance.kind,
        "geometry": instance.geometry,
        "factors": instance.factors,
        "flops": instance.flops,
        "params": instance.params,
        "params_without_batchnorm": instance.params_without_batchnorm,
        "cost": instance.cost,
        "trial": instance.trial,
        "score": instance.score,
    }
