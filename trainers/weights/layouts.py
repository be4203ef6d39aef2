"""What each tool calls the tensors of an X3D, and their shapes: facts of its modules, from a geometry.

All four compute the same network: 1x1x1, BN, ReLU; channel-wise 3x3x3, BN, SE in every other block, swish; 1x1x1, BN;
plus the shortcut (a strided 1x1x1 and its BN where the shape changes), ReLU. SE is two 1x1x1 convolutions with bias and
a ReLU between; every BN has eps 1e-5. Sources: PySlowFast's `X3D`, PyTorchVideo's `create_x3d` (0.1.5) and MMAction2's
`X3D` and `X3DHead` (1.2.0). What differs:

- The head's first linear layer is a 1x1x1 convolution in PySlowFast and PyTorchVideo.
- PyTorchVideo has no BN in a shortcut that keeps the width: that of res2's first block (`trainers.weights.convert`).
- PyTorchVideo's stem calls the spatial convolution `conv_t` and the temporal one `conv_xy`.
- PySlowFast's head ends in softmax in evaluation, PyTorchVideo's always, unless it is built without.

PySlowFast has a second builder, `PTVX3D`, for the widths that its own rounds otherwise (`results.peers.pyslowfast`): it
keeps what `create_x3d` builds under the name `model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch

from expander.geometry import Geometry
from trainers.networks.x3d import X3D

Shape = tuple[int, ...]


class Layout(StrEnum):
    """Whose names and shapes."""

    EXPANDER = "expander"
    PYSLOWFAST = "pyslowfast"
    PTVX3D = "ptvx3d"
    PYTORCHVIDEO = "pytorchvideo"
    MMACTION2 = "mmaction2"

    @property
    def tool(self) -> str:
        """Whose files have it."""
        return "pyslowfast" if self is Layout.PTVX3D else self.value

    @property
    def by_create_x3d(self) -> bool:
        """Whether PyTorchVideo's `create_x3d` builds the network."""
        return self in (Layout.PTVX3D, Layout.PYTORCHVIDEO)


# Modules by name: ours, PySlowFast's, create_x3d's, MMAction2's.
STEM = (
    ("stem.spatial", "s1.pathway0_stem.conv_xy", "blocks.0.conv.conv_t", "backbone.conv1_s.conv"),
    ("stem.temporal", "s1.pathway0_stem.conv", "blocks.0.conv.conv_xy", "backbone.conv1_t.conv"),
    ("stem.norm", "s1.pathway0_stem.bn", "blocks.0.norm", "backbone.conv1_t.bn"),
)
# {stage} counts from 2 as the paper does, {number} from 1.
BLOCK = (
    "stages.res{stage}.{block}",
    "s{stage}.pathway0_res{block}",
    "blocks.{number}.res_blocks.{block}",
    "backbone.layer{number}.{block}",
)
IN_BLOCK = (
    ("expand", "branch2.a", "branch2.conv_a", "conv1.conv"),
    ("expand_norm", "branch2.a_bn", "branch2.norm_a", "conv1.bn"),
    ("channelwise", "branch2.b", "branch2.conv_b", "conv2.conv"),
    ("channelwise_norm", "branch2.b_bn", "branch2.norm_b.0", "conv2.bn"),
    ("excitation.reduce", "branch2.se.fc1", "branch2.norm_b.1.block.0", "se_module.fc1"),
    ("excitation.restore", "branch2.se.fc2", "branch2.norm_b.1.block.2", "se_module.fc2"),
    ("project", "branch2.c", "branch2.conv_c", "conv3.conv"),
    ("project_norm", "branch2.c_bn", "branch2.norm_c", "conv3.bn"),
    ("shortcut.conv", "branch1", "branch1_conv", "downsample.conv"),
    ("shortcut.norm", "branch1_bn", "branch1_norm", "downsample.bn"),
)
# {last} is the number after the last stage's.
HEAD = (
    ("head.expand", "head.conv_5", "blocks.{last}.pool.pre_conv", "backbone.conv5.conv"),
    ("head.norm", "head.conv_5_bn", "blocks.{last}.pool.pre_norm", "backbone.conv5.bn"),
    ("head.linear", "head.lin_5", "blocks.{last}.pool.post_conv", "cls_head.fc1"),
    ("head.classifier", "head.projection", "blocks.{last}.proj", "cls_head.fc2"),
)
COLUMNS = {
    Layout.EXPANDER: 0,
    Layout.PYSLOWFAST: 1,
    Layout.PTVX3D: 2,
    Layout.PYTORCHVIDEO: 2,
    Layout.MMACTION2: 3,
}
LINEAR, CLASSIFIER = "head.linear.weight", "head.classifier.weight"
# How the names of each begin; PySlowFast's head begins as ours does.
MARKS = {
    Layout.EXPANDER: ("stem.", "stages."),
    Layout.PYSLOWFAST: ("s1.pathway0_", "s2.pathway0_"),
    Layout.PTVX3D: ("model.blocks.",),
    Layout.PYTORCHVIDEO: ("blocks.",),
    Layout.MMACTION2: ("backbone.", "cls_head."),
}


@dataclass(frozen=True)
class Entry:
    """One tensor of our network. theirs: its name there, None where they have no such tensor."""

    ours: str
    shape: Shape
    theirs: str | None
    their_shape: Shape

    @property
    def counter(self) -> bool:
        """Whether it is a BN's count of batches, which nothing reads at a fixed momentum."""
        return self.ours.endswith("num_batches_tracked")

    @property
    def variance(self) -> bool:
        """Whether it is a BN's running variance."""
        return self.ours.endswith("running_var")


def entries(geometry: Geometry, layout: Layout) -> tuple[Entry, ...]:
    """Every tensor of our network's state dict, in its order, as `layout` has it.

    Whether their builder makes this network at all, `results.peers` knows.
    """
    names, missing = _module_names(geometry, layout), _missing_modules(geometry, layout)
    with torch.device("meta"):
        tensors = X3D(geometry).state_dict()
    found = []
    for ours, tensor in tensors.items():
        module, _, kind = ours.rpartition(".")
        shape = tuple(tensor.shape)
        convolved = ours == LINEAR and (layout is Layout.PYSLOWFAST or layout.by_create_x3d)
        theirs = None if module in missing else f"{names[module]}.{kind}"
        found.append(Entry(ours, shape, theirs, (*shape, 1, 1, 1) if convolved else shape))
    return tuple(found)


def kept_shortcuts(geometry: Geometry) -> tuple[str, ...]:
    """Names of our blocks whose shortcut halves the picture but keeps the width: at least the first of res2."""
    widths = (geometry.widths[0], *geometry.widths)
    return tuple(
        f"stages.res{stage}.0"
        for stage, (before, width) in enumerate(zip(widths, geometry.widths, strict=False), start=2)
        if before == width
    )


def _module_names(geometry: Geometry, layout: Layout) -> dict[str, str]:
    """The name in `layout` of each of our modules."""
    column, last = COLUMNS[layout], len(geometry.stages) + 1
    names = {row[0]: row[column].format(last=last) for row in (*STEM, *HEAD)}
    for number, stage in enumerate(geometry.stages, start=1):
        for block in range(stage.blocks):
            ours, theirs = (BLOCK[c].format(stage=number + 1, number=number, block=block) for c in (0, column))
            names |= {f"{ours}.{row[0]}": f"{theirs}.{row[column]}" for row in IN_BLOCK}
    under = "model." if layout is Layout.PTVX3D else ""
    return {ours: f"{under}{theirs}" for ours, theirs in names.items()}


def _missing_modules(geometry: Geometry, layout: Layout) -> set[str]:
    return {f"{block}.shortcut.norm" for block in kept_shortcuts(geometry)} if layout.by_create_x3d else set()
