"""`expander status --watch`: looks again and again, until the search ends or the watcher does."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from expander.cli.output import document, notes
from expander.cli.status import (
    Snapshot,
    document_of,
    parts,
    searches_document,
    searches_table,
    shown_whole,
    take,
)
from expander.errors import StoreError

if TYPE_CHECKING:
    from results.records import CandidateRecord, StepRecord
    from results.store import SqlStore

GOING_ON = ("created", "running")


@dataclass(frozen=True)
class Look:
    """What one look found. values: as --json prints it. view: for a terminal, with so many steps before the last; -1
    leaves out all that the last one can do without. whole: everything, for what stays on the screen in the end.
    """

    values: dict[str, Any]
    ended: bool
    earlier: int
    view: Callable[[int], list[RenderableType]]
    whole: list[RenderableType]


def keep_watching(store: SqlStore, name: str | None, every: float, as_json: bool) -> None:
    """Show a search, or all searches, every so many seconds until nothing of it runs; Ctrl-C quits, as a success.

    On a terminal the view is drawn in place. Elsewhere, and as JSON (one document a line), it is printed whenever it
    has changed. A store that stops answering is looked at again.
    """
    look = _searches(store) if name is None else _search(store, name)
    first = look()
    with _quiet_end():
        if as_json:
            _print_changes(look, first, every, _print_line)
        elif document().is_terminal:
            _redraw(look, first, every)
        else:
            _print_changes(look, first, every, _print_whole)


def _search(store: SqlStore, name: str) -> Callable[[], Look]:
    search = store.search(name)

    def look() -> Look:
        taken = take(search)

        def view(earlier: int) -> list[RenderableType]:
            return parts(taken, _last_steps(taken, max(0, earlier)), brief=earlier < 0)

        whole = parts(taken, shown_whole(taken.steps))
        return Look(document_of(taken), taken.state not in GOING_ON, max(0, len(taken.steps) - 1), view, whole)

    return look


def _searches(store: SqlStore) -> Callable[[], Look]:
    def look() -> Look:
        summaries = store.searches()
        table: list[RenderableType] = [searches_table(store.url, summaries)]
        ended = all(summary.state not in GOING_ON for summary in summaries)
        return Look(searches_document(store.url, summaries), ended, 0, lambda _: table, table)

    return look


def _last_steps(taken: Snapshot, earlier: int) -> list[tuple[StepRecord, tuple[CandidateRecord, ...]]]:
    """The last step whole, and of so many before it what each kept."""
    if not taken.steps:
        return []
    kept = taken.steps[:-1][-earlier:] if earlier else ()
    found = [(step, tuple(c for c in step.candidates if c.axis == step.chosen)) for step in kept]
    return [*found, (taken.steps[-1], taken.steps[-1].candidates)]


def _redraw(look: Callable[[], Look], found: Look, every: float) -> None:
    console, trouble = document(), ""
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        seen = _clock()
        while not found.ended:
            head = Text(trouble or f"{seen} UTC, every {every:g} s; Ctrl-C quits, the search goes on", style="dim")
            live.update(_fitting(console, found, head), refresh=True)
            time.sleep(every)
            try:
                found, seen, trouble = look(), _clock(), ""
            except StoreError as error:
                trouble = f"as of {seen} UTC; looking again: {error}"
        live.transient = True
    console.print(*found.whole, sep="\n")


def _fitting(console: Console, found: Look, head: Text) -> Group:
    """As much as the terminal's height takes; where that is too little for the last step too, its end is cut."""
    for earlier in range(found.earlier, -1, -1):
        group = Group(head, *found.view(earlier))
        if len(console.render_lines(group)) < console.height:
            return group
    return Group(head, *found.view(-1))


def _print_changes(look: Callable[[], Look], found: Look, every: float, tell: Callable[[Look], None]) -> None:
    told: dict[str, Any] = {}
    trouble = False
    while True:
        # The time that is left changes with every epoch, and with nothing else.
        if (news := _news(found.values)) != told:
            told = news
            tell(found)
        if found.ended:
            return
        time.sleep(every)
        try:
            found, trouble = look(), False
        except StoreError as error:
            if not trouble:
                notes().print(f"looking again: {error}", markup=False)
            trouble = True


def _news(values: dict[str, Any]) -> dict[str, Any]:
    """What a look found, but that the coordinator was heard of again."""
    coordinator = values.get("coordinator")
    return values if coordinator is None else {**values, "coordinator": {**coordinator, "last_heard_of": None}}


def _print_line(found: Look) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sys.stdout.write(json.dumps({"at": now, **found.values}, allow_nan=False) + "\n")
    sys.stdout.flush()


def _print_whole(found: Look) -> None:
    document().print(Text(f"{_clock()} UTC"), *found.view(found.earlier), "", sep="\n")


def _clock() -> str:
    return f"{datetime.now(UTC):%H:%M:%S}"


@contextmanager
def _quiet_end() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a reader that has gone (`| head`) end what is within, with the terminal as it was before."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Else Python complains at its end that it cannot write what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        signal.signal(signal.SIGTERM, before)
