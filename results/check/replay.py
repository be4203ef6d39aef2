"""One search taken again from its decisions, on paper: what is recorded must be what follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from expander.cost import Cost
from expander.errors import ExpanderError, SpaceError
from expander.geometry import Geometry
from expander.search import Decision, Step, decide, ending, instances, next_step, prescribe, prescribed_axis
from expander.space import SearchSpace
from expander.trial import Failed, Outcome, content_id
from results.check.problem import Problem
from results.records import (
    candidate_values,
    completed_of,
    decision_of,
    instance_values,
    search_of,
    step_values,
)
from results.schema import (
    CandidateRow,
    DecisionRow,
    FailureRow,
    InstanceRow,
    MeasurementRow,
    SearchRow,
    StepRow,
    TrialRow,
)

# Nothing can tell which of two records is the true one.
CHANGED = "as the program, the space or the record has changed: go on with what it was started with, or from a backup"


@dataclass(frozen=True)
class _Recorded:
    """The rows of one search. failed: trials that failed in it."""

    row: SearchRow
    space: SearchSpace
    cost: Cost | None
    steps: Sequence[StepRow]
    candidates: Mapping[int, Sequence[CandidateRow]]
    decisions: Mapping[int, DecisionRow]
    instances: Mapping[str, InstanceRow]
    trials: Mapping[str, TrialRow]
    failed: frozenset[str]

    @property
    def data(self) -> str | None:
        """The fingerprint that its trials have in common; None where it has none."""
        return (self.row.data or {}).get("id") or next((trial.data for trial in self.trials.values()), None)


def problems_of(session: Session, row: SearchRow) -> Iterator[Problem]:
    """What is recorded of a search and does not follow from its space, its outcomes and its decisions."""
    where = f"search {row.name!r}"
    try:
        found = _read(session, row, search_of(row).space)
    except SpaceError as error:
        yield Problem(where, f"its space is not valid for this program ({_line(error)})", CHANGED)
        return
    decisions: list[Decision] = []
    for step in found.steps:
        place = f"{where}, step {step.key}"
        try:
            decided = yield from _step(found, step, decisions, place)
        except Exception as error:  # noqa: BLE001  whatever was tampered with is to be told
            yield Problem(place, f"nothing follows from what is recorded before it ({_line(error)})", CHANGED)
            return
        if decided is not None:
            decisions.append(decided)
        elif step is not found.steps[-1]:
            yield Problem(place, "it has no decision, and later steps follow", CHANGED)
            return
    try:
        yield from _end(found, decisions, where)
    except Exception as error:  # noqa: BLE001
        yield Problem(where, f"nothing follows from its decisions ({_line(error)})", CHANGED)


def _read(session: Session, row: SearchRow, space: SearchSpace) -> _Recorded:
    of_search = StepRow.search_id == row.id
    steps = session.scalars(select(StepRow).where(of_search).order_by(StepRow.id)).all()
    candidates: defaultdict[int, list[CandidateRow]] = defaultdict(list)
    for candidate in session.scalars(
        select(CandidateRow).join(StepRow, CandidateRow.step_id == StepRow.id).where(of_search)
    ):
        candidates[candidate.step_id].append(candidate)
    decisions = session.scalars(
        select(DecisionRow).join(StepRow, DecisionRow.step_id == StepRow.id).where(of_search).order_by(DecisionRow.id)
    )
    named = {each.trial_id for some in candidates.values() for each in some if each.trial_id}
    trials = session.scalars(select(TrialRow).where(TrialRow.id.in_(named)).order_by(TrialRow.id))
    failed = session.scalars(select(FailureRow.trial_id).where(FailureRow.search_id == row.id))
    kept = session.scalars(select(InstanceRow).where(InstanceRow.search_id == row.id))
    return _Recorded(
        row=row,
        space=space,
        cost=_cost(session, space, row.device),
        steps=steps,
        candidates=candidates,
        decisions={decision.step_id: decision for decision in decisions},
        instances={instance.name: instance for instance in kept},
        trials={trial.id: trial for trial in trials},
        failed=frozenset(failed),
    )


def _cost(session: Session, space: SearchSpace, device: str | None) -> Cost | None:
    """The complexity as it was measured, None where it is in closed form. It raises for what was never measured."""
    if space.measured is None:
        return None
    mine = MeasurementRow.name == space.measured, MeasurementRow.device == (device or "")
    values = {row.geometry_id: row.value for row in session.scalars(select(MeasurementRow).where(*mine))}

    def of(geometry: Geometry) -> float:
        # As `coordinator.measured` names it.
        value = values.get(content_id(replace(geometry, stride=None).as_dict()))
        if value is None:
            raise ExpanderError(f"no {space.measured} on {device} is recorded for one of its networks")
        return value

    return Cost(space.measured, of, device)


def _step(
    found: _Recorded, step: StepRow, before: Sequence[Decision], where: str
) -> Generator[Problem, None, Decision | None]:
    """Yields what is wrong with a step; returns its decision as it is recorded."""
    due = next_step(found.space, before, found.data, found.cost)
    row = found.decisions.get(step.id)
    decided = None if row is None else decision_of(row, step)
    if due is None:
        yield Problem(where, f"no step follows: {ending(found.space, before, found.cost)}", CHANGED)
    elif differing := _differing(due, step, found.candidates[step.id]):
        yield Problem(where, f"other {', '.join(differing)} would follow from the decisions before it", CHANGED)
    elif decided is not None:
        yield from _decision(found, due, decided, before, where)
    return decided


def _differing(due: Step, step: StepRow, rows: Sequence[CandidateRow]) -> list[str]:
    """What of a recorded step is not as it should be: columns, and the axes of candidates."""
    found = [column for column, value in step_values(due).items() if getattr(step, column) != value]
    recorded = {row.axis: row for row in rows}
    for place, candidate in enumerate(due.candidates):
        values, row = candidate_values(candidate, place), recorded.pop(candidate.axis.value, None)
        # Why a candidate is infeasible is worded otherwise by other versions; a figure that is absent is empty.
        if row is None or _figures(vars(row)) != _figures(values):
            found.append(f"candidate for {candidate.axis}")
    return [*found, *(f"candidate for {axis}" for axis in recorded)]


def _figures(values: Mapping[str, Any]) -> dict[str, Any]:
    names = [column.key for column in CandidateRow.__table__.columns if column.key != "step_id"]
    return {name: values.get(name) for name in names} | {"reason": values.get("reason") is None}


def _decision(
    found: _Recorded, step: Step, decided: Decision, before: Sequence[Decision], where: str
) -> Iterator[Problem]:
    if found.space.prescribed:
        expected = prescribe(step, prescribed_axis(found.space, step, before))
    else:
        missing = list(_without_outcome(found, step, decided))
        if missing:
            yield Problem(where, f"it is decided, and {', '.join(missing)}", CHANGED)
            return
        expected = decide(step, _outcomes(found, step, decided), skip_failed=True)
    if _unworded(expected) != _unworded(decided):
        kept, due = (f"{each.axis} (cost {each.cost:g}, score {each.score})" for each in (decided, expected))
        what = f"keeps {kept}, and the recorded outcomes give {due}"
        yield Problem(where, what if kept != due else f"its record of {kept} is not what was decided", CHANGED)


def _left_out(decided: Decision) -> dict[str, str]:
    """The trials that had failed when it was decided, as its ranking says; others may have completed them since."""
    return {ranked.trial: ranked.reason or "" for ranked in decided.ranking if ranked.trial and ranked.score is None}


def _without_outcome(found: _Recorded, step: Step, decided: Decision) -> Iterator[str]:
    left_out = _left_out(decided)
    for trial in step.trials:
        row = found.trials.get(trial.id)
        if trial.id in left_out:
            if trial.id not in found.failed:
                yield f"no failure of trial {trial.id}, which it left out, is recorded"
        elif row is None or row.completed_at is None:
            yield f"trial {trial.id} is not completed"


def _outcomes(found: _Recorded, step: Step, decided: Decision) -> list[Outcome]:
    left_out = _left_out(decided)
    return [
        Failed(trial.id, left_out[trial.id]) if trial.id in left_out else completed_of(found.trials[trial.id])
        for trial in step.trials
    ]


def _unworded(decision: Decision) -> Decision:
    """Without the reasons of infeasible candidates, which other versions word otherwise."""
    return replace(decision, ranking=tuple(replace(ranked, reason=None) for ranked in decision.ranking))


def _end(found: _Recorded, decisions: Sequence[Decision], where: str) -> Iterator[Problem]:
    ended = found.row.state == "completed"
    # What needs no decision is settled as the search ends.
    if not decisions and not ended:
        return
    if ended and ending(found.space, decisions, found.cost) is None:
        resume = f"as `expander resume {found.row.name}` goes on with it"
        yield Problem(where, "it is marked as completed, and a step follows", resume)
    settled = {each.name: instance_values(each) for each in instances(found.space, decisions, found.cost)}
    for name, values in settled.items():
        row = found.instances.get(name)
        if row is None:
            values |= {"search_id": found.row.id, "settled_at": datetime.now(UTC)}
            statement = insert(InstanceRow).values(values)
            yield Problem(where, f"instance {name} is settled and not recorded", "records it", (statement,))
        elif differing := [column for column, value in values.items() if getattr(row, column) != value]:
            yield Problem(where, f"instance {name} would have another {', '.join(differing)}", CHANGED)
    for name in found.instances.keys() - settled.keys():
        yield Problem(where, f"instance {name} is recorded, and its decisions settle none", CHANGED)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}" if str(error) else type(error).__name__
