"""A PySlowFast YAML as a config of ours: its network, clip and views. Its recipe is not taken over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expander.complexity import measure
from expander.errors import UsageError
from results.peers import pyslowfast

# What a file leaves out (slowfast/config/defaults.py): only what the network, its clip and its views are made of.
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
    "DATA": {"NUM_FRAMES": 8, "SAMPLING_RATE": 8, "TRAIN_CROP_SIZE": 224},
    "MODEL": {"ARCH": "slowfast", "MODEL_NAME": "SlowFast", "NUM_CLASSES": 400},
    "RESNET": {"TRANS_FUNC": "bottleneck_transform"},
    "TEST": {"NUM_ENSEMBLE_VIEWS": 10, "NUM_SPATIAL_CROPS": 3},
}
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
CROPS = {1: "center", 3: "left-center-right"}


def is_pyslowfasts(values: object) -> bool:
    """Whether `values`, as YAML gives them, are a config of PySlowFast."""
    return isinstance(values, Mapping) and isinstance(values.get("MODEL"), Mapping) and "geometry" not in values


def read_pyslowfast(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The values of a config of ours, for `results.config.read_config`.

    Raises UsageError for what is none of our X3Ds.
    """
    keys = {section: {**known, **_section(values, section, source)} for section, known in DEFAULTS.items()}
    if reasons := [*_wrong_types(keys), *_not_ours(keys)]:
        raise UsageError(f"{source} is a config of PySlowFast that cannot be read: {'; '.join(reasons)}")
    geometry = pyslowfast.build(keys)
    test = keys["TEST"]
    return {
        "name": Path(source).name.partition(".")[0],
        "geometry": geometry.as_dict(),
        "complexity": measure(geometry).as_dict(),
        "views": {"clips": test["NUM_ENSEMBLE_VIEWS"], "crops": CROPS[test["NUM_SPATIAL_CROPS"]]},
        "provenance": {"pyslowfast": Path(source).name},
    }


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
            fits = isinstance(value, int | float) if isinstance(default, float) else type(value) is type(default)
            number = isinstance(default, int | float) and not isinstance(default, bool)
            if not fits or (number and not 0 < value < 100_000):
                wanted = f"{WORDS[type(default)]}{' over 0 and under 100,000' if number else ''}"
                found.append(f"{section}.{key} is {value!r}, expected {wanted}")
    return found


def _not_ours(keys: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why the network is none that this project builds."""
    network, model = keys["X3D"], keys["MODEL"]["MODEL_NAME"]
    if model not in (pyslowfast.OWN, pyslowfast.PYTORCHVIDEOS):
        return [f"MODEL.MODEL_NAME is {model}, only {pyslowfast.OWN} and {pyslowfast.PYTORCHVIDEOS} are known here"]
    mobile = keys["RESNET"]["TRANS_FUNC"] == pyslowfast.MOBILE
    found = [f"X3D.{key} is not built here" for key in ("SCALE_RES2", "BN_LIN5") if network[key]]
    if mobile != network["CHANNELWISE_3x3x3"] and model == pyslowfast.OWN:
        function = keys["RESNET"]["TRANS_FUNC"]
        found.append(f"X3D.CHANNELWISE_3x3x3 {network['CHANNELWISE_3x3x3']} with {function} is not built here")
    crops = keys["TEST"]["NUM_SPATIAL_CROPS"]
    if crops not in CROPS:
        found.append(f"TEST.NUM_SPATIAL_CROPS is {crops}, the paper's views have 1 or 3")
    return found
