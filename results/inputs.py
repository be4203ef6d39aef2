"""What a search is carried out with: what was recorded of it, and whose finished work it may go on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, load_only

from expander.errors import UsageError
from expander.inputs import ACCEPTABLE, Change, mixing, same
from expander.space import OPERATIONAL
from expander.trial import content_id
from results.schema import CandidateRow, DecisionRow, FileListRow, SearchRow, StepRow, TrialRow

# Of a look at the files of a manifest: sizes, compressed, and the sample.
Packed = tuple[bytes, dict[str, str]]
NAMED = 10


def foreign(session: Session, search: SearchRow, trials: Sequence[str]) -> tuple[Change, ...]:
    """How those of `trials` that have completed or left a checkpoint were trained otherwise than this search trains.

    What a user has accepted is left out, and so is what either does not know.
    """
    columns = load_only(TrialRow.id, TrialRow.completed_at, TrialRow.versions, TrialRow.started_with)
    begun = or_(TrialRow.completed_at.is_not(None), TrialRow.epoch.is_not(None))
    rows = session.scalars(
        select(TrialRow).where(TrialRow.id.in_(trials), begun).order_by(TrialRow.id).options(columns)
    )
    return tuple(
        change
        for row in rows
        for change in mixing((row.versions if row.completed_at else row.started_with) or {}, search.versions, row.id)
        if not _accepted(search, change)
    )


def refuse_foreign(session: Session, search: SearchRow, trials: Sequence[str]) -> None:
    """Raise UsageError where `foreign` finds something."""
    if not (found := foreign(session, search, trials)):
        return
    kinds = dict.fromkeys(change.kind for change in found)
    lines = [f"  {change.line}" for change in found[:NAMED]]
    lines += [f"  and {len(found) - NAMED} more"] if len(found) > NAMED else []
    accept = f"expander resume {search.name} --accept-changes {','.join(kinds)}"
    way = f"; or accept this, which is recorded: {accept}" if set(kinds) <= set(ACCEPTABLE) else ""
    listed = "\n".join(lines)
    raise UsageError(
        f"search {search.name!r} would go on from trials that were trained otherwise than it trains\n{listed}\n"
        f"Comparing them with its own would mix results. Run it with what they were trained with, or in another store"
        f" (--store), where nothing is trained yet{way}"
    )


def undecided(session: Session, search: SearchRow) -> list[str]:
    """The trials of steps that are not decided yet."""
    mine = StepRow.search_id == search.id, DecisionRow.id.is_(None), CandidateRow.trial_id.is_not(None)
    steps = select(CandidateRow.trial_id).join(StepRow, CandidateRow.step_id == StepRow.id)
    found = session.scalars(steps.outerjoin(DecisionRow, DecisionRow.step_id == StepRow.id).where(*mine))
    return [trial for trial in found if trial is not None]


def complete(search: SearchRow, versions: Mapping[str, str], sources: Mapping[str, str]) -> None:
    """Record what an earlier program did not; what it did stays."""
    search.versions = {**versions, **search.versions}
    search.sources = search.sources or dict(sources)


def space_id(search: SearchRow) -> str:
    """Names what a space says, but for how trials are carried out."""
    return content_id({key: value for key, value in search.space.items() if key not in OPERATIONAL})


def accept(
    search: SearchRow, changes: Sequence[Change], versions: Mapping[str, str], sources: Mapping[str, str]
) -> None:
    """Record that a user accepts `changes`: from now on the search is compared with what it is now."""
    now = datetime.now(UTC).isoformat()
    values = [
        {"kind": change.kind, "recorded": change.recorded, "now": change.now, "trial": change.trial, "at": now}
        for change in changes
    ]
    # Whoever did not hear that it was recorded asks again.
    if _untimed(search.accepted[-len(values) :]) != _untimed(values):
        search.accepted = [*search.accepted, *values]
    own = {change.kind for change in changes if change.trial is None}
    search.versions = {**search.versions, **{kind: versions[kind] for kind in own}}
    if "code" in own:
        search.sources = dict(sources)


def _untimed(accepted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key != "at"} for each in accepted]


def keep_files(session: Session, files: Mapping[str, Packed]) -> None:
    """Record file lists by their digests; those that are known stay."""
    known = set(session.scalars(select(FileListRow.digest).where(FileListRow.digest.in_(files))))
    for digest, (sizes, sample) in files.items():
        if digest not in known:
            session.add(FileListRow(digest=digest, sizes=sizes, sample=sample))


def file_list(session: Session, digest: str) -> Packed | None:
    """The file list of that digest, None where there is none."""
    row = session.get(FileListRow, digest)
    return None if row is None else (row.sizes, row.sample)


def _accepted(search: SearchRow, change: Change) -> bool:
    """Whether a user has accepted what a trial was trained with."""
    values = (
        value for each in search.accepted if each["kind"] == change.kind for value in (each["recorded"], each["now"])
    )
    return any(same(change.kind, change.recorded, value) for value in values)
