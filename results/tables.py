"""What a search tried, trained and decided, as tidy tables: one row a candidate, an epoch or a decision.

Units stand in the names; scores are shares of videos in [0, 1]. Missing values are pandas' NA in every column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from expander.axis import FACTORS
from results.records import CandidateRecord, StepRecord, TrialRecord
from results.scores import standard_error

if TYPE_CHECKING:
    from results.search import SearchStore

# step: '7', or '7-X3D-S' for a contraction; number: 7 in both. Figures of an infeasible candidate are those of the
# nearest network that its axis reaches. frontier_cost, bound, cost: in the unit of the search's complexity.
# videos: validation videos that were scored.
CANDIDATES = {
    "step": "string",
    "number": "Int64",
    "kind": "string",
    "regime": "string",
    "frontier_cost": "Float64",
    "bound": "Float64",
    "axis": "string",
    "feasible": "boolean",
    "kept": "boolean",
    "reason": "string",
    "frames": "Int64",
    "stride": "Int64",
    "crop": "Int64",
    "blocks": "string",
    "widths": "string",
    "inner_widths": "string",
    **dict.fromkeys(FACTORS, "Float64"),
    "flops": "Int64",
    "params": "Int64",
    "params_without_batchnorm": "Int64",
    "activations": "Int64",
    "cost": "Float64",
    "achieved_rate": "Float64",
    "trial": "string",
    "state": "string",
    "top1": "Float64",
    "top5": "Float64",
    "loss": "Float64",
    "videos": "Int64",
    "epoch": "Int64",
    "epochs": "Int64",
    "seconds": "Float64",
    "failures": "Int64",
    "failure": "string",
}
EPOCHS = {
    "trial": "string",
    "epoch": "Int64",
    "epochs": "Int64",
    "train_loss": "Float64",
    "train_top1": "Float64",
    "rate": "Float64",
    "seconds": "Float64",
}
# Columns that a candidate's record has under the same name.
SAME = (
    *("feasible", "reason", "flops", "params", "params_without_batchnorm", "activations", "cost", "achieved_rate"),
    *("trial", "state", "top5", "loss", "epoch", "epochs", "failures", "failure"),
)
# second: the best candidate that is another trial. error: one standard error, from the number of validation videos.
# train_top1: on the training clips of the last epoch; gap: how far it is over top1.
DECISIONS = {
    "step": "string",
    "axis": "string",
    "top1": "Float64",
    "error": "Float64",
    "second_axis": "string",
    "second_top1": "Float64",
    "margin": "Float64",
    "margin_error": "Float64",
    "train_top1": "Float64",
    "gap": "Float64",
}


def trials(search: SearchStore) -> dict[str, TrialRecord]:
    """Every trial that the search's candidates need, by its id, in the order of the steps."""
    found = {c.trial: None for step in search.steps() for c in step.candidates if c.trial is not None}
    return {trial: search.trial(trial) for trial in found}


def candidates(search: SearchStore, known: Mapping[str, TrialRecord] | None = None) -> pd.DataFrame:
    """One row a candidate, in the order of the steps; columns as in CANDIDATES.

    known: the search's trials, where they have been read already.
    """
    by_id = trials(search) if known is None else known
    rows = (_candidate(step, candidate, by_id) for step in search.steps() for candidate in step.candidates)
    return _frame(rows, CANDIDATES)


def epochs(search: SearchStore, known: Mapping[str, TrialRecord] | None = None) -> pd.DataFrame:
    """One row an epoch of a trial, measured on its training clips; columns as in EPOCHS."""
    by_id = trials(search) if known is None else known
    rows = (
        {
            "trial": epoch.trial,
            "epoch": epoch.number,
            "epochs": epoch.epochs,
            "train_loss": epoch.loss,
            "train_top1": epoch.top1,
            "rate": epoch.rate,
            "seconds": epoch.seconds,
        }
        for trial in by_id.values()
        for epoch in trial.epochs
    )
    return _frame(rows, EPOCHS)


def decisions(search: SearchStore, known: Mapping[str, TrialRecord] | None = None) -> pd.DataFrame:
    """One row a decision between scores, with its margin over the second; columns as in DECISIONS."""
    by_id = trials(search) if known is None else known
    rows = (_decision(step, by_id) for step in search.steps())
    return _frame((row for row in rows if row is not None), DECISIONS)


def training_seconds(trial: TrialRecord) -> float | None:
    """Wall time of a training as far as it is recorded; None where nothing is.

    The completing attempt's time includes validation and leaves out what earlier attempts trained; its epochs' sum is
    the reverse. The larger of the two never claims more than was spent.
    """
    spent = [sum(epoch.seconds for epoch in trial.epochs)] if trial.epochs else []
    spent += [trial.completed.seconds] if trial.completed else []
    return max(spent, default=None)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain values, None where one is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _candidate(step: StepRecord, candidate: CandidateRecord, by_id: Mapping[str, TrialRecord]) -> dict[str, Any]:
    trial = by_id.get(candidate.trial) if candidate.trial is not None else None
    geometry = candidate.geometry or {}
    lists = {key: " ".join(map(str, geometry[key])) for key in ("blocks", "widths", "inner_widths") if key in geometry}
    return {
        **{key: getattr(step, key) for key in ("number", "kind", "regime", "frontier_cost", "bound")},
        **{key: geometry.get(key) for key in ("frames", "stride", "crop")},
        **(candidate.factors or {}),
        **lists,
        **{key: getattr(candidate, key) for key in SAME},
        "step": step.key,
        "kept": candidate.axis == step.chosen,
        "axis": candidate.axis.value,
        "top1": candidate.score,
        "videos": trial.completed.metrics.videos if trial and trial.completed else None,
        "seconds": training_seconds(trial) if trial else None,
    }


def _decision(step: StepRecord, by_id: Mapping[str, TrialRecord]) -> dict[str, Any] | None:
    """The ranking is read, not the scores of today: another search may have trained what failed here."""
    kept = next((ranked for ranked in step.ranking if ranked.axis == step.chosen), None)
    if kept is None or kept.score is None:
        return None
    error = _error(kept.trial, kept.score, by_id)
    row: dict[str, Any] = {"step": step.key, "axis": kept.axis.value, "top1": kept.score, "error": error}
    if step.train_top1 is not None:
        row |= {"train_top1": step.train_top1, "gap": step.train_top1 - kept.score}
    others = (ranked for ranked in step.ranking if ranked.score is not None and ranked.trial != kept.trial)
    second = next(others, None)
    if second is None or second.score is None:
        return row
    second_error = _error(second.trial, second.score, by_id)
    known = error is not None and second_error is not None
    return row | {
        "second_axis": second.axis.value,
        "second_top1": second.score,
        "margin": kept.score - second.score,
        "margin_error": math.hypot(error or 0, second_error or 0) if known else None,
    }


def _error(trial: str | None, score: float, by_id: Mapping[str, TrialRecord]) -> float | None:
    record = by_id.get(trial) if trial is not None else None
    videos = record.completed.metrics.videos if record and record.completed else 0
    return standard_error(score, videos) if videos else None


def _frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """A row may leave columns out."""
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object).astype(dict(columns))
