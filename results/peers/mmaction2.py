"""A config for MMAction2 1.x (mmaction/models/backbones/x3d.py and heads/x3d_head.py of 1.2.0), complete by itself.

Its X3D doubles the first stage's rounded width from stage to stage, where the others round each stage: X3D-XL and XXL,
of 32, 72, 136 and 280 channels, cannot be said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from expander.geometry import SQUEEZE_RATIO, Geometry
from expander.trial import shorter_side
from results.config import InstanceConfig
from results.peers import arithmetic, training

NAME = "MMAction2"
STAGES = (1, 2, 3, 4)
BASE_WIDTH = 24
HEAD_WIDTH = 2048
STEM_KERNEL = 5
# mmengine's linear warm-up divides by where it starts from.
WARMUP_START = 1e-3
WORKERS = 8
EPOCHS_OF_A_VALIDATION = 10
LINE = 100


def express(config: InstanceConfig) -> str:
    """The file's text. Raises UsageError where no keys build the network."""
    found = keys(config)
    if reasons := misfits(arithmetic.x3d(config, NAME, STAGES), found):
        arithmetic.refuse(config, NAME, reasons)
    body = "\n".join(f"{name} = {_python(value)}" for name, value in found.items())
    return training.comment([*training.heading(config, NAME), *_notes(config)]) + body + "\n"


def keys(config: InstanceConfig) -> dict[str, Any]:
    """The config's variables that come nearest; `build` tells whether they make the geometry."""
    return {
        "default_scope": "mmaction",
        "model": _model(config),
        **_data(config),
        **_schedule(config),
        **_runtime(config),
    }


def _model(config: InstanceConfig) -> dict[str, Any]:
    geometry, factors = arithmetic.x3d(config, NAME, STAGES), config.factors
    count = len(geometry.stages)
    width = arithmetic.factor(partial(_widths, count), geometry.widths, arithmetic.simple(factors.get("gamma_w")))
    shorter = {"num_stages": count, "spatial_strides": (2,) * count} if count < 4 else {}
    return {
        "type": "Recognizer3D",
        "backbone": {
            "type": "X3D",
            "gamma_w": width,
            "gamma_b": arithmetic.bottleneck_factor(geometry, factors.get("gamma_b")),
            "gamma_d": arithmetic.depth_factor(geometry, factors.get("gamma_d")),
            "se_ratio": arithmetic.squeeze_ratio(geometry) or None,
            **shorter,
        },
        "cls_head": {
            "type": "X3DHead",
            "in_channels": geometry.inner_widths[-1],
            "num_classes": geometry.classes,
            "spatial_type": "avg",
            "dropout_ratio": float(config.recipe.dropout),
            "fc1_bias": False,
            "average_clips": "prob",
        },
        # Pixels of 0 to 255; mean 0.45 and deviation 0.225 of those of 0 to 1.
        "data_preprocessor": {
            "type": "ActionDataPreprocessor",
            "mean": [114.75] * 3,
            "std": [57.375] * 3,
            "format_shape": "NCTHW",
        },
    }


def _widths(count: int, gamma_w: float) -> tuple[int, ...]:
    first = arithmetic.round_width(BASE_WIDTH * gamma_w)
    return tuple(first * 2**stage for stage in range(count))


def _data(config: InstanceConfig) -> dict[str, Any]:
    """The paths, which are to be set, the pipelines and loaders."""
    views, crop = config.views, config.geometry.crop
    threefold = views.crops == "left-center-right"
    pipelines = {
        "train": _pipeline(config, [*_rescaled(config), {"type": "RandomCrop", "size": crop}, *_flipped(config)]),
        "val": _pipeline(config, _cropped(crop, threefold=False), test_mode=True),
        "test": _pipeline(config, _cropped(crop, threefold), num_clips=views.clips, test_mode=True),
    }
    clips = {"train": training.share(config.recipe).group, "val": 1, "test": 1}
    loaders = {f"{split}_dataloader": _loader(split, clips[split], pipelines[split]) for split in pipelines}
    return loaders | {f"{split}_evaluator": {"type": "AccMetric"} for split in ("val", "test")}


def _pipeline(config: InstanceConfig, crops: list[dict[str, Any]], **sampling: Any) -> list[dict[str, Any]]:
    geometry = config.geometry
    sample = {"type": "SampleFrames", "clip_len": geometry.frames, "frame_interval": geometry.stride or 1}
    return [
        {"type": "DecordInit"},
        sample | {"num_clips": 1} | sampling,
        {"type": "DecordDecode"},
        *crops,
        {"type": "FormatShape", "input_format": "NCTHW"},
        {"type": "PackActionInputs"},
    ]


def _rescaled(config: InstanceConfig) -> list[dict[str, Any]]:
    low, high = training.jitter(config)
    # RandomRescale wants a range of more than one side.
    return [
        {"type": "RandomRescale", "scale_range": (low, high)} if low < high else {"type": "Resize", "scale": (-1, low)}
    ]


def _flipped(config: InstanceConfig) -> list[dict[str, Any]]:
    return [{"type": "Flip", "flip_ratio": 0.5}] if config.recipe.flip else []


def _cropped(crop: int, threefold: bool) -> list[dict[str, Any]]:
    side = shorter_side(crop)
    cropped = {"type": "ThreeCrop", "crop_size": side} if threefold else {"type": "CenterCrop", "crop_size": crop}
    return [{"type": "Resize", "scale": (-1, side)}, cropped]


def _loader(split: str, clips: int, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    folder = "train" if split == "train" else "val"
    return {
        "batch_size": clips,
        "num_workers": WORKERS,
        "persistent_workers": True,
        "sampler": {"type": "DefaultSampler", "shuffle": split == "train"},
        "dataset": {
            "type": "VideoDataset",
            "ann_file": f"data/{folder}_list_videos.txt",
            "data_prefix": {"video": f"data/videos_{folder}"},
            "pipeline": pipeline,
            **({} if split == "train" else {"test_mode": True}),
        },
    }


def _schedule(config: InstanceConfig) -> dict[str, Any]:
    """The loops, the optimiser and the rate: up linearly, then a half-period cosine, step by step."""
    recipe = config.recipe
    epochs, warmup = recipe.epochs, round(recipe.warmup * recipe.epochs, 6)
    by_step = {"by_epoch": True, "convert_to_iter_based": True}
    up = {"type": "LinearLR", "start_factor": WARMUP_START, "begin": 0, "end": warmup, **by_step}
    down = {"type": "CosineAnnealingLR", "T_max": epochs - warmup, "eta_min": 0, "begin": warmup, "end": epochs}
    return {
        "train_cfg": {
            "type": "EpochBasedTrainLoop",
            "max_epochs": epochs,
            "val_begin": 1,
            "val_interval": EPOCHS_OF_A_VALIDATION,
        },
        "val_cfg": {"type": "ValLoop"},
        "test_cfg": {"type": "TestLoop"},
        "optim_wrapper": {
            "type": "OptimWrapper",
            "accumulative_counts": training.share(recipe).machines,
            "optimizer": {
                "type": "SGD",
                "lr": round(recipe.peak_rate, 12),
                "momentum": float(recipe.momentum),
                "weight_decay": float(recipe.weight_decay),
                "nesterov": False,
            },
            "paramwise_cfg": {"norm_decay_mult": 0.0},
        },
        "param_scheduler": ([up] if warmup else []) + [down | by_step],
    }


def _runtime(config: InstanceConfig) -> dict[str, Any]:
    """What MMAction2's own configs take from their default_runtime.py, which lies beside them only."""
    return {
        "default_hooks": {
            "runtime_info": {"type": "RuntimeInfoHook"},
            "timer": {"type": "IterTimerHook"},
            "logger": {"type": "LoggerHook", "interval": 20, "ignore_last": False},
            "param_scheduler": {"type": "ParamSchedulerHook"},
            "checkpoint": {"type": "CheckpointHook", "interval": EPOCHS_OF_A_VALIDATION, "save_best": "auto"},
            "sampler_seed": {"type": "DistSamplerSeedHook"},
            "sync_buffers": {"type": "SyncBuffersHook"},
        },
        "env_cfg": {
            "cudnn_benchmark": False,
            "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0},
            "dist_cfg": {"backend": "nccl"},
        },
        "log_processor": {"type": "LogProcessor", "window_size": 20, "by_epoch": True},
        "vis_backends": [{"type": "LocalVisBackend"}],
        "visualizer": {"type": "ActionVisualizer", "vis_backends": [{"type": "LocalVisBackend"}]},
        "log_level": "INFO",
        "load_from": None,
        "resume": False,
        "randomness": {"seed": config.seed},
    }


def build(keys: Mapping[str, Any]) -> Geometry:
    """The network and clip that MMAction2 makes of a config's variables.

    Its `use_swish` changes nothing: swish is always there.
    """
    backbone, head = keys["model"]["backbone"], keys["model"]["cls_head"]
    steps = {step["type"]: step for step in keys["train_dataloader"]["dataset"]["pipeline"]}
    sample = steps["SampleFrames"]
    widths = _widths(backbone.get("num_stages", 4), backbone["gamma_w"])
    ratio = backbone.get("se_ratio", SQUEEZE_RATIO)
    return Geometry(
        frames=sample["clip_len"],
        stride=sample["frame_interval"] if sample["clip_len"] > 1 else None,
        crop=steps["RandomCrop"]["size"],
        stages=arithmetic.stages(widths, backbone["gamma_d"], backbone["gamma_b"], ratio or 0.0),
        classes=head["num_classes"],
        head_width=HEAD_WIDTH,
        stem_kernel=STEM_KERNEL,
        squeeze_excitation=ratio is not None,
    )


def misfits(geometry: Geometry, keys: Mapping[str, Any]) -> list[str]:
    """Why MMAction2 does not make this network of `keys`; empty where it does."""
    backbone = keys["model"]["backbone"]
    source = {
        "blocks": f"gamma_d {backbone['gamma_d']:g}",
        "widths": f"gamma_w {backbone['gamma_w']:g} over {BASE_WIDTH}",
        "inner_widths": f"gamma_b {backbone['gamma_b']:g}",
        "squeeze_widths": f"se_ratio {backbone['se_ratio'] or 0:g}",
    }
    return arithmetic.misfits(geometry, build(keys), NAME, source)


def _notes(config: InstanceConfig) -> Iterator[str]:
    """What a reader of the file has to know and what MMAction2 cannot be told, one sentence each."""
    recipe, share = config.recipe, training.share(config.recipe)
    yield (
        f"Set ann_file and data_prefix. Batch {recipe.batch} at a rate of {recipe.peak_rate:g} is that of {share.gpus}"
        f" GPUs of {share.group} clips, with the gradients of {share.machines} accumulated (accumulative_counts):"
    )
    yield f"GPUs x accumulative_counts is to stay {share.gpus * share.machines}."
    yield f"What {NAME} cannot be told:"
    yield f"- a warm-up from 0: it begins at {WARMUP_START:g} of the rate."
    yield f"- our initialisation of the head's first linear layer; {NAME} draws it with a deviation of 0.01."
    if recipe.drop_connect:
        yield f"- drop-connect {recipe.drop_connect:g}: its X3D has none."
    yield from training.unsaid(recipe)


def _python(value: Any, indent: int = 0) -> str:
    """`value` as a person writes a config: dict(...), one entry a line where a line would be too long."""
    if isinstance(value, dict):
        opening, closing, parts = "dict(", ")", [f"{key}={_python(part, indent + 4)}" for key, part in value.items()]
    elif isinstance(value, list):
        opening, closing, parts = "[", "]", [_python(part, indent + 4) for part in value]
    else:
        return repr(value)
    line = opening + ", ".join(parts) + closing
    if "\n" not in line and len(line) + indent <= LINE:
        return line
    return opening + "".join(f"\n{' ' * (indent + 4)}{part}," for part in parts) + "\n" + " " * indent + closing
