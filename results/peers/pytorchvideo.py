"""Keyword arguments for PyTorchVideo's `create_x3d` (pytorchvideo/models/x3d.py of 0.1.5).

It builds a network and says nothing of a clip's stride or of training. Its shortcut of an unchanged width has no BN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from expander.geometry import Geometry
from results.config import InstanceConfig
from results.peers import arithmetic

NAME = "PyTorchVideo"
STAGES = (4,)
# Five convolutions halve the crop, and create_x3d stops with an assertion where less than a pixel would be left.
LEAST_CROP = 32
FUNCTION = "for which create_x3d takes a function, and JSON has none"


def express(config: InstanceConfig) -> str:
    """The arguments as JSON. Raises UsageError where none build the network."""
    found = keys(config)
    if reasons := misfits(arithmetic.x3d(config, NAME, STAGES), found):
        arithmetic.refuse(config, NAME, reasons)
    return json.dumps(found, indent=2) + "\n"


def keys(config: InstanceConfig) -> dict[str, Any]:
    """The arguments that come nearest; `build` tells whether they make the geometry."""
    geometry, factors = arithmetic.x3d(config, NAME, STAGES), config.factors
    base, width = arithmetic.base_and_factor(geometry.widths, factors.get("gamma_w"), divisor=8)
    return {
        "input_clip_length": geometry.frames,
        "input_crop_size": geometry.crop,
        "model_num_class": geometry.classes,
        "dropout_rate": float(config.recipe.dropout),
        "width_factor": width,
        "depth_factor": arithmetic.depth_factor(geometry, factors.get("gamma_d")),
        "stem_dim_in": base,
        "stem_conv_kernel_size": [geometry.stem_kernel, 3, 3],
        "bottleneck_factor": arithmetic.bottleneck_factor(geometry, factors.get("gamma_b")),
        "se_ratio": arithmetic.squeeze_ratio(geometry),
        "head_dim_out": geometry.head_width,
        "head_activation": None,
    }


def build(keys: Mapping[str, Any], stride: int | None) -> Geometry:
    """What `create_x3d(**keys)` is, for clips of a stride, of which it knows nothing."""
    widths = arithmetic.scaled(keys["stem_dim_in"], 8, keys["width_factor"])
    return Geometry(
        frames=keys["input_clip_length"],
        stride=stride,
        crop=keys["input_crop_size"],
        stages=arithmetic.stages(widths, keys["depth_factor"], keys["bottleneck_factor"], keys["se_ratio"]),
        classes=keys["model_num_class"],
        head_width=keys["head_dim_out"],
        stem_kernel=keys["stem_conv_kernel_size"][0],
        squeeze_excitation=keys["se_ratio"] > 0,
    )


def misfits(geometry: Geometry, keys: Mapping[str, Any]) -> list[str]:
    """Why `create_x3d(**keys)` is not this network; empty where it is."""
    source = {
        "blocks": f"depth_factor {keys['depth_factor']:g}",
        "widths": f"width_factor {keys['width_factor']:g} over {keys['stem_dim_in']}",
        "inner_widths": f"bottleneck_factor {keys['bottleneck_factor']:g}",
        "squeeze_widths": f"se_ratio {keys['se_ratio']:g}",
        "channelwise": FUNCTION,
        "swish": FUNCTION,
    }
    found = arithmetic.misfits(geometry, build(keys, geometry.stride), NAME, source)
    if geometry.crop < LEAST_CROP:
        found.append(f"its crop is {geometry.crop} pixels, {NAME} asks for {LEAST_CROP} at least")
    return found
