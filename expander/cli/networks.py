"""The networks that come with the project, each as a config: wherever a command takes a config, their names do too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expander.axis import Axis, Factors
from expander.cli.files import load_space
from expander.geometry import realise
from expander.plan import plan
from expander.recipe import recipe_at

if TYPE_CHECKING:
    from results.config import InstanceConfig


def shipped_configs() -> dict[str, InstanceConfig]:
    """X2D and the paper's X3D-XS to X3D-XXL, without weights; each with the recipe of its step (Sec. 4.1, A.3)."""
    from results.config import InstanceConfig

    space, _ = load_space("x3d_kinetics400")
    path: list[Axis] = load_space("x3d_published")[0].expansion.path
    basis = Factors()
    found = [("X2D", 0, basis, realise(basis, space.lattice.basis))]
    found += [(i.name, i.step, i.factors, i.geometry) for i in plan(space, path).instances]
    return {
        name: InstanceConfig(
            name=name,
            geometry=geometry,
            factors=factors.as_dict(),
            recipe=recipe_at(max(1, step), space.base_recipe, space.regularisation_expansion),
            views=space.test_views,
            seed=space.seed,
            weights=None,
            class_names=(),
            provenance={"published": "Table 1" if step == 0 else "Fig. 2 and Sec. 4.1", "step": step},
        )
        for name, step, factors, geometry in found
    }
