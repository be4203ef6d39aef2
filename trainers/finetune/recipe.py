"""All that governs a fine-tuning but its geometry and its data (Sec. A.1, A.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from expander.errors import UsageError
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


def read_recipe(default: Callable[[tuple[int, ...]], FinetuneRecipe], values: Mapping[str, Any]) -> FinetuneRecipe:
    """The default recipe, of the iterations in `values` where they are set, with the other values in it.

    default: of () or of (iterations,). Raises UsageError for an unknown key or a value that cannot be.
    """
    plain = default(()).as_dict()
    for key, value in values.items():
        if key not in plain:
            raise UsageError(f"recipe.{key}: unknown key; allowed: {', '.join(plain)}")
        if mistake := _mistake(key, value, plain[key]):
            raise UsageError(f"recipe.{key}: found {value!r}; expected {mistake}")
    iterations = (values["iterations"],) if "iterations" in values else ()
    return FinetuneRecipe.from_dict(default(iterations).as_dict() | dict(values))


def _mistake(key: str, value: Any, default: Any) -> str | None:
    """What was expected in place of a wrong value; None for a right one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    match default:
        case bool():
            return None if isinstance(value, bool) else "true or false"
        case list() if key == "scale_jitter":
            right = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
            return None if right and 1 <= value[0] <= value[1] else "two numbers of at least 1"
        case list():
            right = isinstance(value, list) and all(type(each) is int and each > 0 for each in value)
            return None if right else "a list of iterations"
        case int():
            least = {"warmup": 0, "batchnorm_group": 2}.get(key, 1)
            return None if type(value) is int and value >= least else f"a whole number of at least {least}"
        case _ if key in ("momentum", "dropout", "drop_connect"):
            return None if is_number and 0 <= value < 1 else "a number of at least 0 and less than 1"
        case _:
            least_text = "at least 0" if key == "weight_decay" else "more than 0"
            right = is_number and (value >= 0 if key == "weight_decay" else value > 0)
            return None if right else f"a number of {least_text}"
