"""`expander status`: searches, and one search's steps, trials, decisions and instances."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from expander.cli.output import Json, document, new_table, print_json
from expander.cost import ComplexityName, shown
from expander.errors import UsageError
from expander.units import duration, human

if TYPE_CHECKING:
    from results.records import CandidateRecord, DamagedRecord, InstanceRecord, SearchSummary, StepRecord
    from results.store import SearchStore

Name = Annotated[str, typer.Argument(help="Name of the search.")]
StoreUrl = Annotated[
    str,
    typer.Option("--store", envvar="EXPANDER_STORE", help="URL of the SQL store, as SQLAlchemy writes it."),
]
DEFAULT_STORE = "sqlite:///runs/expander.db"


def status(
    name: Annotated[str | None, typer.Argument(help="Name of the search; without it all are listed.")] = None,
    store: StoreUrl = DEFAULT_STORE,
    damaged: Annotated[bool, typer.Option("--damaged", help="List the videos that its trials could not read.")] = False,
    as_json: Json = False,
) -> None:
    """Show the searches in a store, or where one of them stands."""
    if damaged and name is None:
        raise UsageError("--damaged lists the videos of one search: give its NAME too")
    from results.store import open_store

    with closing(open_store(store)) as opened:
        if name is None:
            summaries = opened.searches()
            if as_json:
                print_json({"store": opened.url, "searches": [_summary_document(s) for s in summaries]})
            else:
                _print_searches(opened.url, summaries)
            return
        search = opened.search(name)
        if as_json:
            print_json(status_document(search))
        elif damaged:
            _print_damaged(search.damaged())
        else:
            print_status(search)


def status_document(search: SearchStore) -> dict[str, Any]:
    """Where a search stands, as plain values."""
    record = search.record_of
    steps, instances = search.steps(), search.instances()
    return {
        "name": record.name,
        "state": search.effective_state,
        "reason": record.reason,
        "space": record.source,
        "created": record.created.isoformat(),
        "runs": record.runs,
        "complexity": record.space.complexity,
        "device": record.device,
        "frontier": _frontier(steps),
        "steps": [_step_document(step) for step in steps],
        "instances": [_instance_document(instance) for instance in instances],
        "damaged": [_damaged_document(video) for video in search.damaged()],
    }


def _damaged_document(video: DamagedRecord) -> dict[str, Any]:
    seen = {"first_seen": video.first_seen.isoformat(), "last_seen": video.last_seen.isoformat()}
    return {**asdict(video), "trials": list(video.trials), "searches": list(video.searches), **seen}


def _frontier(steps: tuple[StepRecord, ...]) -> dict[str, Any] | None:
    """The candidate that the last expansion kept."""
    for step in reversed(steps):
        if step.kind == "expansion" and step.chosen is not None:
            kept = next(candidate for candidate in step.candidates if candidate.axis == step.chosen)
            return {"step": step.number, **_candidate_document(kept)}
    return None


def _step_document(step: StepRecord) -> dict[str, Any]:
    return {
        "number": step.number,
        "kind": step.kind,
        "regime": step.regime,
        "bound": step.bound,
        "frontier_cost": step.frontier_cost,
        "candidates": [_candidate_document(candidate) for candidate in step.candidates],
        "chosen": step.chosen,
        "ranking": [asdict(ranked) for ranked in step.ranking],
        "decided": step.decided_at.isoformat() if step.decided_at else None,
    }


def _candidate_document(candidate: CandidateRecord) -> dict[str, Any]:
    return {
        "axis": candidate.axis,
        "feasible": candidate.feasible,
        "reason": candidate.reason,
        "trial": candidate.trial,
        "state": candidate.state,
        "score": candidate.score,
        "top5": candidate.top5,
        "loss": candidate.loss,
        "epoch": candidate.epoch,
        "epochs": candidate.epochs,
        "seconds": candidate.seconds,
        "failures": candidate.failures,
        "failure": candidate.failure,
        "flops": candidate.flops,
        "params": candidate.params,
        "params_without_batchnorm": candidate.params_without_batchnorm,
        "cost": candidate.cost,
        "achieved_rate": candidate.achieved_rate,
        "geometry": candidate.geometry,
        "factors": candidate.factors,
    }


def _instance_document(instance: InstanceRecord) -> dict[str, Any]:
    return {
        "name": instance.name,
        "bound": instance.bound,
        "step": instance.step,
        "kind": instance.kind,
        "geometry": instance.geometry,
        "factors": instance.factors,
        "flops": instance.flops,
        "params": instance.params,
        "params_without_batchnorm": instance.params_without_batchnorm,
        "cost": instance.cost,
        "trial": instance.trial,
        "score": instance.score,
    }


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


def _print_searches(url: str, summaries: tuple[SearchSummary, ...]) -> None:
    left = ("name", "state", "created (UTC)", "steps", "frontier", "instances")
    table = new_table(f"Searches in {url}", left, ())
    for summary in summaries:
        frontier = shown(summary.complexity, summary.cost) if summary.cost else ""
        created = f"{summary.created:%Y-%m-%d %H:%M}"
        names = " ".join(summary.instances)
        table.add_row(summary.name, summary.state, created, str(summary.steps), frontier, names)
    document().print(table)


def print_status(search: SearchStore) -> None:
    """Where a search stands, for people."""
    record, steps, instances = search.record_of, search.steps(), search.instances()
    console = document()
    why = f": {record.reason}" if record.reason else ""
    console.print(f"{record.name} ({record.source}): {search.effective_state}{why}", markup=False)
    complexity = record.space.complexity
    if record.device is not None:
        console.print(f"{complexity} measured on {record.device}", markup=False)
    columns = ("step", "axis", "clip", "crop", "FLOPs", *_extra_column(complexity), "trial", "state", "top-1")
    table = new_table("", ("step", "axis", "trial", "state"), (), order=columns)
    for number, step in enumerate(steps):
        if number:
            table.add_section()
        for candidate in step.candidates:
            _add_candidate(table, step, candidate, complexity)
    console.print(table)
    for line in _reasons(steps):
        console.print(line, style="dim", markup=False)
    if instances:
        console.print(_instance_table(instances, complexity))
        if any(instance.kind == "contraction" for instance in instances):
            console.print("↓ contracted from the step that overshot its bound")
    if videos := len(search.damaged()):
        word = "video" if videos == 1 else "videos"
        line = f"{videos:,} damaged {word} could not be read; list them with: expander status {record.name} --damaged"
        console.print(line, markup=False)
    if search.effective_state in ("interrupted", "failed"):
        console.print(f"Go on with: expander resume {record.name}", markup=False)


def _print_damaged(videos: tuple[DamagedRecord, ...]) -> None:
    console = document()
    if not videos:
        console.print("no damaged video has been reported")
    for video in videos:
        seen = f"{video.first_seen:%Y-%m-%d %H:%M} to {video.last_seen:%Y-%m-%d %H:%M} UTC"
        trials = "1 trial" if len(video.trials) == 1 else f"{len(video.trials)} trials"
        place = f"{video.manifest or 'manifest unknown'}, {trials} of {', '.join(video.searches)}, {seen}"
        console.print(f"{video.video}: {video.reason} ({place})", markup=False, soft_wrap=True)


def _extra_column(complexity: ComplexityName) -> tuple[ComplexityName, ...]:
    """The column of a complexity beside that of the FLOPs."""
    return () if complexity == "flops" else (complexity,)


def _add_candidate(table: Table, step: StepRecord, candidate: CandidateRecord, complexity: ComplexityName) -> None:
    first = candidate is step.candidates[0]
    label = (f"{step.number}" if step.regime is None else f"{step.number} {step.regime}") if first else ""
    kept = candidate.axis == step.chosen
    axis = ("→ " if kept else "  ") + candidate.axis
    if candidate.geometry is None or not candidate.feasible:
        empty = ("", "", "", *("" for _ in _extra_column(complexity)), "")
        table.add_row(label, axis, *empty, "infeasible", style="dim")
        return
    geometry = candidate.geometry
    clip = f"{geometry['frames']}x{geometry['stride']}" if geometry["stride"] else f"{geometry['frames']}"
    score = f"{candidate.score:.1%}" if candidate.score is not None else ""
    costs = [human(candidate.flops or 0), *(shown(name, candidate.cost or 0) for name in _extra_column(complexity))]
    cells = (clip, str(geometry["crop"]), *costs, candidate.trial or "", _state(candidate), score)
    table.add_row(label, axis, *cells, style="bold" if kept else "")


def _reasons(steps: tuple[StepRecord, ...]) -> list[str]:
    """Why candidates cannot be chosen, and why trials failed."""
    lines = []
    for step in steps:
        for candidate in step.candidates:
            if not candidate.feasible:
                lines.append(f"step {step.key}, {candidate.axis}: infeasible, {candidate.reason}")
            if candidate.failure and candidate.state != "completed":
                lines.append(f"step {step.key}, {candidate.axis}: {candidate.failure}")
    return lines


def _state(candidate: CandidateRecord) -> str:
    match candidate.state:
        case "running" if candidate.epoch:
            return f"epoch {candidate.epoch}/{candidate.epochs}"
        case "failed":
            return f"failed {candidate.failures} x"
        case "completed" if candidate.seconds:
            return duration(candidate.seconds)
        case state:
            return state


def _instance_table(instances: tuple[InstanceRecord, ...], complexity: ComplexityName) -> Table:
    # The parameters have a column of their own in any case.
    extra = tuple(name for name in _extra_column(complexity) if name != "params")
    columns = ("name", "step", "clip", "crop", "blocks", "FLOPs", "params", *extra, "top-1")
    table = new_table("Instances", ("name", "step", "blocks"), (), order=columns)
    for instance in instances:
        geometry = instance.geometry
        clip = f"{geometry['frames']}x{geometry['stride']}" if geometry["stride"] else f"{geometry['frames']}"
        step = f"{instance.step}" + (" ↓" if instance.kind == "contraction" else "")
        score = f"{instance.score:.1%}" if instance.score is not None else "not trained"
        blocks = " ".join(map(str, geometry["blocks"]))
        table.add_row(
            instance.name,
            step,
            clip,
            str(geometry["crop"]),
            blocks,
            human(instance.flops),
            human(instance.params),
            *(shown(name, instance.cost) for name in extra),
            score,
        )
    return table
