"""`expander finetune ava`: action detection on AVA with an instance as the backbone (Sec. 5, A.1)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expander.cli.files import load_config, make_folder
from expander.cli.output import Json, document, notes, print_json
from expander.cli.scores import note_damaged
from expander.cli.train import Config, DamageShare, Device, Threads, Workers
from expander.errors import Interrupted, UsageError
from expander.files import write_whole

if TYPE_CHECKING:
    from trainers.detection.frame_ap import FrameMeanAP
    from trainers.detection.train import Round

# A.1: the others of the recipe are those of Kinetics.
WEIGHT_DECAY = "recipe.weight_decay=1e-7"
SCORES = "scores.json"


def ava(
    config: Config,
    train: Annotated[Path, typer.Option(help="Ground truth to train on: AVA's csv.")],
    val: Annotated[Path, typer.Option(help="Ground truth to test on: AVA's csv.")],
    val_boxes: Annotated[Path, typer.Option(help="Detected persons to test on: AVA's csv; scores over 0.8 count.")],
    labels: Annotated[Path, typer.Option(help="The label map: AVA's pbtxt.")],
    root: Annotated[Path, typer.Option(help="Folder of the videos, found by their names anywhere below it.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, the detector's weights and its detections.")],
    weights: Annotated[
        Path | None, typer.Option(help="The instance's weights (safetensors); else random ones.")
    ] = None,
    train_boxes: Annotated[
        Path | None, typer.Option(help="Detected persons to train on too, at an IoU over 0.9.")
    ] = None,
    exclude: Annotated[list[Path] | None, typer.Option(help="Key frames to leave out: AVA's csv. Repeatable.")] = None,
    video_start: Annotated[float, typer.Option(help="AVA's second at which the files begin: 900 for cut ones.")] = 0.0,
    iterations: Annotated[int, typer.Option(min=1, help="Steps of SGD.")] = 14_000,
    warmup: Annotated[int, typer.Option(min=0, help="Of these, how many the rate climbs.")] = 1_000,
    every: Annotated[int, typer.Option(min=1, help="Steps between validations, which leave checkpoints.")] = 1_000,
    patience: Annotated[
        int, typer.Option(min=1, help="Validations without a better one until a tenth of the rate.")
    ] = 2,
    whole_frame: Annotated[bool, typer.Option("--whole-frame", help="Test on whole frames, not centre crops.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Set a key of the config: recipe.batch=64.")
    ] = None,
    damage_share: DamageShare = 0.01,
    device: Device = "auto",
    threads: Threads = None,
    loader_workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Train a detector of actions from an instance's weights, scored by AVA's frame mAP; run again, it goes on."""
    loaded = load_config(config, [WEIGHT_DECAY, *(overrides or [])])
    if loaded.task != "classification":
        raise UsageError(f"config {config}: it is fine-tuned for {loaded.task} already; give the one from before")
    if warmup > iterations:
        raise UsageError(f"--warmup {warmup} is more than --iterations {iterations}; expected at most as many")
    if weights is None:
        notes().print("no --weights: the detector is trained from random weights; A.1 begins with those of Kinetics")
    from results.config import check_weights
    from trainers.detection.schedule import Schedule
    from trainers.detection.train import AvaFiles, DetectionTraining

    files = AvaFiles(train, train_boxes, val, val_boxes, tuple(exclude or ()), labels, root, video_start)
    training = DetectionTraining(
        loaded.geometry,
        loaded.recipe,
        Schedule(iterations, warmup, every, patience),
        weights,
        seed=loaded.seed,
        whole_frame=whole_frame,
        damage_share=damage_share,
        loader_workers=loader_workers,
        threads=threads,
        device=device,
    )
    if weights is not None:
        check_weights(loaded, weights)
    data = files.read()
    make_folder(out)
    try:
        score, damaged = training(data, out.resolve(), _say)
    except KeyboardInterrupt:
        raise Interrupted("training stopped; the same command goes on from the last checkpoint") from None
    values = _values(loaded.name, score, data.classes) | {"damaged": list(damaged)}
    write_whole(out / SCORES, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
    _print(values, as_json=as_json)


def _say(done: Round) -> None:
    notes().print(
        f"iteration {done.iteration:,}: loss {done.loss:.4f}, rate {done.rate:.3g}, frame mAP {done.score:.1%}",
        markup=False,
    )


def _values(name: str, score: FrameMeanAP, classes: dict[int, str]) -> dict[str, Any]:
    by_class = {classes[action]: value for action, value in score.by_class.items()}
    return {"name": name, **asdict(score), "by_class": by_class}


def _print(values: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    line = f"{values['name']}: frame mAP {values['mean']:.1%} at IoU 0.5 over {len(values['by_class'])} classes"
    document().print(f"{line}, {values['boxes']:,} labelled boxes, {values['detections']:,} detections", markup=False)
    for action, value in values["by_class"].items():
        document().print(f"  {action}: {value:.1%}", markup=False)
    note_damaged(values["damaged"])
