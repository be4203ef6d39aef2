"""What trials took on GPUs of one kind, as far as a store knows: `expander plan --store` scales from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from expander.geometry import Geometry
from expander.throughput import Trained
from expander.trial import Views
from results.rows import trial_of
from results.schema import EpochRow, SearchRow, TrialRow


def trained_on(session: Session, marks: Sequence[str]) -> tuple[Trained, ...]:
    """Every finished trial on a GPU whose name has all `marks`; those of other networks than X3D are left out."""
    known = TrialRow.completed_at.is_not(None), TrialRow.device.is_not(None), TrialRow.gpus.is_not(None)
    rows = [row for row in session.scalars(select(TrialRow).where(*known)) if _is_on(row, marks)]
    videos = _training_videos(session)
    epochs: defaultdict[str, list[EpochRow]] = defaultdict(list)
    mine = select(EpochRow).where(EpochRow.trial_id.in_([row.id for row in rows])).order_by(EpochRow.number)
    for epoch in session.scalars(mine):
        epochs[epoch.trial_id].append(epoch)
    found = (_trained(row, epochs[row.id], videos.get(row.data)) for row in rows)
    return tuple(trained for trained in found if trained is not None)


def _is_on(row: TrialRow, marks: Sequence[str]) -> bool:
    return all(mark in (row.device or "") for mark in marks)


def _training_videos(session: Session) -> dict[str, int]:
    """Training videos by the fingerprint of the data."""
    rows = session.scalars(select(SearchRow).options(defer(SearchRow.space)))
    return {row.data["id"]: row.data["train"]["videos"] for row in rows if row.data and "id" in row.data}


def _trained(row: TrialRow, epochs: Sequence[EpochRow], videos: int | None) -> Trained | None:
    trial = trial_of(row)
    if not epochs or not videos or not row.gpus or not isinstance(trial.geometry, Geometry):
        return None
    # The median: a first epoch also reads the index of each file, and one after a fault may have waited.
    seconds = median(epoch.seconds for epoch in epochs) / videos
    return Trained(trial.geometry, row.gpus, trial.views, seconds, _view_seconds(row, epochs[-1], trial.views))


def _view_seconds(row: TrialRow, last: EpochRow, views: Views) -> float | None:
    """Validation is what lies between the last epoch and the outcome, where one attempt brought both undisturbed."""
    if row.started_at is None or row.completed_at is None or last.recorded_at < row.started_at:
        return None
    seconds = (row.completed_at - last.recorded_at).total_seconds()
    # An outcome that is recorded late, by a coordinator that was away, tells nothing.
    if not row.videos or not 0 < seconds <= (row.seconds or 0):
        return None
    return seconds / (row.videos * views.per_video)
