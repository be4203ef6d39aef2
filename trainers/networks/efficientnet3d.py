"""EfficientNet3D, built from its integers (Table 7): stem, stages of inverted bottlenecks, head."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from expander.efficientnet3d import EfficientNet3D, MobileBlock
from trainers.networks.batchnorm import GroupedBatchNorm3d
from trainers.networks.chains import Activated, expanded, filtered, joined, projected
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


class EfficientNet3DNetwork(Replayable):
    """(N, 3, T, H, W) -> logits (N, classes); any T, H and W, as the head pools over whatever is left.

    drop_connect: share of residual branches dropped in the last block; it grows linearly over the blocks from 0.
    """

    def __init__(self, geometry: EfficientNet3D, *, dropout: float = 0.0, drop_connect: float = 0.0) -> None:
        super().__init__()
        rates = growing_rates(drop_connect, sum(geometry.blocks))
        self.stem = Stem(geometry.stem_width, geometry.stem_kernel)
        self.stages = nn.Sequential()
        for number, blocks in enumerate(geometry.mobile_blocks(), start=1):
            stage = nn.Sequential(*(InvertedBottleneck(block, next(rates)) for block in blocks))
            self.stages.add_module(f"stage{number}", stage)
        self.head = MobileHead(geometry.widths[-1], geometry.head_width, geometry.classes, dropout)
        _initialise(self)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W), normalised -> logits (N, classes)."""
        features = replayed(self, clips)
        if features is not None:
            return self.head.classified(features)
        logits: Tensor = self.head(self.stages(self.stem.activated(clips)))
        return logits

    def trunk(self, clips: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W) -> features (N, head width, T, H', W'), whose mean the head classifies."""
        return self.head.features(self.stages(self.stem.activated(clips)))


class InvertedBottleneck(Recomputable):
    """[1x1x1, BN, ReLU;] channel-wise 3x3x3, BN, [SE], swish; 1x1x1, BN; plus the input where the shape stays; ReLU."""

    def __init__(self, block: MobileBlock, drop_connect: float) -> None:
        super().__init__()
        inner, squeeze = block.inner_width, block.squeeze_width
        self.expand = _expansion(block.entering, inner) if block.expands else nn.Identity()
        self.channelwise = ChannelwiseConv3d(inner, (3, 3, 3), block.stride)
        self.channelwise_norm = GroupedBatchNorm3d(inner)
        self.excitation = SqueezeExcitation(inner, squeeze) if squeeze else nn.Identity()
        self.swish = nn.SiLU()
        self.project = PointwiseConv3d(inner, block.width)
        self.project_norm = GroupedBatchNorm3d(block.width)
        # A branch without a shortcut is all there is of its block: it cannot be dropped.
        self.drop_connect = DropConnect(drop_connect if block.residual else 0.0)
        self.residual = block.residual
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor | Activated) -> Tensor:
        """(N, entering, T, H, W) -> (N, width, T, ceil(H / stride), ceil(W / stride))."""
        return computed(self, self._forward, x if isinstance(x, Activated) else Activated(x))

    def _forward(self, x: Activated) -> Tensor:
        keep = self.recompute
        wide = expanded(self.expand, x, keep=keep)
        wide = filtered(self.channelwise, self.channelwise_norm, wide, self.excitation, self.swish, keep=keep)
        if not self.residual:
            return projected(self.project, self.project_norm, wide, self.relu, keep=keep).value
        return joined(self.project, self.project_norm, wide, self.drop_connect, x.value, self.relu, keep=keep)


class MobileHead(nn.Module):
    """1x1x1 convolution, BN, ReLU; mean over the clip; dropout; linear to the classes."""

    def __init__(self, width: int, head_width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.expand = _expansion(width, head_width)
        self.dropout = Dropout(dropout, head_width)
        self.classifier = nn.Linear(head_width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, T, H, W) -> logits (N, classes)."""
        return self.classified(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """(N, width, T, H, W) -> (N, head width, T, H, W)."""
        return expanded(self.expand, Activated(x)).value

    def classified(self, features: Tensor) -> Tensor:
        """(N, head width, T, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.dropout(features.mean((2, 3, 4))))
        return logits


def _expansion(width: int, out: int) -> nn.Sequential:
    layers = OrderedDict(conv=PointwiseConv3d(width, out), norm=GroupedBatchNorm3d(out), relu=nn.ReLU(inplace=True))
    return nn.Sequential(layers)


def _initialise(model: EfficientNet3DNetwork) -> None:
    """As X3D: He's, and a new residual block is its shortcut; a block without one must let its input through."""
    initialise_convolutions(model)
    for module in model.modules():
        if isinstance(module, InvertedBottleneck) and module.residual:
            nn.init.zeros_(module.project_norm.weight)
    nn.init.normal_(model.head.classifier.weight, std=0.01)
    nn.init.zeros_(model.head.classifier.bias)
