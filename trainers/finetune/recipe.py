"""All that governs a fine-tuning but its geometry and its data (Sec. A.1, A.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from expander.recipe import Recipe


@dataclass(frozen=True)
class FinetuneRecipe:
    """A training by iterations with a rate that falls in steps.

    iterations: steps of SGD. batch: samples that one of them sees. base_rate: learning rate after the warm-up, for this
    batch: it is not scaled. decay_at: iterations after which the rate is multiplied by `decay`. warmup: iterations
    in which it climbs linearly from zero. The others are those of `Recipe`, and mean the same.
    """

    iterations: int
    batch: int
    base_rate: float
    decay_at: tuple[int, ...] = ()
    decay: float = 0.1
    warmup: int = 0
    momentum: float = 0.9
    weight_decay: float = 5e-5
    dropout: float = 0.5
    drop_connect: float = 0.0
    batchnorm_group: int = 8
    scale_jitter: tuple[float, float] = (128 / 112, 160 / 112)
    flip: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return asdict(self) | {"decay_at": list(self.decay_at), "scale_jitter": list(self.scale_jitter)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> FinetuneRecipe:
        """The recipe that `as_dict` wrote."""
        tuples = {key: tuple(values[key]) for key in ("decay_at", "scale_jitter") if key in values}
        return FinetuneRecipe(**{**values, **tuples})

    @property
    def of_network(self) -> Recipe:
        """What the network, the optimiser and the clips take of it, for `build`, `sgd` and `TrainingClips`."""
        return Recipe(
            batch=self.batch,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            drop_connect=self.drop_connect,
            batchnorm_group=self.batchnorm_group,
            scale_jitter=self.scale_jitter,
            flip=self.flip,
        )


def rate_at(iteration: int, recipe: FinetuneRecipe) -> float:
    """Learning rate of iteration `iteration`, counted from 0.

    In the warm-up it is that of the middle of the iteration: at its start the first would learn nothing.
    """
    rate = recipe.base_rate * recipe.decay ** sum(iteration >= end for end in recipe.decay_at)
    return rate * min(1.0, (iteration + 0.5) / recipe.warmup) if recipe.warmup else rate
