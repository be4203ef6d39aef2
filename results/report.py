"""A search on one page of HTML that stands alone: no script, no network, light and dark, on paper too."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from expander.axis import Axis
from expander.cost import ComplexityName, shown
from expander.files import make_folder, write_whole
from expander.recipe import Recipe, Regularisation, recipe_at, told
from expander.search import gaps, regularisation
from expander.units import duration, human
from results import plots, tables
from results.curves import ELSEWHERE, HALF, Curve, accuracy_against_inference, curves
from results.drawing import COLOURS
from results.plots import NARROW, WIDE, clip
from results.records import InstanceRecord, TrialRecord

if TYPE_CHECKING:
    from results.scores import NetworkScores
    from results.store import SearchStore

# The markers of the figures as characters of a text.
GLYPHS = {
    Axis.FAST: "▲",
    Axis.TEMPORAL: "●",
    Axis.SPATIAL: "■",
    Axis.DEPTH: "▼",
    Axis.WIDTH: "◆",
    Axis.BOTTLENECK: "✚",
}
# A difference as large as two of its standard errors comes about once in twenty times by chance.
NOISE_ERRORS = 2


@dataclass(frozen=True)
class Totals:
    """What a search came to. Trainings are different trials; seconds: their wall time, one after the other."""

    expansions: int
    contractions: int
    candidates: int
    completed: int
    failed: int
    unfinished: int
    seconds: float
    epochs: int


@dataclass(frozen=True)
class Phase:
    """Steps that train by the same recipe; changed: its keys that differ from the phase before."""

    first: int
    last: int
    recipe: Mapping[str, Any]
    changed: frozenset[str]


def write_report(search: SearchStore, out: Path, scores: Sequence[NetworkScores] = ()) -> None:
    """Write the page of `search` to the file `out`, whole or not at all. Raises FileError where that cannot be.

    scores: of networks that `expander test` has tested, of this search or of none.
    """
    page = render(search, scores).encode("utf-8", "backslashreplace")
    make_folder(out.parent)
    write_whole(out, page)


def render(search: SearchStore, scores: Sequence[NetworkScores] = ()) -> str:
    """The page; the same for the same content of the store and the same scores. Raises UsageError as `curves` does."""
    known = tables.trials(search)
    candidates, epochs = tables.candidates(search, known), tables.epochs(search, known)
    rows, record, instances = tables.rows_of(candidates), search.record_of, search.instances()
    settled = {instance.name for instance in instances}
    costs, decisions = curves(search, scores), search.decisions()
    changes = regularisation(record.space, decisions)
    return _template(record.space.complexity).render(
        record=record,
        store=search.url,
        state=search.effective_state,
        totals=_totals(rows, epochs),
        charts=_charts(candidates, instances, record.space.complexity),
        scored=_scored(candidates),
        steps=[(key, list(group)) for key, group in groupby(rows, lambda row: row["step"])],
        instances=instances,
        costs=costs,
        cost_charts=_cost_charts(costs),
        uncurved=[curve for curve in costs if curve.ours and len(curve.scores) == 1],
        unsettled={name: bound for name, bound in record.space.regimes.bounds.items() if name not in settled},
        decisions=tables.rows_of(tables.decisions(search, known)),
        videos=sorted(candidates["videos"].dropna().unique()),
        curves=[(step, Markup(curve)) for step, curve in plots.training_curves(candidates, epochs)],
        phases=_phases(record.space.base_recipe, changes, [row["number"] for row in rows if row["trial"]]),
        automatic=told(record.space.regularisation_expansion, gaps(decisions)),
        damaged=search.damaged(),
        trained_by=_versions(known.values()),
        chosen_by_user=[step for step in search.steps() if step.by_user],
        space=yaml.safe_dump(record.space.as_dict(), sort_keys=False, allow_unicode=True, default_flow_style=None),
    )


def _template(complexity: ComplexityName) -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"human": human, "duration": duration, "percent": _percent}
    environment.filters["cost"] = partial(shown, complexity)
    environment.filters |= {"setting": _setting, "quoted": shlex.quote}
    environment.globals |= {
        "clip": clip,
        "complexity": plots.named(complexity),
        # The column of a complexity that has none among FLOPs and params.
        "extra": () if complexity in ("flops", "params") else (complexity,),
        "glyphs": GLYPHS,
        "noise_errors": NOISE_ERRORS,
        "elsewhere_mark": ELSEWHERE,
        "colours": COLOURS,
    }
    return environment.from_string(files("results").joinpath("report.html.jinja").read_text(encoding="utf-8"))


def _scored(candidates: pd.DataFrame) -> bool:
    return bool((candidates["feasible"] & candidates["top1"].notna()).any())


def _charts(candidates: pd.DataFrame, instances: Sequence[InstanceRecord], complexity: ComplexityName) -> list[Markup]:
    """The main figure for wide and for narrow pages; none without a candidate."""
    if not candidates["feasible"].any():
        return []
    draw = plots.accuracy_against_cost if _scored(candidates) else plots.cost_of_steps
    return [Markup(draw(candidates, instances, complexity, size)) for size in (WIDE, NARROW)]


def _cost_charts(costs: Sequence[Curve]) -> list[tuple[Markup, Markup]]:
    """Accuracy against the cost of a video on a linear and on a logarithmic axis, each for wide and narrow pages."""
    if not costs:
        return []
    draw = accuracy_against_inference
    return [(Markup(draw(costs, HALF, log=log)), Markup(draw(costs, NARROW, log=log))) for log in (False, True)]


def _totals(rows: Sequence[Mapping[str, Any]], epochs: pd.DataFrame) -> Totals:
    trials = {row["trial"]: row for row in rows if row["trial"] is not None}.values()
    states = [row["state"] for row in trials]
    return Totals(
        expansions=sum(row["kept"] and row["kind"] == "expansion" for row in rows),
        contractions=sum(row["kept"] and row["kind"] == "contraction" for row in rows),
        candidates=len(rows),
        completed=states.count("completed"),
        failed=states.count("failed"),
        unfinished=states.count("pending") + states.count("running"),
        seconds=sum(row["seconds"] or 0 for row in trials),
        epochs=len(epochs),
    )


def _phases(base: Recipe, changes: Sequence[Regularisation], numbers: Iterable[int]) -> list[Phase]:
    """The recipes of the steps `numbers`, and what regularisation expansion changed between them."""
    phases: list[Phase] = []
    for number in sorted(set(numbers)):
        recipe = recipe_at(number, base, changes).as_dict()
        last = phases[-1] if phases else None
        if last is not None and last.recipe == recipe:
            phases[-1] = Phase(last.first, number, recipe, last.changed)
        else:
            changed = frozenset(key for key in recipe if last is not None and last.recipe[key] != recipe[key])
            phases.append(Phase(number, number, recipe, changed))
    return phases


def _versions(trials: Iterable[TrialRecord]) -> dict[str, str]:
    """What trained: each program's version, all of them where workers differ."""
    found: dict[str, set[str]] = {}
    for trial in trials:
        for program, version in trial.versions.items():
            found.setdefault(program, set()).add(version)
    return {program: " and ".join(sorted(versions)) for program, versions in found.items()}


def _percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None else f"{100 * share:.{digits}f}"


def _setting(value: object) -> str:
    """One value of a recipe."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case list():
            return " to ".join(_setting(each) for each in value)
        case _:
            return str(value)
