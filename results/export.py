"""Instances as configs that others can train, with their weights beside them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from expander.errors import FileError, UsageError
from expander.files import WEIGHTS_CHECKSUM, digest, make_folder, read_whole, unsealed, write_whole
from expander.geometry import Geometry
from expander.search import recipe_of
from results.config import InstanceConfig, with_weights
from results.peers import mmaction2, pyslowfast, pytorchvideo

if TYPE_CHECKING:
    from results.records import InstanceRecord, SearchRecord
    from results.store import SearchStore


Format = Literal["yaml", "pyslowfast", "pytorchvideo", "mmaction2"]

# What a finished training leaves beside its weights.
OUTCOME = "completed.json"
# How a config's file ends, so that one folder can hold all formats, and how its weights' file does.
ENDINGS: Mapping[Format, tuple[str, str]] = {
    "yaml": ("yaml", "safetensors"),
    "pyslowfast": ("pyslowfast.yaml", "pyth"),
    "pytorchvideo": ("pytorchvideo.json", "pytorchvideo.pyth"),
    "mmaction2": ("mmaction2.py", "pth"),
}


@dataclass(frozen=True)
class Exported:
    """The files of one instance. weights: None where nothing was trained, or where they are not at `lost` any more.

    Beside a peer's config there are none either; there `convert` is the command that lays them out for the peer.
    """

    instance: str
    config: Path
    weights: Path | None
    lost: Path | None = None
    convert: str | None = None


def export(
    search: SearchStore, names: Sequence[str], class_names: Sequence[str], out: Path, form: Format = "yaml"
) -> tuple[Exported, ...]:
    """Write the config of each instance of `names` (all if empty); ours with its weights, where it was trained.

    Raises UsageError when the search has no such instance, and as `export_configs` does.
    """
    settled = {instance.name: instance for instance in search.instances()}
    unknown = [name for name in names if name not in settled]
    if unknown or not settled:
        wanted, found = ", ".join(unknown) or "instance yet", ", ".join(settled) or "none yet"
        regimes = ", ".join(search.record_of.space.regimes.bounds)
        raise UsageError(
            f"search {search.name!r} has no {wanted}; its instances: {found}; its regimes: {regimes}."
            f" `expander status {search.name}` shows how far it is"
        )
    chosen = [settled[name] for name in dict.fromkeys(names or settled)]
    configs = [_config(search, instance, class_names) for instance in chosen]
    return export_configs(configs, out, form, {instance.name: _weights(search, instance) for instance in chosen})


def export_configs(
    configs: Sequence[InstanceConfig], out: Path, form: Format, weights: Mapping[str, Path | None]
) -> tuple[Exported, ...]:
    """Write configs; of each, the `weights` of its name where they are.

    Raises UsageError where the peer of `form` cannot build one of the networks, FileError where weights are damaged
    (nothing is written then) and where `out` cannot be written to. Files appear whole or not at all.
    """
    found = {name: source for name, source in weights.items() if source is not None and source.is_file()}
    if form == "yaml":
        for source in found.values():
            _check(source)
        configs = [with_weights(c, f"{c.name}.safetensors", found[c.name]) if c.name in found else c for c in configs]
    texts = _express_all(configs, form)
    make_folder(out)
    return tuple(
        _write(config, text, found.get(config.name), weights.get(config.name), out, form)
        for config, text in zip(configs, texts, strict=True)
    )


def _write(
    config: InstanceConfig, text: str, source: Path | None, recorded: Path | None, out: Path, form: Format
) -> Exported:
    """One config, and beside ours the weights at `source`; None where they are not, or no more, as `recorded`."""
    path = out / f"{config.name}.{ENDINGS[form][0]}"
    copied = None
    if source and form == "yaml":
        copied = out / f"{config.name}.safetensors"
        write_whole(copied, read_whole(source))
    write_whole(path, text.encode())
    convert = _convert(config, out, form) if source and form != "yaml" else None
    return Exported(config.name, path, copied, None if source else recorded, convert)


def _express_all(configs: Sequence[InstanceConfig], form: Format) -> list[str]:
    """The texts of the files. Raises one UsageError with every network that cannot be said so."""
    texts, refused = dict[str, str](), dict[str, str]()
    for config in configs:
        try:
            texts[config.name] = _express(config, form)
        except UsageError as error:
            refused[config.name] = str(error)
    if refused:
        rest = " ".join(f"--instance {name}" for name in texts)
        advice = f"nothing was written; the others can be: {rest}" if texts else "nothing was written"
        raise UsageError("\n".join([*refused.values(), advice]))
    return list(texts.values())


def _express(config: InstanceConfig, form: Format) -> str:
    match form:
        case "yaml":
            return _ours(config, f"{config.name}.yaml")
        case "pyslowfast":
            return pyslowfast.express(config)
        case "pytorchvideo":
            return pytorchvideo.express(config)
        case "mmaction2":
            return mmaction2.express(config)


def _ours(config: InstanceConfig, file: str) -> str:
    """The config as YAML, with its name and source in a comment."""
    origin = config.provenance.get("search")
    title = f"# {config.name}" + (f", chosen by the search {origin!r}" if origin else "") + "\n"
    train = f"# Train it: expander train {file} --train MANIFEST --val MANIFEST --out DIR\n"
    text = yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    return title + train + text


def _convert(config: InstanceConfig, out: Path, form: Format) -> str:
    """The command that lays out, for a peer, the weights that are exported beside our own config."""
    *ours, target = (str(out / f"{config.name}.{ending}") for ending in (*ENDINGS["yaml"], ENDINGS[form][1]))
    return shlex.join(["expander", "convert", *ours, "--to", form, "--out", target])


def write_config(config: InstanceConfig, path: Path) -> None:
    """Write one config as ours."""
    write_whole(path, _ours(config, path.name).encode())


def _check(weights: Path) -> None:
    """Raise FileError where weights are not what their training has written."""
    try:
        written = unsealed((weights.parent / OUTCOME).read_bytes()).get(WEIGHTS_CHECKSUM)
    except (OSError, ValueError):  # of an earlier version, or elsewhere: nothing is known
        return
    if written not in (None, digest(weights)):
        raise FileError(
            f"{weights} is damaged: its checksum is not the one in {OUTCOME} beside it, and nothing was exported. Take"
            " it from a backup, or export the others with --instance"
        )


def _weights(search: SearchStore, instance: InstanceRecord) -> Path | None:
    """Where the weights of an instance were written; None where it was not trained."""
    weights = search.trial(instance.trial).weights if instance.trial else None
    return Path(weights) if weights else None


def _config(search: SearchStore, instance: InstanceRecord, class_names: Sequence[str]) -> InstanceConfig:
    record = search.record_of
    space = record.space
    recipe = recipe_of(space, search.decisions(), instance.step)
    return InstanceConfig(
        name=instance.name,
        geometry=Geometry.from_dict(instance.geometry),
        factors=instance.factors,
        recipe=recipe,
        views=space.test_views,
        seed=space.seed,
        weights=None,
        class_names=tuple(class_names),
        provenance=_provenance(search, instance),
    )


def _provenance(search: SearchStore, instance: InstanceRecord) -> dict[str, object]:
    record = search.record_of
    completed = search.trial(instance.trial).completed if instance.trial else None
    return {
        "search": record.name,
        "space": Path(record.source).name,
        "step": instance.step,
        "kind": instance.kind,
        "complexity": record.space.complexity,
        "device": record.device,
        "bound": instance.bound,
        "trial": instance.trial,
        "score": instance.score,
        "top5": completed.metrics.top5 if completed else None,
        "loss": completed.metrics.loss if completed else None,
        "seed": record.space.seed,
        "data": dict(record.data) if record.data else None,
        "versions": dict(completed.versions) if completed else dict(record.versions),
        **_changes(record),
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _changes(record: SearchRecord) -> dict[str, object]:
    """Where the first decisions of a search are from, and which changes of what trains a user accepted, if any."""
    values: dict[str, object] = {}
    if record.forked is not None:
        values["forked"] = {"from": record.forked.name, "step": record.forked.step}
    if record.accepted:
        values["accepted"] = [
            {key: value for key, value in asdict(each).items() if value is not None}
            | {"at": each.at.isoformat(timespec="seconds")}
            for each in record.accepted
        ]
    return values
