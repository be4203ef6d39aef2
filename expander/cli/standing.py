"""Where a search stands, for people: its steps, what trains and what failed, its instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from expander.cli.failing import avoided
from expander.cli.failing import told as failing_told
from expander.cli.output import document, new_table
from expander.cli.snapshot import Snapshot, take
from expander.cost import ComplexityName, shown
from expander.pace import figures
from expander.recipe import told
from expander.search import gaps
from expander.units import duration, human

if TYPE_CHECKING:
    from results.records import Accepted, CandidateRecord, DamagedRecord, InstanceRecord, SearchRecord, StepRecord
    from results.search import SearchStore


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


def print_damaged(videos: tuple[DamagedRecord, ...]) -> None:
    """The videos that a search's trials could not read."""
    console = document()
    if not videos:
        console.print("no damaged video has been reported")
    for video in videos:
        seen = f"{video.first_seen:%Y-%m-%d %H:%M} to {video.last_seen:%Y-%m-%d %H:%M} UTC"
        trials = "1 trial" if len(video.trials) == 1 else f"{len(video.trials)} trials"
        place = f"{video.manifest or 'manifest unknown'}, {trials} of {', '.join(video.searches)}, {seen}"
        console.print(f"{video.video}: {video.reason} ({place})", markup=False, soft_wrap=True)
