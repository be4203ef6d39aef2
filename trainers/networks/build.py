"""The one place that turns a geometry into its network."""

from __future__ import annotations

from torch import nn

from expander.efficientnet3d import AnyGeometry, EfficientNet3D
from expander.geometry import Geometry
from expander.recipe import Recipe
from trainers.networks.efficientnet3d import EfficientNet3DNetwork
from trainers.networks.x3d import X3D


def build(geometry: AnyGeometry, recipe: Recipe | None = None) -> nn.Module:
    """The network of `geometry`, initialised from torch's random state, with the recipe's dropout and drop-connect.

    Without a recipe it has neither: in evaluation they do nothing.
    """
    dropout, drop_connect = (recipe.dropout, recipe.drop_connect) if recipe else (0.0, 0.0)
    match geometry:
        case Geometry():
            return X3D(geometry, dropout=dropout, drop_connect=drop_connect)
        case EfficientNet3D():
            return EfficientNet3DNetwork(geometry, dropout=dropout, drop_connect=drop_connect)
