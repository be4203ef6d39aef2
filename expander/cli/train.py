"""`expander train` and `expander test`: one exported config by itself, without a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from expander.cli.data import warn_of_leaks
from expander.cli.files import load_config, make_folder
from expander.cli.inputs import Videos, look_at_files
from expander.cli.options import Config, DamageShare, Device, Json, Out, OutsideRoot, Root, Threads, Workers
from expander.cli.output import document, notes, print_json
from expander.cli.scores import note_damaged, print_scores
from expander.errors import Interrupted, ManifestError, UsageError
from expander.files import digest, read_whole, write_whole
from expander.pace import told
from expander.plan import inference_flops
from expander.trial import Epoch, Metrics, Told, Trial, Views, Warned

if TYPE_CHECKING:
    from results.config import InstanceConfig
    from results.scores import NetworkScores, Scored
    from trainers.data.manifest import Manifest
    from trainers.evaluate import Evaluation

# Clips of one video are held in memory together.
MOST_CLIPS = 1000
# What follows the number of clips in --views, without hyphens.
CROPS: dict[str, Literal["center", "left-center-right"]] = {
    "": "center",
    "center": "center",
    "leftcenterright": "left-center-right",
}


def train(
    config: Config,
    train: Annotated[Path, typer.Option(help="Manifest of the training videos, or a folder of classes.")],
    val: Annotated[Path, typer.Option(help="Manifest of the validation videos, or a folder of classes.")],
    out: Out,
    root: Root = None,
    outside_root: OutsideRoot = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Set a key of the config: recipe.epochs=4.")
    ] = None,
    damage_share: DamageShare = 0.01,
    device: Device = "auto",
    threads: Threads = None,
    loader_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Train an exported config from scratch; run again, it goes on from its last checkpoint."""
    loaded = load_config(config, overrides or [])
    _check_task(loaded, config)
    if "pyslowfast" in loaded.provenance:
        notes().print(
            "PySlowFast's recipe is not taken over: this one is the paper's; change it with --set recipe.KEY=VALUE"
        )
    from results.config import with_weights
    from results.export import write_config
    from trainers.checkpoint import TRIALS
    from trainers.data.manifest import ManifestSource, check_classes, fingerprint, read_pair
    from trainers.training import VideoTraining

    videos, held_out = (ManifestSource(path.resolve(), root and root.resolve(), outside_root) for path in (train, val))
    manifests = read_pair(videos, held_out)
    for manifest in manifests:
        check_classes(manifest, loaded.geometry.classes)
    warn_of_leaks(*manifests)
    if (batch := loaded.recipe.batch) > (given := len(manifests[0].videos)):
        notes().print(
            f"a batch of {batch} clips is more than the {given} training videos, and its rate is scaled to it: the"
            " recipe is one for Kinetics; for few videos set a smaller one, such as"
            f" --set recipe.batch={max(2, given // 8)}"
        )
    data = fingerprint(*manifests)
    trial = Trial(loaded.geometry, loaded.recipe, data.id, loaded.views, loaded.seed)
    # What an earlier program began, which did not look at the files, is gone on with under its name.
    if not (out / TRIALS / trial.id).is_dir():
        data = look_at_files(Videos(videos, held_out, manifests, data)).fingerprint
        trial = replace(trial, data=data.id)
    make_folder(out / TRIALS)
    training = VideoTraining(videos, held_out, out.resolve(), damage_share, loader_workers, threads, device)
    try:
        completed = training(trial, _say)
    except KeyboardInterrupt:
        raise Interrupted("training stopped; the same command goes on from the last checkpoint") from None
    assert completed.weights is not None
    weights = Path(completed.weights)
    write_whole(out / f"{loaded.name}.safetensors", read_whole(weights))
    trained = _trained(loaded, trial.id, completed.metrics, data.as_dict(), completed.versions, manifests[0].classes)
    write_config(with_weights(trained, f"{loaded.name}.safetensors", weights), out / f"{loaded.name}.yaml")
    values = {"name": loaded.name, "trial": trial.id, **asdict(completed.metrics), "seconds": completed.seconds}
    _print(values | {"damaged": list(completed.damaged), "config": str(out / f"{loaded.name}.yaml")}, as_json)


def evaluate(
    config: Config,
    weights: Annotated[Path, typer.Option(help="Weights that were exported or trained with the config (safetensors).")],
    val: Annotated[Path, typer.Option(help="Manifest of the videos to test on, or a folder of classes.")],
    views: Annotated[
        str | None,
        typer.Option(
            help="What to score each video from, as 1,3,5,7,10 or 10-LeftCenterRight; else as the config says."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the scores, which `expander report --scores` draws.")
    ] = None,
    per_video: Annotated[Path | None, typer.Option(help="File for a row of each video and views, in Parquet.")] = None,
    root: Root = None,
    outside_root: OutsideRoot = False,
    damage_share: DamageShare = 0.01,
    device: Device = "auto",
    threads: Threads = None,
    loader_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Test an exported config with its weights on the videos of a manifest, from one or from several views."""
    loaded = load_config(config)
    _check_task(loaded, config)
    wanted = (loaded.views,) if views is None else _read_views(views)
    _make_place("--out", out, f"{loaded.name}.json")
    _make_place("--per-video", per_video, f"{loaded.name}.parquet")
    if out is not None and per_video is not None and out.resolve() == per_video.resolve():
        raise UsageError(f"--per-video {per_video} is the file of --out too; give each its own")
    from results.classes import by_class
    from results.config import check_weights
    from results.scores import Scored, write_scores
    from trainers.data.manifest import ManifestSource, check_classes
    from trainers.train import score

    check_weights(loaded, weights)
    manifest = _relabelled(ManifestSource(val.resolve(), root and root.resolve(), outside_root).read(), loaded)
    check_classes(manifest, loaded.geometry.classes)
    tested, damaged = score(
        loaded.geometry,
        weights,
        manifest,
        wanted,
        short_videos=loaded.recipe.short_videos,
        damage_share=damage_share,
        loader_workers=loader_workers,
        threads=threads,
        device=device,
    )
    costs = [inference_flops(loaded.geometry, each) for each in wanted]
    scores = tuple(map(Scored, wanted, costs, tested.metrics))
    if out is not None:
        write_scores(_network_scores(loaded, scores, manifest, weights, damaged), out)
    if per_video is not None:
        _write_videos(manifest, wanted, tested, per_video)
    classes = [by_class(videos, manifest.classes) for videos in tested.videos]
    print_scores(loaded.name, scores, classes, damaged, as_json)


def _check_task(config: InstanceConfig, source: str) -> None:
    """Raises UsageError for a network that was fine-tuned for another task than one class a video."""
    if config.task != "classification":
        raise UsageError(
            f"config {source}: its task is {config.task}, with several labels a video; train and test are for one label"
            f" a video. `expander finetune {config.task}` scores it as it trains it"
        )


def _make_place(option: str, file: Path | None, example: str) -> None:
    """The folder of a file that will be written. Raises UsageError for a folder in its place, or one to which nothing
    can be written."""
    if file is None:
        return
    if file.is_dir():
        raise UsageError(f"{option} {file} is a folder; give a file in it, such as {file / example}")
    make_folder(file.parent)


def _write_videos(manifest: Manifest, views: Sequence[Views], tested: Evaluation, out: Path) -> None:
    from results.videos import TestedVideo, write_videos

    reasons = {damaged.index: damaged.reason for damaged in tested.damaged}
    videos = [
        TestedVideo(video.name, video.path, video.label, reasons.get(place))
        for place, video in enumerate(manifest.videos)
    ]
    write_videos(videos, dict(zip(views, tested.videos, strict=True)), manifest.classes, out)


def _read_views(text: str) -> tuple[Views, ...]:
    """'1,10-Center,10-LeftCenterRight' in the paper's spelling, or with hyphens and in any case."""
    found: dict[str, Views] = {}
    for part in text.split(","):
        clips, _, crops = part.strip().partition("-")
        kind = CROPS.get(crops.replace("-", "").lower())
        number = int(clips) if clips.isascii() and clips.isdecimal() and len(clips) < 10 else 0
        if kind is None or not 0 < number <= MOST_CLIPS:
            raise UsageError(
                f"--views {text}: {part.strip()!r} names no views; expected K or K-Center for K clips, or"
                " K-LeftCenterRight for three crops of each, such as 1,3,5,7,10 or 10-LeftCenterRight; K up to"
                f" {MOST_CLIPS}"
            )
        views = Views(number, kind)
        if views.name in found:
            raise UsageError(f"--views {text}: {views.name} stands twice; give it once")
        found[views.name] = views
    return tuple(found.values())


def _network_scores(
    config: InstanceConfig, scores: tuple[Scored, ...], manifest: Manifest, weights: Path, damaged: tuple[str, ...]
) -> NetworkScores:
    from results.scores import NetworkScores, TestedOn
    from trainers.data.manifest import summary
    from trainers.versions import versions

    val = summary(manifest)
    search, trial = (config.origin.get(key) for key in ("search", "trial"))
    return NetworkScores(
        name=config.name,
        geometry=config.geometry.as_dict(),
        complexity=config.complexity,
        scores=scores,
        val=TestedOn(str(manifest.path), val.videos, val.sha256),
        weights=digest(weights),
        search=None if search is None else str(search),
        trial=None if trial is None else str(trial),
        damaged=damaged,
        versions=versions(),
        tested=datetime.now(UTC),
    )


def _say(event: Told) -> None:
    match event:
        case Warned():
            notes().print(event.text, markup=False)
        case Epoch():
            notes().print(told(event), markup=False)


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
    provenance = {**config.provenance, "trained": now}
    return replace(config, class_names=tuple(class_names), provenance=provenance)


def _relabelled(manifest: Manifest, config: InstanceConfig) -> Manifest:
    """`manifest` with the labels that the network was trained with, by the names of its classes."""
    class_names, classes = config.class_names, len(manifest.classes)
    if not class_names:
        if classes < config.geometry.classes and manifest.classes != tuple(map(str, range(classes))):
            raise ManifestError(
                f"{manifest.path}: labels are names of {classes} classes, and the config does not say which of the"
                f" network's {config.geometry.classes} these are; give class_names in it, or numbers for labels"
            )
        return manifest
    labels = {name: label for label, name in enumerate(class_names)}
    unknown = sorted(set(manifest.classes) - set(labels))
    if unknown:
        raise ManifestError(
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
    note_damaged(values["damaged"])
