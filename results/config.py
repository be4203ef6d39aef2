"""InstanceConfig: what an exported instance says of itself; `expander export` writes it, other commands read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from expander.complexity import Complexity, measure
from expander.efficientnet3d import AnyGeometry, read_geometry
from expander.errors import UsageError
from expander.files import WEIGHTS_CHECKSUM, digest
from expander.recipe import Recipe
from expander.space import Count, RecipeSection, RegimeName, ViewsSection, Whole
from expander.strict import Key, Section, check
from expander.trial import Views


class GeometrySection(Section):
    """The integers of an X3D and its clip."""

    frames: Count
    stride: Count | None
    crop: Count
    widths: Annotated[list[Count], Field(min_length=1)]
    inner_widths: Annotated[list[Count], Field(min_length=1)]
    squeeze_widths: Annotated[list[Count], Field(min_length=1)]
    blocks: Annotated[list[Count], Field(min_length=1)]
    classes: Count
    head_width: Count
    stem_kernel: Count
    channelwise: bool = True
    swish: bool = True
    squeeze_excitation: bool = True


class EfficientNet3DSection(Section):
    """The integers of an EfficientNet3D and its clip."""

    network: Literal["efficientnet3d"]
    frames: Count
    stride: Count | None
    crop: Count
    stem_width: Count
    widths: Annotated[list[Count], Field(min_length=1)]
    expansions: Annotated[list[Count], Field(min_length=1)]
    spatial_strides: Annotated[list[Count], Field(min_length=1)]
    blocks: Annotated[list[Count], Field(min_length=1)]
    head_width: Count
    classes: Count
    stem_kernel: Count


AnySection = TypeVar("AnySection", GeometrySection, EfficientNet3DSection)


class ConfigSection(Section, Generic[AnySection]):
    """A whole config; `complexity` is checked against the geometry."""

    name: RegimeName
    geometry: AnySection
    factors: dict[str, float | int | None] = {}
    complexity: dict[str, int] = {}
    recipe: RecipeSection = RecipeSection()
    views: ViewsSection = ViewsSection()
    seed: Whole = 0
    weights: str | None = None
    class_names: list[str] = []
    task: Literal["classification", "charades"] = "classification"
    provenance: dict[str, Any] = {}


@dataclass(frozen=True)
class InstanceConfig:
    """One network with all that is needed to train, test and trace it.

    weights: file beside the config, None where nothing was trained. class_names: of the first outputs; the others had
    no video. provenance: search, step, trial, score, data and
    versions that it came from.
    """

    name: str
    geometry: AnyGeometry
    factors: Mapping[str, float | int | None]
    recipe: Recipe
    views: Views
    seed: int
    weights: str | None
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any]
    task: str = "classification"

    @property
    def complexity(self) -> Complexity:
        """What the geometry costs."""
        return measure(self.geometry)

    @property
    def origin(self) -> Mapping[str, Any]:
        """The provenance, with what trained the weights where they were trained anew.

        A training leaves where the geometry came from, and says by itself, as `trained`, what it trained.
        """
        trained = self.provenance.get("trained")
        return {**self.provenance, **trained} if isinstance(trained, dict) else self.provenance

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order in which a person reads them; `read_config` reads them back."""
        return {
            "name": self.name,
            "geometry": self.geometry.as_dict(),
            "factors": dict(self.factors),
            "complexity": self.complexity.as_dict(),
            "recipe": self.recipe.as_dict(),
            "views": self.views.as_dict(),
            "seed": self.seed,
            "weights": self.weights,
            "class_names": list(self.class_names),
            **({} if self.task == "classification" else {"task": self.task}),
            "provenance": dict(self.provenance),
        }


def with_weights(config: InstanceConfig, name: str, weights: Path) -> InstanceConfig:
    """The config with the file `name` beside it, and the checksum of that file, which is a copy of `weights`.

    Raises FileError where they cannot be read.
    """
    return replace(config, weights=name, provenance={**config.provenance, WEIGHTS_CHECKSUM: digest(weights)})


def check_weights(config: InstanceConfig, weights: Path) -> None:
    """Raise UsageError where `weights` is the file that the config names, and not what was written with it.

    Of a file of another name, and of a config without a checksum, nothing is known; of a missing one its reader tells.
    """
    written = config.provenance.get(WEIGHTS_CHECKSUM)
    if written is None or weights.name != config.weights or not weights.is_file():
        return
    if (found := digest(weights)) != written:
        raise UsageError(
            f"weights {weights} are not what was written with the config of {config.name}: they are damaged, or were"
            f" replaced (SHA-256 {found[:12]}..., provenance.{WEIGHTS_CHECKSUM} is {str(written)[:12]}...). Export them"
            f" again; or, where they are meant, give them another name than {config.weights}"
        )


def read_config(values: object, where: Mapping[Key, str], source: str) -> InstanceConfig:
    """The config in `values`, plain data as YAML gives it. Raises one SpaceError with every mistake."""
    section = (
        check(ConfigSection[EfficientNet3DSection], values, where, source, _conflicts)
        if _names_a_network(values)
        else check(ConfigSection[GeometrySection], values, where, source, _conflicts)
    )
    return InstanceConfig(
        name=section.name,
        geometry=read_geometry(section.geometry.model_dump()),
        factors=section.factors,
        recipe=Recipe.from_dict(section.recipe.model_dump()),
        views=Views(**section.views.model_dump()),
        seed=section.seed,
        weights=section.weights,
        class_names=tuple(section.class_names),
        provenance=section.provenance,
        task=section.task,
    )


def _names_a_network(values: object) -> bool:
    """Whether the geometry has the key that an X3D's has not."""
    geometry = values.get("geometry") if isinstance(values, dict) else None
    return isinstance(geometry, dict) and "network" in geometry


def _conflicts(section: ConfigSection[AnySection]) -> list[tuple[Key, str]]:
    geometry, found = section.geometry, list[tuple[Key, str]]()
    stages = {key: len(value) for key, value in geometry.model_dump().items() if isinstance(value, list)}
    if len(set(stages.values())) > 1:
        counts = ", ".join(f"{key} {count}" for key, count in stages.items())
        found.append((("geometry",), f"entries differ in number ({counts}); give one a stage in each"))
    if geometry.stem_kernel % 2 == 0:
        found.append((("geometry", "stem_kernel"), f"{geometry.stem_kernel} is even; a centred kernel is odd"))
    if (geometry.frames == 1) != (geometry.stride is None):
        allowed = "null with one frame" if geometry.frames == 1 else "a whole number with several frames"
        found.append((("geometry", "stride"), f"found {geometry.stride!r}; expected {allowed}"))
    if len(section.class_names) > geometry.classes:
        found.append((("class_names",), f"{len(section.class_names)} names for geometry.classes {geometry.classes}"))
    if not found:
        actual = measure(read_geometry(geometry.model_dump())).as_dict()
        for key, value in section.complexity.items():
            if actual.get(key) != value:
                expected = f"{actual[key]:,}" if key in actual else f"one of {', '.join(actual)}"
                found.append((("complexity", key), f"found {value:,}; the geometry has {expected}"))
    return found
