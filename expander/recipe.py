"""All that governs a training but its geometry and its data (Sec. 4, A.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Precision = Literal["bfloat16", "float16", "float32"]

LATER = {"precision": "bfloat16", "precise_batchnorm": 0}


@dataclass(frozen=True)
class Recipe:
    """The paper's recipe by default.

    epochs: passes over the training videos, one random clip of each. batch: clips that one step of SGD sees.
    base_rate: learning rate at `reference_batch` clips, scaled linearly with the batch. warmup: share of the schedule
    that climbs linearly from zero, before a half-period cosine. weight_decay: not applied to BN. dropout: before the
    last linear layer. drop_connect: share of residual branches dropped in the last block, growing linearly from 0.
    batchnorm_group: clips that share BN statistics; a batch of several groups
    sums their gradients, whether they are computed together or one after the other. scale_jitter: range of the shorter
    side over the crop. flip: mirror half of the clips. precision: what a GPU multiplies in; a CPU always takes float32.
    precise_batchnorm: clips whose statistics under the final weights take the place of the running ones before
    validation; 0 keeps the running ones.
    """

    epochs: int = 256
    batch: int = 1024
    base_rate: float = 1.6
    reference_batch: int = 1024
    warmup: float = 8 / 60
    momentum: float = 0.9
    weight_decay: float = 5e-5
    dropout: float = 0.5
    drop_connect: float = 0.0
    batchnorm_group: int = 8
    scale_jitter: tuple[float, float] = (128 / 112, 160 / 112)
    flip: bool = True
    precision: Precision = "bfloat16"
    precise_batchnorm: int = 0

    @property
    def peak_rate(self) -> float:
        """Learning rate at the end of the warm-up."""
        return self.base_rate * self.batch / self.reference_batch

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML.

        A key that the first stores did not have is left out at its default, so that what they trained keeps its id.
        """
        values = asdict(self) | {"scale_jitter": list(self.scale_jitter)}
        return {key: value for key, value in values.items() if key not in LATER or value != LATER[key]}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Recipe:
        """The recipe that `as_dict` wrote."""
        return Recipe(**{**values, "scale_jitter": tuple(values["scale_jitter"])})


@dataclass(frozen=True)
class Regularisation:
    """A change of recipe that begins at a step (regularisation expansion, Sec. A.3)."""

    from_step: int
    changes: Mapping[str, Any]


def recipe_at(step: int, recipe: Recipe, expansion: Sequence[Regularisation]) -> Recipe:
    """The recipe of step `step`: every change that has begun, in the order in which they begin."""
    for change in sorted(expansion, key=lambda change: change.from_step):
        if change.from_step <= step:
            recipe = replace(recipe, **change.changes)
    return recipe
