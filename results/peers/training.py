"""A recipe in the units of the peers, who train on several GPUs and count by GPU or by machine."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from expander.axis import EPSILON, round_half_up
from expander.recipe import Recipe
from expander.trial import Views, shorter_side
from results.config import InstanceConfig

GPUS_OF_A_MACHINE = 8
WIDTH = 108  # of a comment, in characters


@dataclass(frozen=True)
class Share:
    """How a batch is spread so that the clips of one GPU at a time are those that share BN statistics.

    group: clips of a GPU. gpus: of one machine. machines: or as often as the gradients of one are accumulated.
    """

    group: int
    gpus: int
    machines: int


def share(recipe: Recipe) -> Share:
    """The batch as machines x GPUs x BN group; where the group does not divide it, with the group nearest in ratio."""
    wanted = min(recipe.batchnorm_group, recipe.batch)
    group = min(_divisors(recipe.batch), key=lambda size: abs(math.log(size / wanted)))
    groups = recipe.batch // group
    gpus = max(size for size in _divisors(groups) if size <= GPUS_OF_A_MACHINE)
    return Share(group, gpus, groups // gpus)


def _divisors(number: int) -> list[int]:
    """All of them."""
    small = [size for size in range(1, math.isqrt(number) + 1) if number % size == 0]
    return sorted({*small, *(number // size for size in small)})


def jitter(config: InstanceConfig) -> tuple[int, int]:
    """Pixels of the shorter side of a training frame. The least is cut, as the side of a test frame is."""
    low, high = config.recipe.scale_jitter
    crop = config.geometry.crop
    least = math.floor(low * crop + EPSILON)
    return least, max(least, round_half_up(high * crop))


def test_crop(crop: int, views: Views) -> int:
    """Pixels of one view of a test frame."""
    return crop if views.crops == "center" else shorter_side(crop)


def heading(config: InstanceConfig, peer: str) -> list[str]:
    """What a file says first: the network, where it comes from, and its figures, counted as the paper does."""
    cost, geometry = config.complexity, config.geometry
    return [
        f"{config.name} for {peer}, written by x3d-expander; {_origin(config)}",
        f"Clip {geometry.clip}, {geometry.crop} x {geometry.crop} pixels: {cost.flops:,} multiply-adds of its"
        f" convolutions and linear layers; {cost.params_without_batchnorm:,} parameters without BN's, as the paper"
        f" counts them, {cost.params:,} with.",
    ]


def _origin(config: InstanceConfig) -> str:
    """Where the instance comes from, in a few words."""
    found = config.provenance
    parts = [f"the published network ({found['published']})"] if "published" in found else []
    parts += [f"{key} {found[key]}" for key in ("search", "step", "trial") if found.get(key) is not None]
    return ", ".join(parts) or "from a config of its own"


def unsaid(recipe: Recipe) -> Iterator[str]:
    """What no peer can be told of a recipe, one sentence each."""
    used, wanted = share(recipe).group, min(recipe.batchnorm_group, recipe.batch)
    if used != wanted:
        yield f"- BN statistics within {wanted} clips: {recipe.batch} is no multiple; they are within {used}."


def comment(lines: list[str]) -> str:
    """Lines as comments of YAML and of Python, wrapped."""
    wrapped = (textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for line in lines)
    return "".join(f"# {part}\n" for parts in wrapped for part in parts)
