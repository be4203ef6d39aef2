"""The learning rate over a training (Sec. 4): linear warm-up, then a half-period cosine."""

from __future__ import annotations

import math

from expander.recipe import Recipe


def rate_at(progress: float, recipe: Recipe) -> float:
    """Learning rate at `progress`, the share of the training's clips that have been seen, in [0, 1].

    From 0 it climbs linearly to the recipe's peak rate over the share `warmup`, then falls along a half-period cosine
    over the rest, to 0 at the end.
    """
    if progress < recipe.warmup:
        return recipe.peak_rate * progress / recipe.warmup
    if recipe.warmup == 1:
        return recipe.peak_rate
    elapsed = (progress - recipe.warmup) / (1 - recipe.warmup)
    return recipe.peak_rate * 0.5 * (1 + math.cos(math.pi * elapsed))
