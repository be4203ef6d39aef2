"""`expander fork`: a new search that begins with the first decisions of another one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expander.axis import Axis
from expander.cli.files import load_space
from expander.cli.inputs import Videos, data_changes, look_at_files, read_videos, sources, versions
from expander.cli.options import DEFAULT_STORE, DispatcherName, Json, Name, RayAddress, SpaceKeys, StoreUrl
from expander.cli.output import notes, print_json
from expander.cli.prepare import prepare_for
from expander.cli.running import NotMeasuredYet, carry_on, known_cost
from expander.cli.search import check_name, quoted
from expander.cli.snapshot import status_document
from expander.cli.standing import print_status
from expander.errors import UsageError
from expander.fork import Made, before, parting
from expander.geometry import Geometry
from expander.recipe import Recipe
from expander.search import Decision, Step, choose, instances, next_step
from expander.space import OPERATIONAL, SearchSpace, difference

if TYPE_CHECKING:
    from results.forking import Fork
    from results.search import SearchStore


@dataclass(frozen=True)
class _Wanted:
    """The space of a fork, where it came from, and what was set of it."""

    space: SearchSpace
    source: str
    overrides: list[str]


def fork(
    name: Name,
    from_step: Annotated[
        int, typer.Option(min=1, help="The first expansion that is not taken over; those before it stand.")
    ],
    new: Annotated[str, typer.Option("--name", help="Name of the fork, new in the store.")],
    space: Annotated[str | None, typer.Option(help="Its search space; else that of the search that is forked.")] = None,
    overrides: SpaceKeys = None,
    decide: Annotated[
        Axis | None,
        typer.Option(help="Take this axis at step --from-step, whatever its score; its trial must be done."),
    ] = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Go on at once, or only create it.")] = True,
    store: StoreUrl = DEFAULT_STORE,
    dispatcher: DispatcherName = "ray",
    ray_address: RayAddress = None,
    as_json: Json = False,
) -> None:
    """Start a search with the decisions that another one made before a step; it shares its finished trials."""
    check_name(new)
    from results.store import open_store

    with closing(open_store(store)) as opened:
        origin = opened.search(name)
        record = origin.record_of
        kept = _kept(origin, from_step)
        wanted = _space(origin, space, overrides or [])
        videos = None if wanted.space.prescribed else _videos(origin, wanted.space)
        begun = _fork(origin, wanted.space, kept, from_step, decide, videos.fingerprint.id if videos else "")
        created = opened.create(
            new,
            space=wanted.space,
            source=wanted.source,
            overrides=wanted.overrides,
            data=videos.fingerprint.as_dict() if videos else None,
            runs=record.runs,
            versions=versions(),
            sources=sources(),
            files=videos.packed if videos else None,
            fork=begun,
        )
        if run:
            runs = Path(record.runs)
            carry_on(created, wanted.space, videos, runs, dispatcher, ray_address, store, as_json)
        elif as_json:
            print_json(status_document(created))
        else:
            print_status(created)


def _kept(origin: SearchStore, step: int) -> tuple[Decision, ...]:
    decisions = origin.decisions()
    last = 1 + sum(decision.kind == "expansion" for decision in decisions)
    if step > last:
        raise UsageError(
            f"--from-step {step}: search {origin.name!r} has decided {last - 1} expansions; expected 1 to {last}"
        )
    return before(decisions, step)


def _space(origin: SearchStore, space: str | None, given: list[str]) -> _Wanted:
    record = origin.record_of
    if space is not None:
        overrides = [*given, *_data_of(record.space, load_space(space, given)[0])]
        return _Wanted(*load_space(space, overrides), overrides)
    overrides = [*record.overrides, *given]
    try:
        now, source = load_space(record.source, record.overrides)
    except UsageError as error:
        if given:
            raise UsageError(
                f"{record.source} cannot be read any more, and nothing can be set of it ({error}); give --space FILE"
            ) from None
        return _Wanted(record.space, record.source, overrides)
    changed = [line for line in difference(record.space, now) if line.split(".")[0].split(":")[0] not in OPERATIONAL]
    if changed:
        listed = "\n".join(f"  {line}" for line in changed)
        raise UsageError(
            f"{record.source} has changed since search {record.name!r} began\n{listed}\n"
            f"To fork with it as it is now, say so: --space {record.source}"
        )
    return _Wanted(load_space(record.source, overrides)[0], source, overrides)


def _data_of(recorded: SearchSpace, space: SearchSpace) -> list[str]:
    """The manifests of the forked search, set in a space that names none."""
    if space.prescribed or (space.data.train, space.data.val) != (None, None):
        return []
    given = ((key, getattr(recorded.data, key)) for key in ("train", "val", "root"))
    outside = ["data.outside_root=true"] if recorded.data.outside_root else []
    return [*(f"data.{key}={quoted(Path(path))}" for key, path in given if path is not None), *outside]


def _videos(origin: SearchStore, space: SearchSpace) -> Videos:
    """The videos of the fork; under the same id where they are those of the search that is forked."""
    prepare_for(space, renew=True)
    videos, recorded = look_at_files(read_videos(space)), origin.record_of.data
    if recorded is None:
        return videos
    if changed := data_changes(origin, videos):
        lines = "\n".join(f"  {line}" for line in changed)
        notes().print(f"other data than those of search {origin.name!r}: it shares no trials\n{lines}", markup=False)
        return videos
    return replace(videos, fingerprint=replace(videos.fingerprint, id=recorded["id"]))


def _fork(
    origin: SearchStore, space: SearchSpace, kept: Sequence[Decision], step: int, axis: Axis | None, data: str
) -> Fork:
    from results.forking import Fork

    record, chosen = origin.record_of, None
    try:
        cost = known_cost(origin, space) if kept or axis else None
        if parted := parting(record.space, space, _made(origin, kept), cost):
            lines = "\n".join(f"  {line}" for line in parted.why)
            raise UsageError(
                f"with the new space, search {origin.name!r} would part from what it decided at step {parted.key}\n"
                f"{lines}\nFork it from step {parted.step} at the latest: --from-step {parted.step}"
            )
        if axis is not None:
            chosen = _chosen(origin, space, kept, step, axis, data)
        decisions = [*kept, *([chosen[1]] if chosen else [])]
        settled = instances(space, decisions, cost) if decisions else ()
    except NotMeasuredYet:
        raise UsageError(
            f"what search {origin.name!r} decided cannot be compared: its {space.complexity} would have to be measured"
            " anew with the new space; fork it from step 1, or keep its grids, axes and limits"
        ) from None
    device = record.device if space.complexity == record.space.complexity else None
    return Fork(origin.name, step, tuple(decision.key for decision in kept), settled, chosen, device)


def _made(origin: SearchStore, kept: Sequence[Decision]) -> list[Made]:
    steps = {step.key: step for step in origin.steps()}
    made = []
    for decision in kept:
        step = steps[decision.key]
        geometry: Any = next(each.geometry for each in step.candidates if each.axis == decision.axis)
        made.append(Made(decision, Recipe.from_dict(step.recipe), Geometry.from_dict(geometry)))
    return made


def _chosen(
    origin: SearchStore, space: SearchSpace, kept: Sequence[Decision], step: int, axis: Axis, data: str
) -> tuple[Step, Decision]:
    if space.prescribed:
        raise UsageError(f"--decide {axis}: a prescribed path is changed in the space: --set expansion.path=[...]")
    found = next_step(space, kept, data, known_cost(origin, space))
    if found is None or found.key != str(step):
        instead = f"step {found.key} comes first" if found else "the search has ended before it"
        raise UsageError(f"--decide {axis}: with this space there is no step {step} to decide: {instead}")
    return found, choose(found, origin.outcomes(found), axis)
