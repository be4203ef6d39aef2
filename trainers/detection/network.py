"""The detector of Sec. 5 and A.1: X3D up to res5, features of each box, a sigmoid for each class."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from expander.efficientnet3d import AnyGeometry
from expander.errors import UsageError
from expander.geometry import Geometry
from trainers.checkpoint import load_weights
from trainers.detection.roi_align import roi_align_3d
from trainers.networks.x3d import X3D

# Bins along each side of a box's features (Feichtenhofer et al. 2019, whose architecture A.1 takes).
BINS = 7


class Detector(nn.Module):
    """Clips (N, 3, T, H, W) and R boxes -> logits (R, classes). trunk: its stem and stages are kept, its head is not.

    Box features of the last stage: the box is replicated over the frames, cut out of each by RoIAlign, averaged over
    time, and their largest value in space is taken.
    """

    def __init__(self, trunk: X3D, classes: int, dropout: float) -> None:
        super().__init__()
        self.stem = trunk.stem
        self.stages = trunk.stages
        # The stem and the first block of each stage halve the resolution.
        self.stride = 2 ** (1 + len(trunk.stages))
        width = trunk.head.expand.in_channels
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, classes)
        # As in X3D's own last layer: all classes start about equally likely.
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, clips: Tensor, boxes: Tensor, places: Tensor) -> Tensor:
        """boxes: (R, 4) as x1, y1, x2, y2 in pixels of the clips. places: (R,) which of the N clips each is in."""
        features = self.stages(self.stem(clips.contiguous(memory_format=torch.channels_last_3d)))
        # In float32, also under autocast: coordinates of bfloat16 would be off by a pixel.
        with torch.autocast(clips.device.type, enabled=False):
            cut = roi_align_3d(features.float(), boxes, places, size=BINS, scale=1 / self.stride)
            logits: Tensor = self.classifier(self.dropout(cut.mean(2).amax((2, 3))))
        return logits


def detector(
    geometry: AnyGeometry, weights: Path | None, classes: int, *, dropout: float = 0.0, drop_connect: float = 0.0
) -> Detector:
    """The detector on the X3D of `geometry` with `weights` (safetensors), which must be exactly this network's.

    weights: None starts from random ones. Raises UsageError for weights of another network, and for a geometry that
    is no X3D.
    """
    if not isinstance(geometry, Geometry):
        raise UsageError(
            "detection: the config is of an EfficientNet3D; expected an X3D, as A.1 takes features of res5"
        )
    trunk = X3D(geometry, drop_connect=drop_connect)
    if weights is not None:
        load_weights(weights, trunk)
    return Detector(trunk, classes, dropout)
