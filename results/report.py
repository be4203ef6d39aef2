"""A search on one page of HTML that stands alone: no script, no network, light and dark, on paper too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from expander.axis import Axis
from expander.errors import UsageError
from expander.recipe import recipe_at
from results import plots, tables
from results.export import write_atomically
from results.plots import clip, human
from results.records import TrialRecord

if TYPE_CHECKING:
    from results.store import SearchStore

# The markers of the figures as letters, followed by the selector that keeps phones from drawing them as pictures.
GLYPHS = {
    Axis.FAST: "▲",
    Axis.TEMPORAL: "●",
    Axis.SPATIAL: "■",
    Axis.DEPTH: "▼",
    Axis.WIDTH: "◆",
    Axis.BOTTLENECK: "✚",
}
# A difference of two shares that is under two of its standard errors happens once in twenty by chance.
NOISE_ERRORS = 2


@dataclass(frozen=True)
class Figures:
    """What a search came to, in a few numbers. seconds: wall time of its trainings, one after the other."""

    expansions: int
    contractions: int
    undecided: int
    completed: int
    failed: int
    unfinished: int
    seconds: float
    epochs: int


@dataclass(frozen=True)
class Phase:
    """Steps that train by the same recipe; changed: the keys that differ from the phase before."""

    first: int
    last: int
    recipe: Mapping[str, Any]
    changed: frozenset[str]


def write_report(search: SearchStore, out: Path) -> None:
    """Write the page of `search` to the file `out`, whole or not at all. Raises UsageError where that cannot be."""
    page = render(search).encode("utf-8", "backslashreplace")
    try:
        if out.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, lambda file: file.write(page))
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {out}: {error.strerror}; give --out a file in a folder that you may"
            " write to, such as report.html"
        ) from error


def render(search: SearchStore) -> str:
    """The page; the same for the same content of the store."""
    known = tables.trials(search)
    candidates, epochs = tables.candidates(search, known), tables.epochs(search, known)
    record, instances = search.record_of, search.instances()
    settled = {instance.name for instance in instances}
    rows = tables.rows_of(candidates)
    return _template().render(
        record=record,
        state=search.effective_state,
        figures=_figures(rows, epochs, known),
        charts=[Markup(chart) for chart in _charts(candidates, instances)],
        scored=bool(candidates["top1"].notna().any()),
        steps=[(key, list(group)) for key, group in groupby(rows, lambda row: row["step"])],
        decisions=tables.rows_of(tables.decisions(search, known)),
        videos=sorted({int(videos) for videos in candidates["videos"].dropna()}),
        instances=instances,
        unsettled={name: bound for name, bound in record.space.regimes.bounds.items() if name not in settled},
        missing=[row for row in rows if not row["feasible"] or row["failures"]],
        curves=[(step, Markup(curve)) for step, curve in plots.training_curves(candidates, epochs)],
        phases=_phases(record.space, rows) if known else [],
        damaged=sorted({video for trial in known.values() for video in trial.damaged}),
        trained_with=_versions(known.values()),
        space=yaml.safe_dump(record.space.as_dict(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100),
    )
