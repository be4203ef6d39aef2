"""The networks that come with the project, each as a config: wherever a command takes a config, their names do too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expander.axis import Axis, Factors
from expander.cli.files import load_space
from expander.efficientnet3d import EFFICIENTNET3D, AnyGeometry
from expander.geometry import realise
from expander.plan import plan
from expander.recipe import Recipe, recipe_at
from expander.space import SearchSpace

if TYPE_CHECKING:
    from results.config import InstanceConfig


def shipped_configs() -> dict[str, InstanceConfig]:
    """X2D, the paper's X3D-XS to X3D-XXL and its EfficientNet3D-B0, B3 and B4, without weights.

    Each X3D has the recipe of its step (Sec. 4.1, A.3), an EfficientNet3D, which has none, the paper's first one.
    """
    space, _ = load_space("x3d_kinetics400")
    path: list[Axis] = load_space("x3d_published")[0].expansion.path
    basis = Factors()
    found = [("X2D", 0, basis, realise(basis, space.lattice.basis))]
    found += [(i.name, i.step, i.factors, i.geometry) for i in plan(space, path).instances]
    configs = {}
    for name, step, factors, geometry in found:
        recipe = recipe_at(max(1, step), space.base_recipe, space.regularisation_expansion)
        provenance = {"published": "Table 1" if step == 0 else "Fig. 2 and Sec. 4.1", "step": step}
        configs[name] = _config(space, name, geometry, factors.as_dict(), recipe, provenance)
    for name, network in EFFICIENTNET3D.items():
        configs[name] = _config(space, name, network, {}, space.base_recipe, {"published": "Table 7"})
    return configs


def _config(
    space: SearchSpace,
    name: str,
    geometry: AnyGeometry,
    factors: Mapping[str, float | int | None],
    recipe: Recipe,
    provenance: Mapping[str, Any],
) -> InstanceConfig:
    from results.config import InstanceConfig

    return InstanceConfig(
        name=name,
        geometry=geometry,
        factors=factors,
        recipe=recipe,
        views=space.test_views,
        seed=space.seed,
        weights=None,
        class_names=(),
        provenance=provenance,
    )
