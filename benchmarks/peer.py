"""PyTorchVideo's `create_x3d`, and our X3D with its weights. Imports nothing that decodes or schedules."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import ModuleType

import torch
from torch import nn

from expander.axis import Factors
from expander.geometry import Basis, Geometry, realise
from trainers.networks.x3d import X3D
from trainers.weights.convert import convert
from trainers.weights.layouts import Layout, entries

NETWORKS = {
    "X2D": Factors(),
    "XS": Factors(12, 4, 160 / 112, 1, 2.25, 2.2),
    "S": Factors(6, 13, 160 / 112, 1, 2.25, 2.2),
    "M": Factors(5, 16, 2, 1, 2.25, 2.2),
}


def ours(theirs: nn.Module, geometry: Geometry) -> X3D:
    """Our network, with their weights."""
    model = X3D(geometry)
    tensors = convert(theirs.state_dict(), geometry, Layout.PYTORCHVIDEO, Layout.EXPANDER, "PyTorchVideo").tensors
    model.load_state_dict(tensors)
    # The one BN that PyTorchVideo has not.
    model.stages.res2[0].shortcut.norm = nn.Identity()
    return model


def names(geometry: Geometry) -> dict[str, str]:
    """Our names of parameters by PyTorchVideo's."""
    own = dict(X3D(geometry).named_parameters())
    pairs = {entry.theirs: entry.ours for entry in entries(geometry, Layout.PYTORCHVIDEO) if entry.ours in own}
    return {theirs: ours for theirs, ours in pairs.items() if theirs is not None}


def pytorchvideo(geometry: Geometry) -> nn.Module:
    """PyTorchVideo's network as its documentation builds it, but for logits in place of softmax and no dropout."""
    torch.manual_seed(0)
    factors = next(factors for factors in NETWORKS.values() if realise(factors, Basis()) == geometry)
    model: nn.Module = _create_x3d()(
        input_clip_length=geometry.frames,
        input_crop_size=geometry.crop,
        width_factor=2.0,
        depth_factor=factors.gamma_d,
        bottleneck_factor=factors.gamma_b,
        dropout_rate=0.0,
        head_activation=None,
    )
    return model


def _create_x3d() -> Callable[..., nn.Module]:
    # Its age: it imports torchvision for a layer that X3D has not.
    for name in ("torchvision", "torchvision.ops"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["torchvision.ops"].RoIAlign = None  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorchvideo.models.x3d import create_x3d
    for name in ("torchvision", "torchvision.ops"):
        del sys.modules[name]
    return create_x3d
