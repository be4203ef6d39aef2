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
