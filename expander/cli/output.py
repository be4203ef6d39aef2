"""What reaches the terminal: documents on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

# All but tab and line feed.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# Columns of what is written to a file or a pipe, where no terminal sets them.
PAGE_WIDTH = 120


class _Terminal(Console):
    """A console on which what comes from files and networks cannot move the cursor, colour or rename the window."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, with control characters written out."""
        return super().render_str(CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text), **options)


def document() -> Console:
    """The console of what a command was asked for: stdout."""
    return _Terminal(highlight=False, width=None if sys.stdout.isatty() else PAGE_WIDTH)


def notes() -> Console:
    """The console of progress, notes and errors: stderr."""
    return _Terminal(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PAGE_WIDTH)


def print_json(values: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(values, indent=2, allow_nan=False) + "\n")


def new_table(title: str, left: Sequence[str], right: Sequence[str], *, order: Sequence[str] = ()) -> Table:
    """An empty table with columns of texts (`left`) and of figures (`right`), in `order` or one after the other.

    Nothing wraps. A narrow terminal gets narrow gaps, so that 80 columns hold the widest of our tables.
    """
    gap = 1 if document().width >= PAGE_WIDTH else 0
    table = Table(
        title=escape(title) or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, gap),
        pad_edge=False,
        collapse_padding=True,
    )
    for heading in order or (*left, *right):
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)
    return table
