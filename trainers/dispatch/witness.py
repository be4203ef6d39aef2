"""What is known of an attempt that failed, beyond its own words: where it ran, and what its log said last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from expander.trial import Event, Failed, FailureKind, Started
from trainers.trial_log import ATTEMPT, LOG
from trainers.watchdog import CRASHED, HUNG

# So much of a log is read from its end, and so much of that kept: the last lines, or what a dying process wrote of its
# threads with some lines before.
READ_BYTES = 256 * 1024
LINES = 40
DUMPED_LINES = 120
WIDTH = 500
# What faulthandler calls signals.
SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Floating-point exception": "SIGFPE",
    "Floating point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
}


class Witness:
    """Sees every event of a dispatcher before its caller does. runs: the folder of the trials' files, None for none."""

    def __init__(self, runs: Path | None) -> None:
        self._runs = runs
        self._started: dict[str, Started] = {}

    def see(self, event: Event) -> Event:
        """The event; a failure with all that is known of it."""
        match event:
            case Started():
                self._started[event.trial] = event
            case Failed():
                return self._completed(event, self._started.pop(event.trial, None))
        return event

    def _completed(self, failed: Failed, started: Started | None) -> Failed:
        if started is not None:
            failed = replace(failed, worker=failed.worker or started.worker, node=failed.node or started.node)
        if self._runs is None:
            return failed
        lines = last_attempt(self._runs / "trials" / failed.trial / LOG, failed.worker)
        failed = replace(failed, log="\n".join(kept(lines)))
        return from_log(failed, lines) if ended_without_a_word(failed) else failed


def ended_without_a_word(failed: Failed) -> bool:
    """Whether others had to tell that the attempt failed."""
    return failed.kind in (FailureKind.SIGNAL, FailureKind.LOST) or not failed.traceback.startswith("Traceback")


def from_log(failed: Failed, lines: Iterable[str]) -> Failed:
    """What the log of its last attempt says of a failure that nobody else knows the cause of."""
    where = f"the worker {failed.worker or 'that was starting'}"
    for line in lines:
        if line.startswith(HUNG):
            limit = line.removeprefix(HUNG).split(")")[0]
            _, outside, why = line.partition("Ended from outside: ")
            how = f" from outside: {why}" if outside else "; what its threads were doing is in its log"
            reason = f"{where} made no progress for {limit} and was ended{how}"
            return replace(failed, kind=FailureKind.HANG, reason=reason)
        if line.startswith(CRASHED) and (signal := SIGNALS.get(line.removeprefix(CRASHED).strip())):
            reason = f"{where} crashed outside of Python ({signal}); the line of Python that led to it is in its log"
            return replace(failed, kind=FailureKind.SIGNAL, reason=reason)
    return failed


def last_attempt(log: Path, worker: str | None) -> list[str]:
    """The lines of the last attempt in a log; none where that was not the attempt of `worker`, or cannot be read."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ_BYTES))
            lines = file.read(READ_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    headers = [number for number, line in enumerate(lines) if ATTEMPT in line]
    if not headers:
        return lines if size > READ_BYTES else []
    begun = re.search(rf"{re.escape(ATTEMPT)}(\S+):(\d+)", lines[headers[-1]])
    if worker is not None and begun is not None and not (begun[1] in worker and re.search(rf"\b{begun[2]}\b", worker)):
        return []
    return lines[headers[-1] :]


def kept(lines: list[str]) -> list[str]:
    """As many of an attempt's lines as are stored, none longer than is read at a glance."""
    dumps = [number for number, line in enumerate(lines) if line.startswith((HUNG, CRASHED))]
    first = max(0, dumps[0] - LINES) if dumps else max(0, len(lines) - LINES)
    last = dumps[0] + DUMPED_LINES if dumps else len(lines)
    return [line if len(line) <= WIDTH else line[:WIDTH] + " ..." for line in lines[first:last]]
