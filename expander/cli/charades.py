"""`expander finetune charades`: an instance with its weights, trained further on several labels a video (A.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expander.cli.files import load_config, load_yaml, make_folder
from expander.cli.output import Json, document, notes, print_json
from expander.cli.scores import note_damaged
from expander.cli.train import Config, DamageShare, Device, Threads, Workers
from expander.errors import Interrupted, UsageError
from expander.files import read_whole, write_whole
from expander.trial import content_id
from expander.units import duration

if TYPE_CHECKING:
    from results.config import InstanceConfig
    from trainers.finetune.loop import Progress
    from trainers.finetune.recipe import FinetuneRecipe


def charades(
    config: Config,
    weights: Annotated[Path, typer.Option(help="Weights of the config, from Kinetics (safetensors).")],
    train: Annotated[Path, typer.Option(help="Charades' csv of the training videos.")],
    val: Annotated[Path, typer.Option(help="Charades' csv of the videos to score.")],
    videos: Annotated[Path, typer.Option(help="Folder of the videos, ID.mp4 each.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, weights and the config that names them.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Set a key: recipe.iterations=2000, views.clips=3.")
    ] = None,
    damage_share: DamageShare = 0.01,
    device: Device = "auto",
    threads: Threads = None,
    loader_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Fine-tune on Charades (A.2) and score by mAP; run again, it goes on from its last checkpoint."""
    of_recipe = [each for each in overrides or [] if each.lstrip().startswith("recipe.")]
    loaded = load_config(config, [each for each in overrides or [] if each not in of_recipe])
    if loaded.task != "classification":
        raise UsageError(f"config {config}: it is fine-tuned for {loaded.task} already; give the one from before")
    from results.config import check_weights, with_weights
    from results.export import write_config
    from trainers.checkpoint import WEIGHTS
    from trainers.data.charades import CLASS_NAMES, read_charades
    from trainers.finetune.charades import charades_geometry, charades_recipe, train_charades
    from trainers.versions import versions

    check_weights(loaded, weights)
    recipe = _set(charades_recipe, loaded, of_recipe)
    training, held_out = (read_charades(path, videos) for path in (train, val))
    digests = {option: _digest(path) for option, path in (("train", train), ("val", val), ("weights", weights))}
    geometry = charades_geometry(loaded.geometry)
    identity = content_id({"geometry": geometry.as_dict(), "recipe": recipe.as_dict(), "seed": loaded.seed, **digests})
    folder = out / "charades" / identity
    make_folder(folder)
    try:
        scored = train_charades(
            identity, geometry, recipe, weights, training, held_out, loaded.views, folder, _say, seed=loaded.seed,
            damage_share=damage_share, loader_workers=loader_workers, threads=threads, device=device,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise Interrupted("training stopped; the same command goes on from the last checkpoint") from None
    name = f"{loaded.name}-charades"
    write_whole(out / f"{name}.safetensors", read_whole(folder / WEIGHTS))
    after, before = scored.after, scored.before
    known = int((after.of_class >= 0).sum())  # nan, which JSON has not, where no class has a video
    values: dict[str, Any] = {
        "name": name,
        "map": after.mean if known else None,
        "map_before": before.mean if known else None,
        "chance": after.chance if known else None,
        "classes_scored": known,
        "videos": len(scored.scores),
    }
    trained = {
        "trial": identity, "task": "charades", "map": values["map"], "recipe": recipe.as_dict(), "seed": loaded.seed,
        "views": loaded.views.as_dict(), "sha256": digests, "versions": versions(),
    }  # fmt: skip
    written = replace(
        loaded, name=name, geometry=geometry, factors={}, class_names=CLASS_NAMES,
        task="charades", provenance={**loaded.provenance, "trained": trained},
    )  # fmt: skip
    written = with_weights(written, f"{name}.safetensors", folder / WEIGHTS)
    write_config(written, out / f"{name}.yaml")
    values |= {"damaged": list(scored.damaged), "config": str(out / f"{name}.yaml")}
    _print(values, as_json)


def _set(default: Any, config: InstanceConfig, overrides: Sequence[str]) -> FinetuneRecipe:
    """The task's recipe with `recipe.KEY=VALUE` set; what follows from the iterations follows from those set."""
    values: dict[str, Any] = {}
    for override in overrides:
        key, equals, text = override.strip().removeprefix("recipe.").partition("=")
        if not equals:
            raise UsageError(f"--set {override}: expected recipe.KEY=VALUE, such as recipe.iterations=2000")
        values[key.strip()] = load_yaml(text, f"--set {override}")[0]
    from trainers.finetune.recipe import read_recipe

    return read_recipe(lambda iterations: default(config.recipe, *iterations), values)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _say(progress: Progress) -> None:
    line = f"iteration {progress.iteration:,}/{progress.iterations:,}, loss {progress.loss:.4f}"
    notes().print(f"{line}, rate {progress.rate:.4g}, {duration(progress.seconds)}", markup=False)


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    figures = (values[key] for key in ("map", "map_before", "chance"))
    score, before, chance = (f"{value:.2%}" if value is not None else "-" for value in figures)
    line = f"{values['name']}: mAP {score} (before {before}, chance {chance}) over {values['classes_scored']} classes"
    document().print(f"{line}, {values['videos']:,} videos", markup=False)
    note_damaged(values["damaged"])
