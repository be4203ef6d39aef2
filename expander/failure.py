"""What follows from a failed attempt: whether the trial is tried again, when, and which nodes are kept out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from expander.space import FailuresSection
from expander.trial import Failed, FailureKind

# Each attempt waits twice as long as the one before, up to an hour: a full disk or a server is mended by people.
MOST_SECONDS = 3600.0
# The same work fails the same way in the same place: only another node can tell whether the place was at fault.
ELSEWHERE = (FailureKind.DIVERGED, FailureKind.MEMORY, FailureKind.DATA, FailureKind.CODE)
# What a broken node does to the trials that it is given.
OF_NODES = (FailureKind.HANG, FailureKind.SIGNAL, FailureKind.LOST, FailureKind.DISK, FailureKind.CODE)
# What others do to a trial. Where it had come further in between, it is no sign that the trial cannot be trained.
KILLS = (FailureKind.SIGNAL, FailureKind.LOST)
# Machines lost in a row, without an epoch in between, that count for nothing: the next may be the trial's doing.
LOSSES = 3
# So many different trials that fail on a node by one of these: then it is the node.
TRIALS_OF_A_NODE = 2

KINDS = {
    FailureKind.DIVERGED: "it diverged",
    FailureKind.MEMORY: "the device's memory is too small",
    FailureKind.HANG: "it hung",
    FailureKind.SIGNAL: "its process was ended by a signal",
    FailureKind.LOST: "its machine was lost",
    FailureKind.DATA: "damaged videos",
    FailureKind.DISK: "a file could not be written or read",
    FailureKind.CODE: "something is not installed where it ran",
    FailureKind.ERROR: "an exception",
}


@dataclass(frozen=True)
class Verdict:
    """What follows from a trial's failures. wait: seconds from the last one to the next attempt, None where none comes.

    why: for people, in one line.
    """

    wait: float | None
    why: str


def verdict(failures: Sequence[Failed], said: FailuresSection, nodes: frozenset[str]) -> Verdict:
    """What follows from `failures` of a trial, which count, oldest first. nodes: where it could be tried."""
    last, used = failures[-1], counted(failures)
    of = f"{min(used, said.retries + 1)} of {said.retries + 1} attempts{' that count' if used < len(failures) else ''}"
    if used > said.retries:
        return Verdict(None, f"no further attempt: {of} have failed")
    if last.kind in ELSEWHERE:
        if sum(failed.kind in ELSEWHERE for failed in failures) > 1:
            return Verdict(None, "no further attempt: it failed in the same way on another node")
        if not nodes - blamed(failures):
            return Verdict(None, "no further attempt: it would fail in the same way, and there is no other node")
    wait = min(MOST_SECONDS, said.backoff_seconds * 2.0 ** min(max(0, used - 1), 100))
    where = " on another node" if last.kind in ELSEWHERE else ""
    if used == counted(failures[:-1]):
        return Verdict(wait, "tried again, which uses up no retry")
    return Verdict(wait, f"attempt {used + 1} of {said.retries + 1}{where}")


def counted(failures: Sequence[Failed]) -> int:
    """How many of a trial's failures count against its retries.

    A kill or a lost machine does not where the trial had come further since its last failure: on machines that are
    taken away, a long trial loses many, and each time no more than the epoch it was in. Nor do the first few machines
    in a row that were lost before an epoch was done.
    """
    used, reached, losses = 0, 0, 0
    for failed in failures:
        epoch, lost = failed.epoch or 0, failed.kind is FailureKind.LOST
        further = epoch > reached
        losses = 0 if further else losses + lost
        used += not ((further and failed.kind in KILLS) or (lost and losses <= LOSSES))
        reached = max(reached, epoch)
    return used


def blamed(failures: Iterable[Failed]) -> frozenset[str]:
    """The nodes on which a trial has failed in a way that it would fail again in the same place."""
    return frozenset(failed.node or "" for failed in failures if failed.kind in ELSEWHERE)


def suspects(failures: Iterable[Failed]) -> frozenset[str]:
    """The nodes of a search on which so many different trials have failed that it is taken for the node's fault."""
    trials: dict[str, set[str]] = {}
    for failed in failures:
        if failed.kind in OF_NODES and failed.node is not None:
            trials.setdefault(failed.node, set()).add(failed.trial)
    return frozenset(node for node, of_node in trials.items() if len(of_node) >= TRIALS_OF_A_NODE)
