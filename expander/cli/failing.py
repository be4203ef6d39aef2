"""What status and a running search show of failures: what failed, why, where, and what will happen next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from expander.cli.output import document
from expander.errors import UsageError
from expander.failure import KINDS, OF_NODES, suspects
from expander.trial import Failed
from expander.units import duration

if TYPE_CHECKING:
    from results.records import CandidateRecord, FailureRecord, SearchState, StepRecord
    from results.store import SearchStore


def told(step: StepRecord, candidate: CandidateRecord, name: str, state: SearchState) -> list[str]:
    """Of a candidate whose trial has failed and not completed. name, state: of the search."""
    failed = candidate.failed
    assert failed is not None
    return [candidate.failure or "", f"{_attempt(failed)}; {_next(step, candidate, failed, name, state)}"]


def said(failed: Failed) -> str:
    """Of a failure that happens now: what kind it is, and what follows."""
    where = f" on {failed.node}" if failed.node else ""
    after = f" in {duration(failed.wait)}, from its last checkpoint" if failed.wait is not None else ""
    return f"{KINDS[failed.kind]}{where}; {failed.next}{after}"


def blame(node: str, failures: Iterable[Failed]) -> str:
    """Why a node is avoided."""
    mine = [failed for failed in failures if failed.node == node and failed.kind in OF_NODES]
    trials = ", ".join(dict.fromkeys(failed.trial for failed in mine))
    kinds = ", ".join(dict.fromkeys(failed.kind for failed in mine))
    return f"trials {trials} failed on node {node} ({kinds})"


def avoided(failures: Sequence[Failed]) -> list[str]:
    """A line for each node that new attempts are kept from."""
    return [
        f"{blame(node, failures)}: new attempts are placed elsewhere, as long as another node has room for a trial"
        for node in sorted(suspects(failures))
    ]


def failure_document(failed: FailureRecord) -> dict[str, Any]:
    """A failure as plain values; traceback and log only where they were read."""
    values = asdict(failed)
    values["failed"], values["due"] = (each.isoformat() if each else None for each in (failed.failed, failed.due))
    return {key: value for key, value in values.items() if key not in ("traceback", "log") or value is not None}


def attempts_of(search: SearchStore, trial: str) -> tuple[FailureRecord, ...]:
    """The failed attempts at a trial. Raises UsageError where it has none in this search, saying how it stands."""
    attempts = search.attempts(trial)
    if not attempts:
        raise UsageError(f"trial {trial} has not failed in search {search.name!r}: it {_standing(search, trial)}")
    return attempts


def print_attempts(attempts: Sequence[FailureRecord]) -> None:
    """Every failed attempt at a trial, with its traceback and the end of its log."""
    console = document()
    for failed in attempts:
        forgiven = "" if failed.counts else " (forgiven: its retries were granted anew)"
        lines = [f"trial {failed.trial}, {_attempt(failed)}{forgiven}", failed.reason]
        lines += [f"worker {failed.worker}"] if failed.worker else []
        lines += [f"then: {failed.next}"] if failed.next else []
        lines += ["", failed.traceback.rstrip()] if failed.traceback else []
        lines += ["", "the end of its log:", *(f"  {line}" for line in failed.log.splitlines())] if failed.log else []
        console.print("\n".join([*lines, ""]), markup=False, highlight=False, soft_wrap=True)


def to_retry(search: SearchStore, trial: str | None) -> None:
    """Raise UsageError where there is nothing to retry: no failed trial in a step that waits, or not this one."""
    open_steps = [step for step in search.steps() if step.decided_at is None]
    failed = {c.trial: c for step in open_steps for c in step.candidates if c.state == "failed" and c.trial}
    named = ", ".join(f"{key} ({candidate.axis})" for key, candidate in failed.items())
    if trial is None and not failed:
        raise UsageError(
            f"no trial of search {search.name!r} has failed and waits for a retry: go on with"
            f" `expander resume {search.name}`"
        )
    if trial is not None and trial not in failed:
        others = f"; failed are {named}" if named else ""
        raise UsageError(
            f"trial {trial} cannot be retried in search {search.name!r}: it {_standing(search, trial)}{others}"
        )


def _standing(search: SearchStore, trial: str) -> str:
    for step in search.steps():
        for candidate in step.candidates:
            if candidate.trial == trial:
                left_out = candidate.state == "failed" and step.decided_at is not None
                return f"was left out of step {step.key}, which is decided" if left_out else f"is {candidate.state}"
    return f"is no trial of this search: `expander status {search.name}` lists them"


def _attempt(failed: FailureRecord) -> str:
    where = f" on {failed.node}" if failed.node else ""
    after = f", after epoch {failed.epoch}" if failed.epoch else ""
    return f"attempt {failed.number} failed ({KINDS[failed.kind]}){where} at {failed.failed:%F %T} UTC{after}"


def _next(step: StepRecord, candidate: CandidateRecord, failed: FailureRecord, name: str, state: SearchState) -> str:
    if step.decided_at is not None:
        return f"step {step.key} was decided without it"
    if not failed.counts:
        return "its retries are granted anew"
    if candidate.state == "running":
        return "another attempt runs"
    if failed.due is not None:
        when = "now" if failed.due <= datetime.now(UTC) else f"at {failed.due:%F %T} UTC"
        return f"{failed.next} {when}" + ("" if state == "running" else f", once `expander resume {name}` goes on")
    if not failed.next:  # recorded by an earlier version
        return "whether it is tried again is said when the search goes on"
    if state == "running":
        return f"{failed.next}; the other trials of the step finish first"
    return f"{failed.next}; mend the cause and run `expander retry {name}`"
