"""Instances as configs that others can train, with their weights beside them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import yaml

from expander.errors import UsageError
from expander.geometry import Geometry
from expander.recipe import recipe_at
from results.config import InstanceConfig

if TYPE_CHECKING:
    from results.records import InstanceRecord
    from results.store import SearchStore


@dataclass(frozen=True)
class Exported:
    """The files of one instance. weights: None where nothing was trained, or where they are not at `lost` any more."""

    instance: str
    config: Path
    weights: Path | None
    lost: Path | None = None


def export(search: SearchStore, names: Sequence[str], class_names: Sequence[str], out: Path) -> tuple[Exported, ...]:
    """Write NAME.yaml, and NAME.safetensors where it was trained, for each instance of `names` (all if empty).

    Raises UsageError when the search has no such instance, or `out` is no folder to write to. Files appear whole or
    not at all.
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
    try:
        out.mkdir(parents=True, exist_ok=True)
        return tuple(_export_one(search, settled[name], class_names, out) for name in names or settled)
    except OSError as error:
        raise UsageError(
            f"nothing can be written to {out}: {error.strerror}; give a folder that you may write to"
        ) from error


def write_config(config: InstanceConfig, path: Path) -> None:
    """The config as YAML, with its name and source in a comment."""
    origin = config.provenance.get("search")
    title = f"# {config.name}" + (f", chosen by the search {origin!r}" if origin else "") + "\n"
    train = f"# Train it: expander train {path.name} --train MANIFEST --val MANIFEST --out DIR\n"
    text = yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    write_atomically(path, lambda file: file.write((title + train + text).encode()))


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Fill a temporary file in the same folder, flush it to disk and move it to `path`."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _export_one(search: SearchStore, instance: InstanceRecord, class_names: Sequence[str], out: Path) -> Exported:
    source = _weights(search, instance)
    found = source is not None and source.is_file()
    weights = _copy(source, out / f"{instance.name}.safetensors") if source and found else None
    config = _config(search, instance, class_names, weights.name if weights else None)
    path = out / f"{instance.name}.yaml"
    write_config(config, path)
    return Exported(instance.name, path, weights, None if found else source)


def _weights(search: SearchStore, instance: InstanceRecord) -> Path | None:
    """Where the weights of an instance were written; None where it was not trained."""
    weights = search.trial(instance.trial).weights if instance.trial else None
    return Path(weights) if weights else None


def _copy(source: Path, target: Path) -> Path:
    with source.open("rb") as weights:
        write_atomically(target, lambda file: shutil.copyfileobj(weights, file))
    return target


def _config(
    search: SearchStore, instance: InstanceRecord, class_names: Sequence[str], weights: str | None
) -> InstanceConfig:
    record = search.record_of
    space = record.space
    recipe = recipe_at(instance.step, space.base_recipe, space.regularisation_expansion)
    return InstanceConfig(
        name=instance.name,
        geometry=Geometry.from_dict(instance.geometry),
        factors=instance.factors,
        recipe=recipe,
        views=space.test_views,
        seed=space.seed,
        weights=weights,
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
        "bound_flops": instance.bound_flops,
        "trial": instance.trial,
        "score": instance.score,
        "top5": completed.metrics.top5 if completed else None,
        "loss": completed.metrics.loss if completed else None,
        "seed": record.space.seed,
        "data": dict(record.data) if record.data else None,
        "versions": dict(completed.versions) if completed else dict(record.versions),
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
    }
