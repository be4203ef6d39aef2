"""`expander store`: bring a store to this version, and verify what is in it."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from expander.cli.output import Json, document, print_json
from expander.cli.status import DEFAULT_STORE, StoreUrl
from expander.errors import UsageError

if TYPE_CHECKING:
    from results.check.problem import Problem
    from results.connect import Database

store_app = typer.Typer(help="Look after the SQL store.", no_args_is_help=True)


@store_app.command()
def upgrade(
    store: StoreUrl = DEFAULT_STORE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether a server's store has been backed up.")] = False,
) -> None:
    """Bring a store that an earlier version wrote to this one; a SQLite file is copied first."""
    from results.connect import reach
    from results.schema import VERSION
    from results.upgrade import refuse_held, upgrade

    database, version = reach(store)
    with closing(database):
        database.refuse_later(version)
        if version == VERSION:
            document().print(f"{database.shown} is of version {VERSION} already: nothing to do", soft_wrap=True)
            return
        refuse_held(database)
        _keep_a_copy(database, version, yes)
        upgrade(database)
        line = f"{database.shown} is of version {VERSION} now; it was of version {version}"
        document().print(line, soft_wrap=True, markup=False)


def _keep_a_copy(database: Database, version: int, yes: bool) -> None:
    from results.backup import back_up
    from results.schema import VERSION

    if database.file is not None:
        copy = back_up(database.file, f"version-{VERSION}")
        document().print(f"the store as it was, of version {version}, is kept as {copy}", soft_wrap=True, markup=False)
        return
    advice = f"back up {database.shown} first, with {_how(database)}"
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{advice}; then give --yes")
    typer.confirm(f"{advice}. Is it backed up, and shall it be brought to version {VERSION}?", abort=True, err=True)


def _how(database: Database) -> str:
    match database.dialect:
        case "postgresql":
            return "`pg_dump --format=custom --file=expander.dump NAME`, which `pg_restore` reads"
        case dialect:
            return f"the means of {dialect}"


@store_app.command()
def check(
    store: StoreUrl = DEFAULT_STORE,
    repair: Annotated[bool, typer.Option("--repair", help="Do what is safe; a SQLite file is copied first.")] = False,
    as_json: Json = False,
) -> None:
    """Verify all that a store holds, and the weights of its trials. Exit code 1 where a problem is left."""
    from results.check.problem import repair as carry_out
    from results.check.store import check as find
    from results.connect import connect

    with closing(connect(store, create=False)) as database:
        problems, copy = find(database), None
        mended = [problem for problem in problems if repair and problem.repairable]
        if mended:
            copy = _copied(database)
            carry_out(database, mended)
        _say(database.shown, problems, repaired=bool(mended), copy=copy, as_json=as_json)
    if len(mended) < len(problems):
        raise typer.Exit(1)


def _copied(database: Database) -> str | None:
    from results.backup import back_up

    return None if database.file is None else str(back_up(database.file, "repair"))


def _say(shown: str, problems: tuple[Problem, ...], *, repaired: bool, copy: str | None, as_json: bool) -> None:
    mended = [problem.repairable and repaired for problem in problems]
    if as_json:
        listed = [_document(*each) for each in zip(problems, mended, strict=True)]
        print_json({"store": shown, "backup": copy, "problems": listed})
        return
    lines = [f"{problem.line}{': done' if done else ''}" for problem, done in zip(problems, mended, strict=True)]
    if copy is not None:
        lines.append(f"the store as it was is kept as {copy}")
    left = f", {sum(mended):,} repaired" if repaired else ""
    count = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
    lines.append(f"{shown}: {count}{left}" if problems else f"{shown}: no problem found")
    for line in lines:
        document().print(line, soft_wrap=True, markup=False, highlight=False)


def _document(problem: Problem, repaired: bool) -> dict[str, object]:
    said = {"where": problem.where, "what": problem.what, "remedy": problem.remedy}
    return said | {"repairable": problem.repairable, "repaired": repaired}
