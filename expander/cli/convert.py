"""`expander convert`: weights that come from another tool, go to one, or leave for where there is no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from expander.cli.files import load_config, make_folder
from expander.cli.output import Json, document, notes, print_json
from expander.errors import UsageError
from expander.geometry import Geometry

if TYPE_CHECKING:
    from torch import nn

    from results.config import InstanceConfig
    from trainers.weights.layouts import Layout

Source = Literal["expander", "pyslowfast", "pytorchvideo", "mmaction2"]
Target = Literal["expander", "pyslowfast", "pytorchvideo", "mmaction2", "onnx", "pt2"]
# What whoever opens a file takes it for.
ENDINGS = {
    ".safetensors": ("expander",),
    ".onnx": ("onnx",),
    ".pt2": ("pt2",),
    **dict.fromkeys((".pyth", ".pth", ".pt"), ("pyslowfast", "pytorchvideo", "mmaction2")),
}
DEPLOYED: tuple[Literal["onnx"], Literal["pt2"]] = ("onnx", "pt2")


def convert(
    config: Annotated[str, typer.Argument(help="A config, or the name of a network that ships with us: X3D-S.")],
    weights: Annotated[Path, typer.Argument(help="Its weights: a safetensors file, or one of torch.save.")],
    to: Annotated[Target, typer.Option(help="Who is to read them; onnx and pt2 are the whole network, to deploy.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    source: Annotated[Source | None, typer.Option("--from", help="Who wrote them; else their names tell.")] = None,
    as_json: Json = False,
) -> None:
    """Write the weights of a network as another tool reads them. Every tensor fits, or nothing is written."""
    _check_out(weights, out, to)
    loaded = load_config(config)
    from results.config import check_weights

    check_weights(loaded, weights)
    if isinstance(loaded.geometry, Geometry):
        values, said = _converted(loaded, loaded.geometry, weights, source, to, out)
    elif to in DEPLOYED:
        values, said = _deployed_as_it_is(loaded, weights, source, to, out)
    else:
        raise UsageError(
            f"config {loaded.name}: no X3D; only of X3D it is known how other tools lay out the weights. It can be"
            f" written --to {' or '.join(DEPLOYED)}"
        )
    _print({"config": loaded.name, "weights": str(weights), "to": to, "out": str(out)} | values, said, as_json=as_json)


def _check_out(weights: Path, out: Path, to: Target) -> None:
    """Refuse to write over what is read, and under an ending that says something else."""
    if out.exists() and weights.exists() and out.samefile(weights):
        raise UsageError(f"--out {out}: these are the weights that are read; give another file")
    fits = ENDINGS.get(out.suffix.lower())
    if fits is not None and to not in fits:
        raise UsageError(f"--out {out}: {out.suffix} is an ending of --to {' or '.join(fits)}, found --to {to}")


def _converted(
    config: InstanceConfig, geometry: Geometry, weights: Path, source: str | None, to: Target, out: Path
) -> tuple[dict[str, Any], Sequence[str]]:
    """Write an X3D's weights; what was found and what is to be said of it."""
    from trainers.networks.build import build
    from trainers.weights.convert import convert as into
    from trainers.weights.convert import detect
    from trainers.weights.files import read_tensors, write_tensors

    tensors, where = read_tensors(weights), f"weights {weights}"
    origin = detect(tensors, where)
    if source and origin.tool != source:
        raise UsageError(
            f"{where}: --from {source}, but its names are those of {origin.tool}: {next(iter(tensors))}, ...; leave"
            f" --from out, or --from {origin.tool}"
        )
    _layout(config, origin.tool)
    target = _layout(config, to)
    converted = into(tensors, geometry, origin, target, where)
    values: dict[str, Any] = {"from": origin.value, "detected": source is None, "layout": target.value}
    if to in DEPLOYED:
        model = build(geometry)
        model.load_state_dict(converted.tensors)
        values |= _deployed(config, model, to, out)
    else:
        make_folder(out.parent)
        write_tensors(out, converted.tensors, target)
    return values, converted.notes


def _deployed_as_it_is(
    config: InstanceConfig, weights: Path, source: str | None, to: Target, out: Path
) -> tuple[dict[str, Any], Sequence[str]]:
    """Write another network than X3D, whose weights only we have."""
    if source not in (None, "expander"):
        raise UsageError(
            f"--from {source}: {config.name} is no X3D, and only of X3D it is known how other tools lay out the"
            " weights; leave --from out"
        )
    from trainers.checkpoint import load_weights
    from trainers.networks.build import build

    model = build(config.geometry)
    load_weights(weights, model)
    return {"from": "expander", "detected": False, "layout": "expander"} | _deployed(config, model, to, out), ()


def _layout(config: InstanceConfig, tool: str) -> Layout:
    """How `tool` lays out the network: as we do where it is none of the others. UsageError where it cannot build it."""
    from results.peers import mmaction2, pyslowfast, pytorchvideo
    from trainers.weights.layouts import Layout

    match tool:
        case "pyslowfast":
            return Layout.PYSLOWFAST if pyslowfast.builder_of(config) == pyslowfast.OWN else Layout.PTVX3D
        case "pytorchvideo":
            pytorchvideo.express(config)
            return Layout.PYTORCHVIDEO
        case "mmaction2":
            mmaction2.express(config)
            return Layout.MMACTION2
        case _:
            return Layout.EXPANDER


def _deployed(config: InstanceConfig, model: nn.Module, to: Target, out: Path) -> dict[str, Any]:
    """Write the network with its weights; what was found when it was checked."""
    from trainers.deploy import deploy

    about = {"name": config.name}
    found = {key: config.origin.get(key) for key in ("search", "step", "trial")}
    about |= {key: str(value) for key, value in found.items() if value is not None}
    if config.class_names:
        about["class_names"] = json.dumps(config.class_names, ensure_ascii=False)
    assert to in DEPLOYED
    make_folder(out.parent)
    deployed = deploy(model, config.geometry, out, to, about)
    return {"difference": deployed.difference, "bytes": deployed.bytes, "versions": dict(deployed.versions)}


def _print(values: dict[str, Any], said: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json(values | {"notes": list(said)})
        return
    if values["detected"]:
        notes().print(f"{values['weights']}: weights of {values['from']}, by the names of their tensors", markup=False)
    for line in said:
        notes().print(line, markup=False)
    checked = f", logits within {values['difference']:.1e} of the network's" if "difference" in values else ""
    document().print(f"{values['out']}: {values['config']} for {values['to']}{checked}", markup=False)
