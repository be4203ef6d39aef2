"""The searches of a store, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from expander.cli.output import new_table
from expander.cost import shown

if TYPE_CHECKING:
    from results.summaries import SearchSummary


def searches_document(url: str, summaries: tuple[SearchSummary, ...]) -> dict[str, Any]:
    """The searches of a store, as plain values."""
    return {"store": url, "searches": [_summary_document(summary) for summary in summaries]}


def _summary_document(summary: SearchSummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "state": summary.state,
        "created": summary.created.isoformat(),
        "steps": summary.steps,
        "axis": summary.axis,
        "complexity": summary.complexity,
        "cost": summary.cost,
        "instances": list(summary.instances),
    }


def searches_table(url: str, summaries: tuple[SearchSummary, ...]) -> Table:
    """The searches of a store, for people."""
    left = ("name", "state", "created (UTC)", "steps", "frontier", "instances")
    table = new_table(f"Searches in {url}", left, ())
    for summary in summaries:
        frontier = shown(summary.complexity, summary.cost) if summary.cost else ""
        created = f"{summary.created:%Y-%m-%d %H:%M}"
        names = " ".join(summary.instances)
        table.add_row(summary.name, summary.state, created, str(summary.steps), frontier, names)
    return table
