"""A PySlowFast YAML as a config of ours: its network, clip and views. Its recipe is not taken over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expander.complexity import measure
from expander.errors import UsageError
from results.peers import pyslowfast

# What a file leaves out (slowfast/config/defaults.py): only what the network, its clip and its views are made of.
# But for INPUT_CHANNEL_NUM: theirs is [3, 3], for two pathways, which X3D refuses and PTVX3D takes for 3.
DEFAULTS: dict[str, dict[str, Any]] = {
    "X3D": {
        "WIDTH_FACTOR": 1.0,
        "DEPTH_FACTOR": 1.0,
        "BOTTLENECK_FACTOR": 1.0,
        "DIM_C1": 12,
        "DIM_C5": 2048,
        "SCALE_RES2": False,
        "BN_LIN5": False,
        "CHANNELWISE_3x3x3": True,
    },
    "DATA": {"NUM_FRAMES": 8, "SAMPLING_RATE": 8, "TRAIN_CROP_SIZE": 224, "INPUT_CHANNEL_NUM": [3]},
    "MODEL": {"ARCH": "slowfast", "MODEL_NAME": "SlowFast", "NUM_CLASSES": 400},
    "RESNET": {
        "TRANS_FUNC": "bottleneck_transform",
        "STRIDE_1X1": False,
        "NUM_GROUPS": 1,
        "SPATIAL_DILATIONS": [[1], [1], [1], [1]],
    },
    "NONLOCAL": {"LOCATION": [[[]], [[]], [[]], [[]]]},
    "TEST": {"NUM_ENSEMBLE_VIEWS": 10, "NUM_SPATIAL_CROPS": 3},
}
# Of those, what is built here with one value only: MODEL.ARCH chooses the kernels' extents in time.
FIXED: dict[str, dict[str, Any]] = {
    "X3D": {"SCALE_RES2": False, "BN_LIN5": False},
    "DATA": {"INPUT_CHANNEL_NUM": [3]},
    "MODEL": {"ARCH": "x3d"},
    "RESNET": {key: DEFAULTS["RESNET"][key] for key in ("STRIDE_1X1", "NUM_GROUPS", "SPATIAL_DILATIONS")},
    "NONLOCAL": DEFAULTS["NONLOCAL"],
}
# What a file is expected to say of its network's size.
SIZES = {
    "X3D": ("WIDTH_FACTOR", "DEPTH_FACTOR", "BOTTLENECK_FACTOR"),
    "DATA": ("NUM_FRAMES", "SAMPLING_RATE", "TRAIN_CROP_SIZE"),
    "MODEL": ("NUM_CLASSES",),
}
BUILDERS = (pyslowfast.OWN, pyslowfast.PYTORCHVIDEOS)
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
CROPS = {1: "center", 3: "left-center-right"}


def is_pyslowfasts(values: object) -> bool:
    """Whether `values`, as YAML gives them, are a config of PySlowFast."""
    return isinstance(values, Mapping) and isinstance(values.get("MODEL"), Mapping) and "geometry" not in values


def read_pyslowfast(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The values of a config of ours, for `results.config.read_config`.

    Raises UsageError for what is none of our X3Ds.
    """
    keys = {section: {**known, **_section(values, section, source)} for section, known in DEFAULTS.items()}
    if reasons := [*_unknown(values), *(_wrong_types(keys) or _not_ours(keys))]:
        raise UsageError(f"{source} is a config of PySlowFast that cannot be read: {'; '.join(reasons)}")
    geometry = pyslowfast.build(keys)
    test = keys["TEST"]
    return {
        "name": _name(source),
        "geometry": geometry.as_dict(),
        "complexity": measure(geometry).as_dict(),
        "views": {"clips": test["NUM_ENSEMBLE_VIEWS"], "crops": CROPS[test["NUM_SPATIAL_CROPS"]]},
        "provenance": {"pyslowfast": Path(source).name},
    }


def left_out(values: Mapping[str, Any]) -> list[str]:
    """What makes the network and is not in the file, with PySlowFast's default: 'DATA.NUM_FRAMES 8'."""
    return [
        f"{section}.{key} {DEFAULTS[section][key]}"
        for section, keys in SIZES.items()
        for key in keys
        if key not in values.get(section, {})
    ]


def _name(source: str) -> str:
    """The file's name up to its first dot, with only what the name of a config may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).name.partition(".")[0]).lstrip("-_") or pyslowfast.NAME


def _unknown(values: Mapping[str, Any]) -> list[str]:
    """Keys of the network that PySlowFast does not have: what is meant by them would be left out."""
    known = DEFAULTS["X3D"]
    return [f"X3D.{key} is unknown; known are {', '.join(known)}" for key in values.get("X3D", {}) if key not in known]


def _section(values: Mapping[str, Any], section: str, source: str) -> Mapping[str, Any]:
    found = values.get(section, {})
    if not isinstance(found, Mapping):
        raise UsageError(f"{source}: {section}: found {found!r}; expected a section of PySlowFast's config")
    return {key: value for key, value in found.items() if key in DEFAULTS[section]}


def _wrong_types(keys: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Values that PySlowFast itself would refuse, or that make no network."""
    found = []
    for section, known in DEFAULTS.items():
        for key, default in known.items():
            value = keys[section][key]
            fits = type(value) in ((int, float) if isinstance(default, float) else (type(default),))
            number = isinstance(default, int | float) and not isinstance(default, bool)
            if not fits or (number and not 0 < value < 100_000):
                wanted = f"{WORDS[type(default)]}{' over 0 and under 100,000' if number else ''}"
                found.append(f"{section}.{key} is {value!r}, expected {wanted}")
    return found


def _not_ours(keys: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why the network is none that this project builds."""
    model, function = keys["MODEL"]["MODEL_NAME"], keys["RESNET"]["TRANS_FUNC"]
    if model not in BUILDERS:
        return [f"MODEL.MODEL_NAME is {model}, only {' and '.join(BUILDERS)} are known here"]
    found = [
        f"{section}.{key} is {keys[section][key]!r}, only {fixed!r} is built here"
        for section, values in FIXED.items()
        for key, fixed in values.items()
        if keys[section][key] != fixed
    ]
    channelwise = keys["X3D"]["CHANNELWISE_3x3x3"]
    built = ((pyslowfast.MOBILE, True), (pyslowfast.PLAIN, False))
    if model == pyslowfast.OWN and (function, channelwise) not in built:
        found.append(f"X3D.CHANNELWISE_3x3x3 {channelwise} with {function} is not built here")
    if model == pyslowfast.PYTORCHVIDEOS and function != pyslowfast.MOBILE:
        found.append(f"RESNET.TRANS_FUNC is {function}, {model} builds only {pyslowfast.MOBILE}")
    crops = keys["TEST"]["NUM_SPATIAL_CROPS"]
    if crops not in CROPS:
        found.append(f"TEST.NUM_SPATIAL_CROPS is {crops}, the paper's views have 1 or 3")
    return found
