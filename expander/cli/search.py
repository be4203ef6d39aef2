"""`expander search`, `resume` and `retry`: behind all of them is the same loop."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expander.cli.failing import to_retry
from expander.cli.files import load_space, make_folder
from expander.cli.inputs import (
    accepted_changes,
    look_at_files,
    read_videos,
    sources,
    unchanged_space,
    unchanged_videos,
    versions,
)
from expander.cli.options import DEFAULT_STORE, DispatcherName, Json, Name, RayAddress, Space, SpaceKeys, StoreUrl
from expander.cli.output import notes
from expander.cli.prepare import prepare_for
from expander.cli.running import begin_early, carry_on
from expander.errors import UsageError
from expander.inputs import ACCEPTABLE

if TYPE_CHECKING:
    from results.patience import PatientSearch

# What a file system and a shell take as it is.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def search(
    space: Space,
    name: Annotated[str, typer.Option(help="Name of the search, new in the store.")],
    train: Annotated[
        Path | None, typer.Option(help="Manifest of the training videos, or a folder of classes; else data.train.")
    ] = None,
    val: Annotated[
        Path | None, typer.Option(help="Manifest of the validation videos, or a folder of classes; else data.val.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints and weights.")] = Path("runs"),
    dispatcher: DispatcherName = "ray",
    ray_address: RayAddress = None,
    steps: Annotated[int | None, typer.Option(min=1, help="End after so many expansions.")] = None,
    overrides: SpaceKeys = None,
    as_json: Json = False,
) -> None:
    """Launch a search. It can be interrupted at any moment and resumed."""
    check_name(name)
    given = [*(overrides or []), *([f"expansion.max_steps={steps}"] if steps else [])]
    for key, manifest in (("train", train), ("val", val)):
        if manifest is not None:
            given.append(f"data.{key}={quoted(manifest)}")
    searched, source = load_space(space, given)
    from results.store import open_store

    if not searched.prescribed and searched.prepare.folder is not None:
        with closing(open_store(store, create=True)) as opened:  # before hours of preparing
            opened.check_free(name)
        prepare_for(searched, renew=True)
    if not searched.prescribed:
        begin_early(dispatcher)
    videos = None if searched.prescribed else read_videos(searched)
    if videos is not None:
        make_folder(runs / "trials")

    with closing(open_store(store, create=True)) as opened:
        videos = None if videos is None else look_at_files(videos)
        created = opened.create(
            name,
            space=searched,
            source=source,
            overrides=given,
            data=videos.fingerprint.as_dict() if videos else None,
            runs=str(runs.resolve()),
            versions=versions(),
            sources=sources(),
            files=videos.packed if videos else None,
        )
        try:
            carry_on(created, searched, videos, runs.resolve(), dispatcher, ray_address, store, as_json)
        except UsageError:
            # What the command asked for cannot be had: the name stays free for the command that is right.
            opened.discard(created)
            raise


def resume(
    name: Name,
    store: StoreUrl = DEFAULT_STORE,
    dispatcher: DispatcherName = "ray",
    ray_address: RayAddress = None,
    accept_changes: Annotated[
        str | None,
        typer.Option(help=f"Go on although these have changed, which is recorded: some of {','.join(ACCEPTABLE)}."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Go on with a search that was interrupted; refuses where what it is carried out with has changed."""
    begin_early(dispatcher)
    from results.store import open_store

    with closing(open_store(store)) as opened:
        resumed = opened.search(name)
        space = unchanged_space(resumed)
        if not space.prescribed:
            prepare_for(space, renew=False)
        videos = None if space.prescribed else unchanged_videos(resumed, space)
        if space.prescribed and accept_changes:
            raise UsageError(
                f"--accept-changes {accept_changes}: nothing is trained along a prescribed path; leave it out"
            )
        accepted = () if space.prescribed else accepted_changes(resumed, accept_changes)
        runs = Path(resumed.record_of.runs)
        carry_on(resumed, space, videos, runs, dispatcher, ray_address, store, as_json, accepted=accepted)


def retry(
    name: Name,
    trial: Annotated[
        str | None, typer.Option("--trial", help="Only this trial; else all that have failed in the step that waits.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    dispatcher: DispatcherName = "ray",
    ray_address: RayAddress = None,
    as_json: Json = False,
) -> None:
    """Go on with a search that failures have stopped, once their cause is mended: failed trials are tried anew."""
    begin_early(dispatcher)
    from results.store import open_store

    with closing(open_store(store)) as opened:
        retried = opened.search(name)
        to_retry(retried, trial)
        space = unchanged_space(retried)
        if not space.prescribed:
            prepare_for(space, renew=False)
        videos = None if space.prescribed else unchanged_videos(retried, space)
        if videos is not None:
            accepted_changes(retried, None)
        runs = Path(retried.record_of.runs)

        def grant(claimed: PatientSearch) -> None:
            for each in claimed.forgive(trial):
                notes().print(f"trial {each}: its retries are granted anew", markup=False)

        carry_on(retried, space, videos, runs, dispatcher, ray_address, store, as_json, begin=grant)


def check_name(name: str) -> None:
    """Raise UsageError for what is no name of a search."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"--name {name!r}: expected letters, digits, '.', '_' and '-', beginning with a letter or digit"
        )


def quoted(path: Path) -> str:
    """An absolute path as a YAML text."""
    return "'" + str(path.resolve()).replace("'", "''") + "'"
