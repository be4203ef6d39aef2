"""A search that begins with the first decisions of another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from expander.search import Decision, Instance, Step
from results.schema import Base, CandidateRow, DecisionRow, SearchRow, StepRow


@dataclass(frozen=True)
class Fork:
    """What a new search begins with.

    name: of the search that it is forked from. step: the expansion that it goes on with. keys: of the steps that it
    keeps. settled: the instances that these settle. chosen: that expansion, decided by a user. device: where the
    complexity was measured.
    """

    name: str
    step: int
    keys: tuple[str, ...]
    settled: tuple[Instance, ...]
    chosen: tuple[Step, Decision] | None = None
    device: str | None = None


def copy_steps(session: Session, origin: SearchRow, search: SearchRow, keys: Sequence[str]) -> None:
    """Give `search` the steps `keys` of `origin`, with their candidates and decisions, as they are."""
    rows = session.scalars(
        select(StepRow).where(StepRow.search_id == origin.id, StepRow.key.in_(keys)).order_by(StepRow.id)
    ).all()
    copies: dict[int, StepRow] = {}
    for row in rows:
        copies[row.id] = StepRow(**_values(row, "id") | {"search_id": search.id})
        session.add(copies[row.id])
        session.flush()
    for candidate in session.scalars(select(CandidateRow).where(CandidateRow.step_id.in_(copies))):
        session.add(CandidateRow(**_values(candidate) | {"step_id": copies[candidate.step_id].id}))
    decided = select(DecisionRow).where(DecisionRow.step_id.in_(copies)).order_by(DecisionRow.id)
    for decision in session.scalars(decided).all():
        session.add(DecisionRow(**_values(decision, "id") | {"step_id": copies[decision.step_id].id}))
        session.flush()


def _values(row: Base, *without: str) -> dict[str, object]:
    names = (column.key for column in row.__table__.columns)
    return {name: getattr(row, name) for name in names if name not in without}
