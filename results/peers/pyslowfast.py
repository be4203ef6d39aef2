"""A YAML for PySlowFast (main: slowfast/config/defaults.py, models/video_model_builder.py, ptv_model_builder.py).

It has two builders of X3D. Its own, `X3D`, rounds widths to whole channels and no longer to multiples of 8, as it did
for the paper: of WIDTH_FACTOR 2.9 it makes 35, 70, 139 and 278 channels, where X3D-XL has 32, 72, 136 and 280. `PTVX3D`
is PyTorchVideo's `create_x3d`, which still does. A network is written for the first that builds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from expander.geometry import MOBILE_PARTS, SQUEEZE_RATIO, Geometry
from expander.trial import shorter_side
from results.config import InstanceConfig
from results.peers import arithmetic, pytorchvideo, training

NAME = "PySlowFast"
STAGES = (4,)
STEM_KERNEL = 5
OWN, PYTORCHVIDEOS = "X3D", "PTVX3D"
# The block of SlowFast: 3x1x1, 1x3x3 and 1x1x1, dense where X3D.CHANNELWISE_3x3x3 is off; ReLU, no squeeze-excitation.
# With TRANS_FUNC x3d_transform that switch makes a dense 3x3x3, which is none of ours.
PLAIN = "bottleneck_transform"
MOBILE = "x3d_transform"


def express(config: InstanceConfig) -> str:
    """The file's text. Raises UsageError where no keys build the network."""
    found = _found(config)
    body = yaml.dump(found, Dumper=_Dumper, sort_keys=False, default_flow_style=False)
    return training.comment([*training.heading(config, NAME), *_notes(config, found["MODEL"]["MODEL_NAME"])]) + body


def builder_of(config: InstanceConfig) -> str:
    """Which of the builders the network is written for, OWN or PYTORCHVIDEOS. Raises UsageError as `express` does."""
    name: str = _found(config)["MODEL"]["MODEL_NAME"]
    return name


def _found(config: InstanceConfig) -> dict[str, Any]:
    """The keys for the first builder that makes the network."""
    geometry = arithmetic.x3d(config, NAME, STAGES)
    tried = [keys(config, builder) for builder in (OWN, PYTORCHVIDEOS)]
    reasons = [misfits(geometry, found) for found in tried]
    if all(reasons):
        arithmetic.refuse(config, NAME, min(reasons, key=len))
    return tried[reasons.index([])]


class _Dumper(yaml.SafeDumper):
    """Sections as blocks, lists on one line."""


_Dumper.add_representer(list, lambda dumper, values: dumper.represent_sequence("tag:yaml.org,2002:seq", values, True))


def keys(config: InstanceConfig, builder: str) -> dict[str, Any]:
    """The keys for one of the builders that come nearest; `build` tells whether they make the geometry.

    Values have the types of defaults.py, which its config system insists on.
    """
    geometry, recipe, views = arithmetic.x3d(config, NAME, STAGES), config.recipe, config.views
    share, crop = training.share(recipe), geometry.crop
    clips = share.group * share.gpus
    return {
        "TRAIN": {"DATASET": "kinetics", "BATCH_SIZE": clips},
        "X3D": _network(geometry, config.factors, builder),
        "TEST": {
            "DATASET": "kinetics",
            "BATCH_SIZE": clips,
            "NUM_ENSEMBLE_VIEWS": views.clips,
            "NUM_SPATIAL_CROPS": views.per_video // views.clips,
        },
        "DATA": {
            "NUM_FRAMES": geometry.frames,
            "SAMPLING_RATE": geometry.stride or 1,
            "TRAIN_JITTER_SCALES": list(training.jitter(config)),
            "TRAIN_CROP_SIZE": crop,
            "TEST_CROP_SIZE": training.test_crop(crop, views),
            "INPUT_CHANNEL_NUM": [3],
            "RANDOM_FLIP": recipe.flip,
        },
        "RESNET": {
            "ZERO_INIT_FINAL_BN": True,
            "TRANS_FUNC": PLAIN if _plain(geometry) else MOBILE,
            "STRIDE_1X1": False,
        },
        "BN": {"USE_PRECISE_STATS": False, "NORM_TYPE": "batchnorm", "WEIGHT_DECAY": 0.0},
        "SOLVER": {
            "BASE_LR": round(recipe.peak_rate / share.machines, 12),
            "BASE_LR_SCALE_NUM_SHARDS": True,
            "LR_POLICY": "cosine",
            "COSINE_AFTER_WARMUP": True,
            "COSINE_END_LR": 0.0,
            "MAX_EPOCH": recipe.epochs,
            "WARMUP_EPOCHS": round(float(recipe.warmup * recipe.epochs), 6),
            "WARMUP_START_LR": 0.0,
            "OPTIMIZING_METHOD": "sgd",
            "MOMENTUM": float(recipe.momentum),
            "NESTEROV": False,
            "WEIGHT_DECAY": float(recipe.weight_decay),
        },
        "MODEL": {
            "ARCH": "x3d",
            "MODEL_NAME": builder,
            "NUM_CLASSES": geometry.classes,
            "LOSS_FUNC": "cross_entropy",
            "DROPOUT_RATE": float(recipe.dropout),
            "DROPCONNECT_RATE": float(recipe.drop_connect if builder == OWN else 0),
        },
        "NUM_GPUS": share.gpus,
        "RNG_SEED": config.seed,
    }


def _network(geometry: Geometry, factors: Mapping[str, float | int | None], builder: str) -> dict[str, Any]:
    base, width = arithmetic.base_and_factor(geometry.widths, factors.get("gamma_w"), _divisor(builder))
    return {
        "WIDTH_FACTOR": width,
        "DEPTH_FACTOR": arithmetic.depth_factor(geometry, factors.get("gamma_d")),
        "BOTTLENECK_FACTOR": arithmetic.bottleneck_factor(geometry, factors.get("gamma_b")),
        "DIM_C5": geometry.head_width,
        "DIM_C1": base,
        "CHANNELWISE_3x3x3": not _plain(geometry),
    }


def _plain(geometry: Geometry) -> bool:
    """Whether every mobile part is out, which is the only way to have one out."""
    return not any(getattr(geometry, part) for part in MOBILE_PARTS)


def _divisor(builder: str) -> int:
    """What the builder rounds widths to multiples of."""
    return 1 if builder == OWN else 8


def build(keys: Mapping[str, Any]) -> Geometry:
    """The network and clip that PySlowFast makes of a config.

    `PTVX3D` heeds neither X3D.CHANNELWISE_3x3x3 nor RESNET.TRANS_FUNC, but to stop where that is no x3d_transform.
    """
    network, data, model = keys["X3D"], keys["DATA"], keys["MODEL"]
    builder = model["MODEL_NAME"]
    widths = arithmetic.scaled(network["DIM_C1"], _divisor(builder), network["WIDTH_FACTOR"])
    mobile = builder == PYTORCHVIDEOS or keys["RESNET"]["TRANS_FUNC"] == MOBILE
    return Geometry(
        frames=data["NUM_FRAMES"],
        stride=data["SAMPLING_RATE"] if data["NUM_FRAMES"] > 1 else None,
        crop=data["TRAIN_CROP_SIZE"],
        stages=arithmetic.stages(widths, network["DEPTH_FACTOR"], network["BOTTLENECK_FACTOR"], SQUEEZE_RATIO),
        classes=model["NUM_CLASSES"],
        head_width=network["DIM_C5"],
        stem_kernel=STEM_KERNEL,
        **dict.fromkeys(MOBILE_PARTS, mobile),
    )


def misfits(geometry: Geometry, keys: Mapping[str, Any]) -> list[str]:
    """Why PySlowFast does not make this network of `keys`; empty where it does."""
    network, owns = keys["X3D"], keys["MODEL"]["MODEL_NAME"] == OWN
    only = f"and {NAME} has that only without all of {', '.join(MOBILE_PARTS).replace('_', '-')}"
    source = {
        "blocks": f"DEPTH_FACTOR {network['DEPTH_FACTOR']:g}",
        "widths": f"WIDTH_FACTOR {network['WIDTH_FACTOR']:g} over DIM_C1 {network['DIM_C1']}",
        "inner_widths": f"BOTTLENECK_FACTOR {network['BOTTLENECK_FACTOR']:g}",
        "squeeze_widths": "a ratio of 1/16",
        **dict.fromkeys(MOBILE_PARTS, only),
    }
    found = arithmetic.misfits(geometry, build(keys), NAME, source)
    if not owns and geometry.crop < pytorchvideo.LEAST_CROP:
        found.append(f"its crop is {geometry.crop} pixels, {PYTORCHVIDEOS} asks for {pytorchvideo.LEAST_CROP} at least")
    return found


def _notes(config: InstanceConfig, builder: str) -> Iterator[str]:
    """What a reader of the file has to know and what PySlowFast cannot be told, one sentence each."""
    recipe, share, crop = config.recipe, training.share(config.recipe), config.geometry.crop
    yield (
        f"Set DATA.PATH_TO_DATA_DIR. Batch {recipe.batch} at a rate of {recipe.peak_rate:g} is that of {share.machines}"
        f" x {share.gpus} GPUs with {share.group} clips each, which share BN statistics."
    )
    if share.machines > 1:
        yield f"Start each machine with --num_shards {share.machines}; with fewer, batch and rate go down together."
    if builder == PYTORCHVIDEOS:
        yield f"{PYTORCHVIDEOS} needs pytorchvideo; {NAME}'s own {OWN} rounds these widths otherwise."
        yield "Its weights are those of PyTorchVideo's create_x3d, each name with 'model.' before it."
    yield f"What {NAME} cannot be told:"
    yield "- a stride in frames of the video: it counts frames at DATA.TARGET_FPS, 30 a second."
    if recipe.drop_connect and builder == OWN:
        rate = f"{recipe.drop_connect:g}"
        yield f"- drop-connect that grows block by block from 0 to {rate}: it grows stage by stage from 2/5 of that."
    elif recipe.drop_connect:
        yield f"- drop-connect {recipe.drop_connect:g}: {PYTORCHVIDEOS} has none."
    if config.views.crops == "left-center-right":
        yield "- the mean over a whole crop: its head averages softmax over windows of the training crop's size."
    elif training.jitter(config)[0] != shorter_side(crop):
        yield f"- centre crops of a shorter side of {shorter_side(crop)}: it takes the first of TRAIN_JITTER_SCALES."
    yield from training.unsaid(recipe)
