"""The columns that follow from what the loop has, for who writes rows; `results.rows` reads them back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from expander.search import Candidate, Decision, Instance, Step
from expander.trial import Completed, Epoch, Failed, Trial

# What is measured of an epoch, as its column is named too.
MEASURED = ("loss", "top1", "rate", "seconds", "clips_per_second", "waited", "gpu_memory")


def trial_values(trial: Trial) -> dict[str, Any]:
    """The columns of a trial that follow from its content."""
    return {"id": trial.id, "epochs": trial.recipe.epochs, **trial.as_dict(), "trainer": trial.trainer}


def completed_values(completed: Completed) -> dict[str, Any]:
    """The columns of a trial that its completion sets, but for the time."""
    return {
        **asdict(completed.metrics),
        "seconds": completed.seconds,
        "weights": completed.weights,
        "damaged": list(completed.damaged),
        "versions": dict(completed.versions),
        "train_top1": completed.train_top1,
        "device": completed.device,
        "gpus": completed.gpus,
        "notes": list(completed.notes),
        "weights_sha256": completed.weights_sha256,
    }


def failed_values(failed: Failed) -> dict[str, Any]:
    """The columns of a failure, but for its search, number and times."""
    return {
        "trial_id": failed.trial,
        "kind": failed.kind.value,
        "reason": failed.reason,
        "traceback": failed.traceback,
        "log": failed.log,
        "worker": failed.worker,
        "node": failed.node,
        "epoch": failed.epoch,
        "next": failed.next,
    }


def epoch_values(epoch: Epoch) -> dict[str, Any]:
    """The columns of an epoch, but for the time; the trial's row knows how many there are."""
    return {name: getattr(epoch, name) for name in MEASURED}


def step_values(step: Step) -> dict[str, Any]:
    """The columns of a step, but for its search and the time."""
    return {
        "key": step.key,
        "number": step.number,
        "kind": step.kind,
        "regime": step.regime,
        "frontier": step.frontier.as_dict(),
        "frontier_cost": step.frontier_cost,
        "bound": step.bound,
        "recipe": step.recipe.as_dict(),
    }


def candidate_values(candidate: Candidate, position: int) -> dict[str, Any]:
    """The columns of a candidate, but for its step."""
    values: dict[str, Any] = {
        "axis": candidate.axis.value,
        "position": position,
        "reason": candidate.reason,
        "trial_id": candidate.trial.id if candidate.trial else None,
    }
    if candidate.solution is not None:
        values |= candidate.solution.complexity.as_dict()
        values["factors"] = candidate.solution.factors.as_dict()
        values["geometry"] = candidate.solution.geometry.as_dict()
        values["cost"] = candidate.solution.cost
        values["achieved_rate"] = candidate.solution.achieved_rate
    return values


def decision_values(decision: Decision) -> dict[str, Any]:
    """The columns of a decision, but for its step and the time."""
    return {
        "axis": decision.axis.value,
        "factors": decision.factors.as_dict(),
        "cost": decision.cost,
        "trial_id": decision.trial,
        "score": decision.score,
        "ranking": [asdict(ranked) | {"axis": ranked.axis.value} for ranked in decision.ranking],
        "train_top1": decision.train_top1,
        "by_user": decision.by_user,
    }


def instance_values(instance: Instance) -> dict[str, Any]:
    """The columns of an instance, but for its search and the time."""
    return {
        "name": instance.name,
        "bound": instance.bound,
        "step": instance.step,
        "kind": instance.kind,
        "factors": instance.factors.as_dict(),
        "geometry": instance.geometry.as_dict(),
        **instance.complexity.as_dict(),
        "cost": instance.cost,
        "trial_id": instance.trial,
        "score": instance.score,
    }
