"""`expander export` and `expander report`: what a search leaves behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expander.cli.output import Json, document, notes, print_json
from expander.cli.status import DEFAULT_STORE, Name, StoreUrl
from expander.errors import ExpanderError

if TYPE_CHECKING:
    from results.store import SearchStore


def export(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder for the configs and weights.")],
    instance: Annotated[list[str] | None, typer.Option(help="An instance, such as X3D-S; else all of them.")] = None,
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Write a config for each instance of a search, and its weights beside it."""
    from results.export import export as write
    from results.store import open_store

    with closing(open_store(store)) as opened:
        search = opened.search(name)
        exported = write(search, instance or [], _class_names(search), out)
    for written in exported:
        if written.lost:
            lost = f"its weights are not at {written.lost} any more; the config was written without them"
            notes().print(f"{written.instance}: {lost}", markup=False)
    if as_json:
        files = [
            {"instance": e.instance, "config": str(e.config), "weights": str(e.weights) if e.weights else None}
            for e in exported
        ]
        print_json({"search": name, "files": files})
        return
    for written in exported:
        missing = "lost" if written.lost else "nothing was trained"
        weights = f" and {written.weights.name}" if written.weights else f" (no weights: {missing})"
        document().print(f"{written.config}{weights}", markup=False)


def report(
    name: Name,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Write one self-contained page: accuracy against FLOPs, the chosen path, steps and instances."""
    from results.report import write_report
    from results.store import open_store

    with closing(open_store(store)) as opened:
        write_report(opened.search(name), out)
    if as_json:
        print_json({"search": name, "report": str(out)})
    else:
        document().print(str(out), markup=False)


def _class_names(search: SearchStore) -> tuple[str, ...]:
    """The names of the classes, where the search's manifests are still what they were."""
    from expander.cli.search import read_videos

    record = search.record_of
    if record.data is None:
        return ()
    try:
        videos = read_videos(record.space)
    except ExpanderError as error:
        lost = str(error)
    else:
        if videos.fingerprint.id == record.data["id"]:
            return videos.class_names
        lost = "the manifests have changed since"
    notes().print(f"the configs say no class_names: {lost}", markup=False)
    return ()
