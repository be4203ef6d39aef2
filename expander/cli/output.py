"""What reaches the terminal: documents on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]

# Columns of what is written to a file or a pipe, where no terminal sets them.
PAGE_WIDTH = 120


def document() -> Console:
    """The console of what a command was asked for: stdout."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PAGE_WIDTH)


def notes() -> Console:
    """The console of progress, notes and errors: stderr."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PAGE_WIDTH)


def print_json(values: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(values, indent=2, allow_nan=False) + "\n")


def human(count: float, digits: int = 4) -> str:
    """A count with its SI prefix: 605256512 as '605.3 M'."""
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if abs(count) < 1000 or prefix == "E":
            return f"{count:.{digits}g} {prefix}".rstrip()
        count /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    """Seconds as people say them: '42 s', '3 min 05 s', '2 h 10 min', '3 d 4 h'."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
