"""`expander export` and `expander report`: what a search leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from expander.cli.files import load_space
from expander.cli.networks import shipped_configs
from expander.cli.output import Json, document, notes, print_json
from expander.cli.status import DEFAULT_STORE, Name, StoreUrl
from expander.errors import ExpanderError, UsageError

if TYPE_CHECKING:
    from results.export import Exported
    from results.store import SearchStore

Format = Literal["yaml", "pyslowfast", "pytorchvideo", "mmaction2"]


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the configs and weights.")],
    name: Annotated[str | None, typer.Argument(help="Name of the search; else --published.")] = None,
    published: Annotated[bool, typer.Option("--published", help="The paper's X3D-XS to XXL, of no search.")] = False,
    instance: Annotated[list[str] | None, typer.Option(help="An instance, such as X3D-S; else all of them.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Who is to read the configs: yaml is ours, and brings the weights.")
    ] = "yaml",
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Write a config for each instance of a search, and its weights beside it; or for the published networks."""
    if name is None:
        _check_published(context, published)
        exported = _export_published(instance or [], out, form)
    elif published:
        raise UsageError(f"--published is of no search; leave it out, or the name {name!r}")
    else:
        exported = _export_search(name, store, instance or [], out, form)
    _note_lost(exported, form)
    if as_json:
        print_json({"search": name, "format": form, "files": [_values(written) for written in exported]})
    else:
        _print_exported(exported)


def _check_published(context: typer.Context, published: bool) -> None:
    if not published:
        raise UsageError("nothing to export: give the name of a search, or --published for the paper's networks")
    # Only where it was typed: a store in the environment is there for every command.
    given = context.get_parameter_source("store")
    if given is not None and given.name == "COMMANDLINE":
        raise UsageError("--store is where a search is, and --published is of none; leave one of them out")


def _export_published(names: Sequence[str], out: Path, form: Format) -> tuple[Exported, ...]:
    """The networks of these names; of none, the six that Table 4 and Fig. 2 have."""
    from results.export import export_configs

    shipped = shipped_configs()
    unknown = [name for name in names if name not in shipped]
    if unknown:
        raise UsageError(f"--instance {unknown[0]!r}: no published network; expected one of {', '.join(shipped)}")
    chosen = dict.fromkeys(names or load_space("x3d_kinetics400")[0].regimes.bounds)
    return export_configs([shipped[name] for name in chosen], out, form, {})


def _export_search(name: str, store: str, names: Sequence[str], out: Path, form: Format) -> tuple[Exported, ...]:
    from results.export import export as write
    from results.store import open_store

    with closing(open_store(store)) as opened:
        search = opened.search(name)
        return write(search, names, _class_names(search) if form == "yaml" else (), out, form)


def _note_lost(exported: Sequence[Exported], form: Format) -> None:
    written = "the config was written without them" if form == "yaml" else "there is nothing to convert"
    for each in exported:
        if each.lost:
            notes().print(f"{each.instance}: its weights are not at {each.lost} any more; {written}", markup=False)


def _values(written: Exported) -> dict[str, str | None]:
    """One instance as JSON. convert: the command for the weights, once they are exported with --format yaml."""
    weights = str(written.weights) if written.weights else None
    return {
        "instance": written.instance,
        "config": str(written.config),
        "weights": weights,
        "convert": written.convert,
    }


def _print_exported(exported: Sequence[Exported]) -> None:
    for written in exported:
        missing = "lost" if written.lost else "nothing was trained"
        weights = f" and {written.weights.name}" if written.weights else f" (no weights: {missing})"
        document().print(f"{written.config}{'' if written.convert else weights}", markup=False)
    converted = [written.convert for written in exported if written.convert]
    if converted:
        # Not broken into lines: the commands are to be copied.
        text = f"weights, once exported with --format yaml: {'; '.join(converted)}"
        notes().print(text, markup=False, soft_wrap=True)


def report(
    name: Name,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of `expander test --out`, of this search's network or of another; give one for each."
        ),
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Write one self-contained page: accuracy against FLOPs, the chosen path, steps, instances, inference cost."""
    from results.report import write_report
    from results.scores import read_scores
    from results.store import open_store

    tested = [read_scores(path) for path in scores or []]
    with closing(open_store(store)) as opened:
        write_report(opened.search(name), out, tested)
    if as_json:
        print_json({"search": name, "report": str(out)})
    else:
        document().print(str(out), markup=False)


def _class_names(search: SearchStore) -> tuple[str, ...]:
    """The names of the classes, where the search's manifests are still what they were."""
    from expander.cli.inputs import read_videos
    from trainers.data.manifest import DataFingerprint

    record = search.record_of
    if record.data is None:
        return ()
    try:
        videos = read_videos(record.space)
    except ExpanderError as error:
        lost = str(error)
    else:
        if not DataFingerprint.from_dict(record.data).difference(videos.fingerprint):
            return videos.class_names
        lost = "the manifests have changed since"
    notes().print(f"the configs say no class_names: {lost}", markup=False)
    return ()
