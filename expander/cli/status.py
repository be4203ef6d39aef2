"""`expander status`: searches, and one search's steps, trials, decisions and instances."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from expander.cli.failing import attempts_of, avoided, failure_document, print_attempts
from expander.cli.failing import told as failing_told
from expander.cli.output import Json, document, new_table, print_json
from expander.cli.remaining import seconds_left
from expander.cost import ComplexityName, shown
from expander.errors import UsageError
from expander.failure import suspects
from expander.pace import figures
from expander.recipe import told
from expander.search import Decision, gaps, regularisation
from expander.trial import Failed
from expander.units import duration, human

if TYPE_CHECKING:
    from results.lease import Lease
    from results.records import (
        Accepted,
        CandidateRecord,
        DamagedRecord,
        InstanceRecord,
        SearchRecord,
        SearchState,
        SearchSummary,
        StepRecord,
    )
    from results.store import SearchStore

Name = Annotated[str, typer.Argument(help="Name of the search.")]
StoreUrl = Annotated[
    str,
    typer.Option("--store", envvar="EXPANDER_STORE", help="URL of the SQL store, as SQLAlchemy writes it."),
]
DEFAULT_STORE = "sqlite:///runs/expander.db"
EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class Snapshot:
    """Where a search stood when it was read. left: seconds until its step is ready, None where that is not known.

    holder: who runs it, or left it running. failures: those that count.
    """

    record: SearchRecord
    state: SearchState
    steps: tuple[StepRecord, ...]
    instances: tuple[InstanceRecord, ...]
    decisions: tuple[Decision, ...]
    damaged: tuple[DamagedRecord, ...]
    left: float | None
    holder: Lease | None
    failures: tuple[Failed, ...]


def status(
    name: Annotated[str | None, typer.Argument(help="Name of the search; without it all are listed.")] = None,
    store: StoreUrl = DEFAULT_STORE,
    damaged: Annotated[bool, typer.Option("--damaged", help="List the videos that its trials could not read.")] = False,
    trial: Annotated[
        str | None,
        typer.Option("--trial", help="Show the failed attempts of this trial: traceback and end of its log."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep showing it until the search ends; Ctrl-C quits and stops nothing.")
    ] = False,
    every: Annotated[
        float | None, typer.Option(min=0.5, help=f"Seconds between two looks of --watch; else {EVERY_SECONDS:g}.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the searches in a store, or where one of them stands."""
    if every is not None and not watch:
        raise UsageError("--every says how often --watch looks; give --watch too")
    if damaged and (name is None or watch):
        raise UsageError("--damaged lists the videos of one search: give its NAME, and no --watch")
    if trial is not None and (name is None or watch or damaged):
        raise UsageError("--trial shows one trial of one search: give its NAME, and neither --watch nor --damaged")
    from expander.cli.watch import keep_watching
    from results.store import open_store

    with closing(open_store(store)) as opened:
        if watch:
            keep_watching(opened, name, every or EVERY_SECONDS, as_json)
        elif name is None:
            summaries = opened.searches()
            if as_json:
                print_json(searches_document(opened.url, summaries))
            else:
                document().print(searches_table(opened.url, summaries))
        elif trial is not None:
            attempts = attempts_of(opened.search(name), trial)
            if as_json:
                print_json({"trial": trial, "attempts": [failure_document(failed) for failed in attempts]})
            else:
                print_attempts(attempts)
        elif as_json:
            print_json(status_document(opened.search(name)))
        elif damaged:
            _print_damaged(opened.search(name).damaged())
        else:
            print_status(opened.search(name))


def take(search: SearchStore) -> Snapshot:
    """Read where a search stands."""
    steps, state = search.steps(), search.effective_state
    left = seconds_left(steps[-1], search.epoch_seconds()) if steps and state == "running" else None
    found = search.instances(), search.decisions(), search.damaged()
    return Snapshot(search.record_of, state, steps, *found, left, search.holder, search.failures())


def status_document(search: SearchStore) -> dict[str, Any]:
    """Where a search stands, as plain values."""
    return document_of(take(search))


def document_of(taken: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values."""
    record = taken.record
    return {
        "name": record.name,
        "state": taken.state,
        "reason": record.reason,
        "coordinator": _coordinator_document(taken.holder) if taken.holder else None,
        "forked": asdict(record.forked) if record.forked else None,
        "versions": dict(record.versions),
        "accepted": [asdict(change) | {"at": change.at.isoformat()} for change in record.accepted],
        "space": record.source,
        "created": record.created.isoformat(),
        "runs": record.runs,
        "complexity": record.space.complexity,
        "device": record.device,
        "step_seconds_left": taken.left,
        "frontier": _frontier(taken.steps),
        "regularisation": [asdict(change) for change in regularisation(record.space, taken.decisions)],
        "steps": [_step_document(step) for step in taken.steps],
        "instances": [_instance_document(instance) for instance in taken.instances],
        "damaged": [_damaged_document(video) for video in taken.damaged],
        "avoided": sorted(suspects(taken.failures)),
    }


def _coordinator_document(lease: Lease) -> dict[str, Any]:
    return {
        "host": lease.owner.host,
        "pid": lease.owner.pid,
        "since": lease.claimed.isoformat(),
        "last_heard_of": lease.heard.isoformat(),
        "lease": lease.number,
        "lease_seconds": lease.seconds,
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
        "chosen_by_user": step.by_user,
        "ranking": [asdict(ranked) for ranked in step.ranking],
        "recipe": dict(step.recipe),
        "train_top1": step.train_top1,
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
        "failed": failure_document(candidate.failed) if candidate.failed else None,
        "notes": list(candidate.notes),
        "last_epoch": asdict(candidate.last) if candidate.last else None,
        "damaged": candidate.damaged,
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


def searches_document(url: str, summaries: tuple[SearchSummary, ...]) -> dict[str, Any]:
    """The searches of a store, as plain values."""
    return {"store": url, "searches": [_summary_document(summary) for summary in summaries]}


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


def print_status(search: SearchStore) -> None:
    """Where a search stands, for people."""
    console = document()
    for part in parts(taken := take(search), shown_whole(taken.steps)):
        console.print(part)


def parts(
    taken: Snapshot, candidates: list[tuple[StepRecord, tuple[CandidateRecord, ...]]], *, brief: bool = False
) -> list[RenderableType]:
    """A snapshot for people, with those candidates of its steps. brief: without instances and infeasible axes."""
    record, complexity = taken.record, taken.record.space.complexity
    why = f": {record.reason}" if record.reason else ""
    found: list[RenderableType] = [Text(f"{record.name} ({record.source}): {taken.state}{why}")]
    if taken.holder is not None:
        verb = "run" if taken.state == "running" else "left"
        since = f"since {taken.holder.claimed:%F %T} UTC, last heard of {taken.holder.heard:%F %T}"
        found.append(Text(f"{verb} by {taken.holder.owner} {since}"))
    found += [Text(line) for line in _provenance(record)]
    found.append(_candidate_table(candidates, complexity))
    found += [Text(f"step {step.key}: {step.chosen} was chosen by the user") for step, _ in candidates if step.by_user]
    found += [Text(line) for line in _progress(taken)]
    found += [Text(line, style="dim") for line in _reasons(taken, candidates, brief)]
    found += [Text(line) for line in avoided(taken.failures)]
    begun = told(record.space.regularisation_expansion, gaps(taken.decisions))
    found += [Text(f"regularisation: {line}") for line in begun]
    if taken.instances and not brief:
        found.append(_instance_table(taken.instances, complexity))
        if any(instance.kind == "contraction" for instance in taken.instances):
            found.append(Text("↓ contracted from the step that overshot its bound"))
    if count := len(taken.damaged):
        word = "video" if count == 1 else "videos"
        line = f"{count:,} damaged {word} could not be read; list them with: expander status {record.name} --damaged"
        found.append(Text(line))
    if taken.state in ("interrupted", "failed"):
        word = "retry" if taken.state == "failed" and _stopped(taken) else "resume"
        found.append(Text(f"Go on with: expander {word} {record.name}"))
    return found


def _provenance(record: SearchRecord) -> list[str]:
    """Where a search comes from, where it measures, and what was accepted of it."""
    lines = [f"forked from {record.forked.name} at step {record.forked.step}"] if record.forked else []
    if record.device is not None:
        lines.append(f"{record.space.complexity} measured on {record.device}")
    return lines + [f"accepted {each.at:%F %T} UTC: {_told(each)}" for each in record.accepted]


def _told(change: Accepted) -> str:
    """A change that was accepted, in words."""
    whose = f" of trial {change.trial}" if change.trial else ""
    return f"{change.kind}{whose} {change.recorded}, then {change.now}"


def shown_whole(steps: tuple[StepRecord, ...]) -> list[tuple[StepRecord, tuple[CandidateRecord, ...]]]:
    """Steps with all of their candidates."""
    return [(step, step.candidates) for step in steps]


def _candidate_table(
    candidates: list[tuple[StepRecord, tuple[CandidateRecord, ...]]], complexity: ComplexityName
) -> Table:
    columns = ("step", "axis", "clip", "crop", "FLOPs", *_extra_column(complexity), "trial", "state", "top-1")
    table = new_table("", ("step", "axis", "trial", "state"), (), order=columns)
    before: StepRecord | None = None
    for step, some in candidates:
        # A step of which only what it kept is shown needs no line of its own.
        if before is not None and (len(some) > 1 or before.chosen is None):
            table.add_section()
        for candidate in some:
            _add_candidate(table, step, candidate, complexity, first=candidate is some[0])
        before = step
    return table


def _progress(taken: Snapshot) -> list[str]:
    """How the running trials train, and when the step may be ready."""
    if not taken.steps or taken.state != "running":
        return []
    step, lines = taken.steps[-1], []
    for candidate in step.candidates:
        if candidate.state == "running" and (last := candidate.last) is not None:
            learned = f"epoch {last.number}/{last.epochs}, loss {last.loss:.3f}, train top-1 {last.top1:.1%}"
            lines.append(", ".join([f"step {step.key}, {candidate.axis}: {learned}", *figures(last)]))
    if taken.left is not None:
        lines.append(f"step {step.key} ready in about {duration(taken.left)}: estimated from the epochs so far")
    return lines


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


def _add_candidate(
    table: Table, step: StepRecord, candidate: CandidateRecord, complexity: ComplexityName, *, first: bool
) -> None:
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


def _stopped(taken: Snapshot) -> bool:
    """Whether a step waits for trials that are not tried again by themselves."""
    waiting = [candidate for step in taken.steps if step.decided_at is None for candidate in step.candidates]
    return any(c.failed is not None and c.state == "failed" and c.failed.due is None for c in waiting)


def _reasons(
    taken: Snapshot, candidates: list[tuple[StepRecord, tuple[CandidateRecord, ...]]], brief: bool
) -> list[str]:
    """Why candidates cannot be chosen, why trials failed and what follows, and what they left out."""
    record, lines = taken.record, []
    for step, some in candidates:
        for candidate in some:
            named = f"step {step.key}, {candidate.axis}"
            if not candidate.feasible and not brief:
                lines.append(f"{named}: infeasible, {candidate.reason}")
            if candidate.failed and candidate.state != "completed":
                lines += [f"{named}: {line}" for line in failing_told(step, candidate, record.name, taken.state)]
                lines.append(f"{named}: log in {log_of(record.runs, candidate.trial or '')}")
            if candidate.damaged:
                lines.append(f"{named}: trained without {candidate.damaged:,} damaged videos")
            lines += [f"{named}: {note}" for note in candidate.notes]
    return lines


def log_of(runs: str, trial: str) -> Path:
    """The log of a trial, below the folder of a search's runs."""
    return Path(runs) / "trials" / trial / "log.txt"


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
