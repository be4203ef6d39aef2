"""`expander status`: the searches of a store, or where one of them stands.

What it shows of one search is imported for that alone: to list them all should take no longer than it takes to read.
"""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from expander.cli.options import DEFAULT_STORE, Json, StoreUrl
from expander.cli.output import document, print_json
from expander.errors import UsageError

EVERY_SECONDS = 5.0


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
    if name is None and not watch:
        _list(store, as_json)
        return
    from expander.cli.failing import attempts_of, failure_document, print_attempts
    from expander.cli.snapshot import status_document
    from expander.cli.standing import print_damaged, print_status
    from expander.cli.watch import keep_watching
    from results.store import open_store

    with closing(open_store(store)) as opened:
        if watch:
            keep_watching(opened, name, every or EVERY_SECONDS, as_json)
            return
        assert name is not None
        if trial is not None:
            attempts = attempts_of(opened.search(name), trial)
            if as_json:
                print_json({"trial": trial, "attempts": [failure_document(failed) for failed in attempts]})
            else:
                print_attempts(attempts)
        elif as_json:
            print_json(status_document(opened.search(name)))
        elif damaged:
            print_damaged(opened.search(name).damaged())
        else:
            print_status(opened.search(name))


def _list(store: str, as_json: bool) -> None:
    from expander.cli.searches import searches_document, searches_table
    from results.summaries import read_searches

    url, summaries = read_searches(store)
    if as_json:
        print_json(searches_document(url, summaries))
    else:
        document().print(searches_table(url, summaries))
