"""The files that a store speaks of: the weights of its trials, and the folders beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from results.check.problem import Problem
from results.schema import SearchRow, TrialRow


def problems_of_files(session: Session) -> Iterator[Problem]:
    """Weights that are absent or are not those recorded, and folders of trials that nobody knows."""
    columns = TrialRow.id, TrialRow.weights, TrialRow.weights_sha256
    finished = TrialRow.completed_at.is_not(None), TrialRow.weights.is_not(None)
    for trial, weights, recorded in session.execute(select(*columns).where(*finished).order_by(TrialRow.id)):
        yield from _weights(trial, Path(weights or ""), recorded)
    known = set(session.scalars(select(TrialRow.id)))
    for runs in sorted(set(session.scalars(select(SearchRow.runs)))):
        yield from _strays(Path(runs) / "trials", known)


def _weights(trial: str, path: Path, recorded: str | None) -> Iterator[Problem]:
    where = f"trial {trial}"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        why = "as its score stands without them: only a backup has the file"
        yield Problem(where, f"its weights {path} cannot be read ({error.strerror})", why)
        return
    if recorded is None:
        unknown = TrialRow.id == trial, TrialRow.weights_sha256.is_(None), TrialRow.weights == str(path)
        statement = update(TrialRow).where(*unknown).values(weights_sha256=found)
        yield Problem(where, f"no checksum of its weights {path} is recorded", "records that of today", (statement,))
    elif found != recorded:
        what = f"its weights {path} are not those that were trained (sha256 {found[:8]}…, recorded {recorded[:8]}…)"
        yield Problem(where, what, "as only a backup of the file has them")


def _strays(folder: Path, known: set[str]) -> Iterator[Problem]:
    try:
        found = sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in known)
    except FileNotFoundError:
        return  # a search that trains nothing has none
    except OSError as error:
        why = "as it may come back"
        yield Problem(f"folder {folder}", f"it cannot be read ({error.strerror})", why)
        return
    for path in found:
        yield Problem(f"folder {path}", "no trial of this store has it", "as a trial of another store may")
