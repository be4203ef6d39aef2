"""X3D, built from a geometry (Table 1): stem, residual stages res2, res3, ..., head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from torch import Tensor, nn

from expander.geometry import Geometry, Stage
from trainers.networks.batchnorm import GroupedBatchNorm3d
from trainers.networks.chains import Activated, between, joined, projected, shortened
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.layers import (
    DropConnect,
    Dropout,
    Recomputable,
    SqueezeExcitation,
    computed,
    growing_rates,
    initialise_convolutions,
)
from trainers.networks.pointwise import PointwiseConv3d
from trainers.networks.replay import Replayable, replayed
from trainers.networks.stem import Stem


class X3D(Replayable):
    """(N, 3, T, H, W) -> logits (N, classes); any T, H and W, as the head pools over whatever is left.

    drop_connect: share of residual branches dropped in the last block; it grows linearly over the blocks from 0.
    """

    def __init__(self, geometry: Geometry, *, dropout: float = 0.0, drop_connect: float = 0.0) -> None:
        super().__init__()
        first, last = geometry.stages[0], geometry.stages[-1]
        rates = growing_rates(drop_connect, sum(geometry.blocks))
        self.stem = Stem(first.width, geometry.stem_kernel)
        width = first.width
        self.stages = nn.Sequential()
        for number, stage in enumerate(geometry.stages, start=2):
            self.stages.add_module(f"res{number}", _stage(geometry, width, stage, rates))
            width = stage.width
        self.head = Head(width, last.inner_width, geometry.head_width, geometry.classes, dropout)
        _initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W), normalised -> logits (N, classes)."""
        features = replayed(self, clips)
        if features is not None:
            return self.head.classified(features)
        logits: Tensor = self.head(self.stages(self.stem.activated(clips)))
        return logits

    def trunk(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W) -> features (N, inner width, T, H', W'), whose mean the head classifies."""
        return self.head.features(self.stages(self.stem.activated(clips)))


class Block(Recomputable):
    """1x1x1, BN, ReLU; channel-wise 3x3x3, BN, [SE], swish; 1x1x1, BN; plus the shortcut; ReLU.

    Without the geometry's `channelwise` the first two are a dense 3x1x1 and a dense 1x3x3, without its `swish` ReLU
    stands for swish (Table A.1).
    """

    def __init__(
        self, geometry: Geometry, width: int, stage: Stage, *, stride: int, excited: bool, drop_connect: float
    ) -> None:
        super().__init__()
        inner = stage.inner_width
        first, second = _convolutions(geometry, width, inner, stride)
        self.expand = first
        self.expand_norm = GroupedBatchNorm3d(inner)
        self.relu = nn.ReLU(inplace=True)
        self.channelwise = second
        self.channelwise_norm = GroupedBatchNorm3d(inner)
        self.excitation = SqueezeExcitation(inner, stage.squeeze_width) if excited else nn.Identity()
        self.swish = nn.SiLU() if geometry.swish else nn.ReLU(inplace=True)
        self.project = PointwiseConv3d(inner, stage.width)
        self.project_norm = GroupedBatchNorm3d(stage.width)
        self.drop_connect = DropConnect(drop_connect)
        self.shortcut = _shortcut(width, stage.width, stride)

    def forward(self, x: Tensor | Activated) -> Tensor:
        """(N, width, T, H, W) -> (N, stage width, T, ceil(H / stride), ceil(W / stride))."""
        return computed(self, self._forward, x if isinstance(x, Activated) else Activated(x))

    def _forward(self, x: Activated) -> Tensor:
        keep = self.recompute
        parts = (self.channelwise, self.channelwise_norm, self.excitation, self.swish)
        wide = between(self.expand, self.expand_norm, x, self.relu, *parts, keep=keep)
        residual = shortened(self.shortcut, x, keep=keep)
        return joined(self.project, self.project_norm, wide, self.drop_connect, residual, self.relu, keep=keep)


class Head(nn.Module):
    """1x1x1 convolution, BN, ReLU; mean over the clip; linear, ReLU; dropout; linear to the classes."""

    def __init__(self, width: int, inner_width: int, head_width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.expand = PointwiseConv3d(width, inner_width)
        self.norm = GroupedBatchNorm3d(inner_width)
        self.relu = nn.ReLU(inplace=True)
        self.linear = nn.Linear(inner_width, head_width, bias=False)
        self.dropout = Dropout(dropout, head_width)
        self.classifier = nn.Linear(head_width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, T, H, W) -> logits (N, classes)."""
        return self.classified(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """(N, width, T, H, W) -> (N, inner width, T, H, W)."""
        return projected(self.expand, self.norm, Activated(x), self.relu).value

    def classified(self, features: Tensor) -> Tensor:
        """(N, inner width, T, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.dropout(self.relu(self.linear(features.mean((2, 3, 4))))))
        return logits


def _stage(geometry: Geometry, width: int, stage: Stage, rates: Iterator[float]) -> nn.Sequential:
    """A stage that takes `width` channels; its first block halves the resolution, every other block has an SE."""
    blocks = OrderedDict[str, nn.Module]()
    for number in range(stage.blocks):
        stride, excited = (2 if number == 0 else 1), geometry.squeeze_excitation and number % 2 == 0
        rate = next(rates)
        blocks[str(number)] = Block(geometry, width, stage, stride=stride, excited=excited, drop_connect=rate)
        width = stage.width
    return nn.Sequential(blocks)


def _convolutions(geometry: Geometry, width: int, inner: int, stride: int) -> tuple[nn.Conv3d, nn.Conv3d]:
    """A block's first two: 1x1x1 and channel-wise 3x3x3, or SlowFast's dense 3x1x1 and 1x3x3."""
    if geometry.channelwise:
        return PointwiseConv3d(width, inner), ChannelwiseConv3d(inner, (3, 3, 3), stride)
    temporal = nn.Conv3d(width, inner, (3, 1, 1), padding=(1, 0, 0), bias=False)
    return temporal, nn.Conv3d(inner, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)


def _shortcut(width: int, out: int, stride: int) -> nn.Module:
    """Identity where the shape is kept; else a convolution and BN (PySlowFast's form, which facts.md follows)."""
    if width == out and stride == 1:
        return nn.Identity()
    return nn.Sequential(OrderedDict(conv=PointwiseConv3d(width, out, stride), norm=GroupedBatchNorm3d(out)))


def _initialise(model: X3D) -> None:
    """He's normal over the outgoing connections; a new block starts as its shortcut; small weights for the classes."""
    initialise_convolutions(model)
    for module in model.modules():
        if isinstance(module, Block):
            nn.init.zeros_(module.project_norm.weight)
    nn.init.kaiming_normal_(model.head.linear.weight, mode="fan_out", nonlinearity="relu")
    # 0.01 is what ResNets and PySlowFast take for the last layer: all classes start about equally likely.
    nn.init.normal_(model.head.classifier.weight, std=0.01)
    nn.init.zeros_(model.head.classifier.bias)
