"""How fast a GPU trains and tests a network: as its own trials were, where there are some, else as an estimate.

X3D moves more than it computes: on today's GPUs the time of a step is that of its memory traffic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from expander.complexity import measure
from expander.geometry import Geometry
from expander.placement import occupancy, speed
from expander.trial import Views, shorter_side

# measured: of this very network. scaled: from the trained network that is nearest, by the estimates of both.
Source = Literal["measured", "scaled", "estimated"]
# What a trial waits for.
Bound = Literal["GPU", "reading"]


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU. bandwidth: bytes/s of its memory. multiply_adds: in a second, dense, in bfloat16.

    marks: what the names of its devices have in common, as in 'NVIDIA H100 80GB HBM3'.
    """

    name: str
    bandwidth: float
    multiply_adds: float
    marks: tuple[str, ...]


# From NVIDIA's data sheets, which count a multiply-add as two operations: of the SXM modules.
GPUS: Mapping[str, Gpu] = {
    "h100": Gpu("NVIDIA H100 SXM 80 GB", 3.35e12, 989e12 / 2, ("H100", "HBM3")),
    "h200": Gpu("NVIDIA H200 SXM 141 GB", 4.8e12, 989e12 / 2, ("H200",)),
    "a100": Gpu("NVIDIA A100 SXM 80 GB", 2.039e12, 312e12 / 2, ("A100", "80GB")),
}
# Bytes that must move for each element that convolutions put out, in bfloat16, BN and activations fused into them: 2.4
# passes over it forward, 9.9 forward and backward. Counted layer by layer for X3D-XS, S and M, the factor is the same.
INFERENCE_BYTES, TRAINING_BYTES = 4.8, 19.83
# The part of the bandwidth at which this traffic moves. X3D-M was trained at 7.9 clips/s in float32 on an M40 of
# 288 GB/s (Table 16 of Multiscale Vision Transformers, arXiv 2104.11227), which is 9.6 %. Channel-wise convolutions,
# most of the time, reach 5 to 9 % on a V100 (pytorch/pytorch#40801) and 7 % on an A100 (pytorch/pytorch#110885).
ROOFLINE_SHARE = 0.1
# A backward pass computes two products for each of the forward pass: by the weights and by the inputs.
TRAINING_PASSES = 3
# Seconds of one core to read a clip, and for each of its frames: this project's reading of 340 x 256 pixels, cropped to
# 160, from H.264 at 360 kbit/s that the process has not read before, the key frames 250 apart as encoders leave them;
# and from the JPEG frames that `expander data prepare` makes. On an AMD EPYC (Zen 5), for clips of 1 to 32 frames,
# which these lines fit to a tenth.
READING, READING_PREPARED = (0.0116, 0.00124), (0.0002, 0.00037)


@dataclass(frozen=True)
class Trained:
    """A finished trial, in wall time: seconds of a clip in training and of a view in validation, None if unknown."""

    geometry: Geometry
    gpus: float
    views: Views
    clip_seconds: float
    view_seconds: float | None


@dataclass(frozen=True)
class Rate:
    """Wall seconds of a clip in training, or of a video in validation. bound: None where it is not an estimate."""

    seconds: float
    source: Source
    bound: Bound | None


@dataclass(frozen=True)
class Throughput:
    """What trials with one such GPU take. readers: cores beside it that read videos; with none its training reads.

    prepared: the videos are a copy made for reading. known: trials that finished on such GPUs, of which several, or a
    part of one, are taken to be as fast as placement takes them to be.
    """

    gpu: Gpu
    readers: int
    prepared: bool = False
    known: tuple[Trained, ...] = ()

    def training(self, geometry: Geometry) -> Rate:
        """Of one clip, forward and backward."""
        known = [(trial, trial.clip_seconds, self._training(trial.geometry)) for trial in self.known]
        return self._best(geometry, self._training(geometry), known)

    def validation(self, geometry: Geometry, views: Views) -> Rate:
        """Of one video, scored from `views`."""
        alike = [(t, t.view_seconds) for t in self.known if t.view_seconds is not None and t.views.crops == views.crops]
        known = [(t, seconds * views.per_video, self._validation(t.geometry, views)) for t, seconds in alike]
        return self._best(geometry, self._validation(geometry, views), known)

    def _best(self, geometry: Geometry, estimate: Rate, known: Sequence[tuple[Trained, float, Rate]]) -> Rate:
        """known: finished trials with what the same work took them, and what it is estimated to take."""
        own = [(trial, seconds * _times_as_fast(trial), other.seconds) for trial, seconds, other in known]
        if same := [seconds for trial, seconds, _ in own if _network(trial.geometry) == _network(geometry)]:
            return Rate(median(same), "measured", None)
        if not own:
            return estimate
        _, seconds, other = min(own, key=lambda each: abs(math.log(each[2] / estimate.seconds)))
        return Rate(estimate.seconds * seconds / other, "scaled", None)

    def _training(self, geometry: Geometry) -> Rate:
        cost = measure(geometry)
        moved = TRAINING_BYTES * cost.activations
        return self._estimate(moved, TRAINING_PASSES * cost.flops, self._reading(geometry, 1))

    def _validation(self, geometry: Geometry, views: Views) -> Rate:
        of_view = replace(geometry, crop=shorter_side(geometry.crop)) if views.per_video > views.clips else geometry
        cost, count = measure(of_view), views.per_video
        reading = self._reading(geometry, views.clips)
        return self._estimate(count * INFERENCE_BYTES * cost.activations, count * cost.flops, reading)

    def _estimate(self, moved: float, multiply_adds: float, reading: float) -> Rate:
        roofline = max(moved / self.gpu.bandwidth, multiply_adds / self.gpu.multiply_adds)
        computing = roofline / ROOFLINE_SHARE
        # Processes that read do so while the GPU computes; where there are none, the one waits for the other.
        seconds = max(computing, reading) if self.readers else computing + reading
        return Rate(seconds, "estimated", "GPU" if computing >= reading else "reading")

    def _reading(self, geometry: Geometry, clips: int) -> float:
        start, frame = READING_PREPARED if self.prepared else READING
        return clips * (start + frame * geometry.frames) / max(1, self.readers)


def _times_as_fast(trial: Trained) -> float:
    """As what a trial had, than one GPU. Of its recipe nothing is known: its BN groups are taken to fill its GPUs."""
    return speed(trial.gpus, max(1, int(trial.gpus)), occupancy(trial.geometry))


def _network(geometry: Geometry) -> Geometry:
    """Without the stride, which no network sees."""
    return replace(geometry, stride=None)
