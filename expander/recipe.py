"""All that governs a training but its geometry and its data (Sec. 4, A.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Precision = Literal["bfloat16", "float16", "float32"]
# What a clip shows beyond the end of a video that is shorter than it: the video anew, or its last frame.
ShortVideos = Literal["loop", "hold"]

LATER = {"precision": "bfloat16", "precise_batchnorm": 0, "short_videos": "loop"}


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
    validation; 0 keeps the running ones. short_videos: what a clip shows beyond the end of a video that is shorter than
    it, in validation too.
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
    short_videos: ShortVideos = "loop"

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
    """A change of recipe that begins at a step (regularisation expansion, Sec. A.3).

    when_gap: of an automatic change, which waits for the gap between training and validation to be over it; its
    from_step is None until then.
    """

    from_step: int | None
    changes: Mapping[str, Any]
    when_gap: float | None = None

    @property
    def what(self) -> str:
        """What it changes: 'batch 1024, epochs 256'."""
        return ", ".join(f"{key} {value:g}" for key, value in self.changes.items()) or "nothing"


def begun(expansion: Sequence[Regularisation], gaps: Sequence[float | None]) -> tuple[Regularisation, ...]:
    """The changes of `expansion`, the automatic ones with the step at which they begin, as far as `gaps` tell.

    gaps: of what the expansions 1, 2, ... kept, training top-1 less validation top-1; None where it is unknown.
    Automatic changes begin in their order, one a step: the next waits for the gap of a network that has the last one.
    """
    waiting = [place for place, change in enumerate(expansion) if change.when_gap is not None]
    found = list(expansion)
    for step, gap in enumerate(gaps, start=1):
        if waiting and gap is not None and gap > (found[waiting[0]].when_gap or 0):
            place = waiting.pop(0)
            found[place] = replace(found[place], from_step=step + 1)
    return tuple(found)


def recipe_at(step: int, recipe: Recipe, expansion: Sequence[Regularisation]) -> Recipe:
    """The recipe of step `step`: every change that has begun, in the order in which they begin."""
    known = [(change.from_step, change) for change in expansion if change.from_step is not None]
    for from_step, change in sorted(known, key=lambda each: each[0]):
        if from_step <= step:
            recipe = replace(recipe, **change.changes)
    return recipe


def told(expansion: Sequence[Regularisation], gaps: Sequence[float | None]) -> tuple[str, ...]:
    """What became of each automatic change, for people; arguments as those of `begun`."""
    lines: list[str] = []
    waiting = False
    for change in begun(expansion, gaps):
        if change.when_gap is None:
            continue
        over = f"over {points(change.when_gap)}"
        if (begins := change.from_step) is not None:
            seen = points(gaps[begins - 2])
            lines.append(f"{change.what}: from step {begins}, as the gap of step {begins - 1} is {seen}, {over}")
        elif waiting:
            lines.append(f"{change.what}: waits for the change before it")
        else:
            seen = f"; that of step {len(gaps)} is {points(gaps[-1])}" if gaps else ""
            lines.append(f"{change.what}: waits for a gap {over}{seen}")
        waiting = waiting or begins is None
    return tuple(lines)


def points(gap: float | None) -> str:
    """A gap in percentage points; unknown where an earlier version recorded no training top-1."""
    return "unknown, as no training top-1 was recorded" if gap is None else f"{100 * gap:.1f} points"
