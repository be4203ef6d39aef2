"""`expander train` and `expander test`: one exported config by itself, without a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expander.cli.files import load_config
from expander.cli.output import Json, document, notes, print_json
from expander.errors import DataError, Interrupted
from expander.trial import Epoch, Metrics, Trial
from expander.units import duration

if TYPE_CHECKING:
    from results.config import InstanceConfig
    from trainers.data.manifest import Manifest

Config = Annotated[Path, typer.Argument(help="A config that `expander export` wrote.")]
Root = Annotated[
    Path | None, typer.Option(help="Folder that the manifests' paths start from; else the manifest's own.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto, which takes a GPU where there is one.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of PyTorch; else it decides.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that decode video; 0 decodes in the training's own.")]


def train(
    config: Config,
    train: Annotated[Path, typer.Option(help="Manifest of the training videos.")],
    val: Annotated[Path, typer.Option(help="Manifest of the validation videos.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, weights and the config that names them.")],
    root: Root = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Set a key of the config: recipe.epochs=4.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    loader_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Train an exported config from scratch; run again, it goes on from its last checkpoint."""
    loaded = load_config(config, overrides or [])
    from results.export import write_config
    from trainers.checkpoint import load_weights, save_weights
    from trainers.data.manifest import ManifestSource, check_classes, fingerprint, read_pair
    from trainers.networks.x3d import build
    from trainers.train import VideoTraining

    videos, held_out = (ManifestSource(path.resolve(), root and root.resolve()) for path in (train, val))
    manifests = read_pair(videos, held_out)
    for manifest in manifests:
        check_classes(manifest, loaded.geometry.classes)
    data = fingerprint(*manifests)
    trial = Trial(loaded.geometry, loaded.recipe, data.id, loaded.views, loaded.seed)
    training = VideoTraining(
        videos, held_out, out.resolve(), loader_workers=loader_workers, threads=threads, device=device
    )
    try:
        completed = training(trial, _say)
    except KeyboardInterrupt:
        raise Interrupted("training stopped; the same command goes on from the last checkpoint") from None
    assert completed.weights is not None
    model = build(loaded.geometry, loaded.recipe)
    load_weights(Path(completed.weights), model)
    save_weights(out / f"{loaded.name}.safetensors", model)
    trained = _trained(loaded, trial.id, completed.metrics, data.as_dict(), completed.versions, manifests[0].classes)
    write_config(trained, out / f"{loaded.name}.yaml")
    values = {"name": loaded.name, "trial": trial.id, **asdict(completed.metrics), "seconds": completed.seconds}
    _print(values | {"damaged": list(completed.damaged), "config": str(out / f"{loaded.name}.yaml")}, as_json)


def evaluate(
    config: Config,
    weights: Annotated[Path, typer.Option(help="Weights that were exported or trained with the config (safetensors).")],
    val: Annotated[Path, typer.Option(help="Manifest of the videos to test on.")],
    root: Root = None,
    damage_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the videos that may fail to decode.")
    ] = 0.01,
    device: Device = "auto",
    threads: Threads = None,
    loader_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Test an exported config with its weights on the videos of a manifest, from the views that the config says."""
    loaded = load_config(config)
    from trainers.data.manifest import ManifestSource, check_classes
    from trainers.train import score

    manifest = _relabelled(ManifestSource(val.resolve(), root and root.resolve()).read(), loaded.class_names)
    check_classes(manifest, loaded.geometry.classes)
    metrics, damaged = score(
        loaded.geometry,
        weights,
        manifest,
        loaded.views,
        damage_share=damage_share,
        loader_workers=loader_workers,
        threads=threads,
        device=device,
    )
    _print({"name": loaded.name, **asdict(metrics), "damaged": list(damaged)}, as_json)


def _say(epoch: Epoch) -> None:
    line = f"epoch {epoch.number}/{epoch.epochs}, loss {epoch.loss:.3f}, train top-1 {epoch.top1:.1%}"
    notes().print(f"{line}, rate {epoch.rate:.4g}, {duration(epoch.seconds)}", markup=False)


def _trained(
    config: InstanceConfig,
    trial: str,
    metrics: Metrics,
    data: dict[str, Any],
    versions: Any,
    class_names: Sequence[str],
) -> InstanceConfig:
    """The config with what it was trained on now; where its geometry came from stays."""
    now = {
        "trial": trial,
        "score": metrics.top1,
        "top5": metrics.top5,
        "loss": metrics.loss,
        "seed": config.seed,
        "data": data,
        "versions": dict(versions),
    }
    names = tuple(class_names) if len(class_names) == config.geometry.classes else ()
    provenance = {**config.provenance, "trained": now}
    return replace(config, weights=f"{config.name}.safetensors", class_names=names, provenance=provenance)


def _relabelled(manifest: Manifest, class_names: Sequence[str]) -> Manifest:
    """`manifest` with the labels that the network was trained with, by the names of its classes."""
    if not class_names or not any(video for video in manifest.videos):
        return manifest
    labels = {name: label for label, name in enumerate(class_names)}
    unknown = sorted(set(manifest.classes) - set(labels))
    if unknown:
        raise DataError(
            f"{manifest.path}: classes {', '.join(unknown[:5])} are not among the {len(labels)} that the network was"
            " trained for (class_names in its config)"
        )
    videos = tuple(replace(video, label=labels[manifest.classes[video.label]]) for video in manifest.videos)
    return replace(manifest, videos=videos, classes=tuple(class_names))


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    line = f"{values['name']}: top-1 {values['top1']:.1%}, top-5 {values['top5']:.1%}, loss {values['loss']:.3f}"
    document().print(f"{line} on {values['videos']:,} videos", markup=False)
    for damaged in values["damaged"]:
        notes().print(f"left out: {damaged}", markup=False)
