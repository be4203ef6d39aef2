"""SearchSpace: the strict schema of a search space's YAML, and what it says of mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from expander.axis import Axis, Factors
from expander.complexity import measure
from expander.errors import SpaceError
from expander.geometry import Basis, realise
from expander.recipe import Recipe, Regularisation
from expander.solve import Grids, Lattice, Limits
from expander.trial import Views

Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Below = Annotated[float, Field(ge=0, lt=1)]
AxisName = Annotated[Axis, Field(strict=False)]


class Section(BaseModel):
    """A frozen mapping that allows its own keys only, and no silent conversion (1 is no bool, '2' no number)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class BasisSection(Section):
    """What every factor multiplies; by default X2D (Table 1)."""

    widths: Annotated[list[Count], Field(min_length=1)] = [24, 48, 96, 192]
    blocks: Annotated[list[Count], Field(min_length=1)] = [1, 2, 5, 3]
    crop: Count = 112
    classes: Annotated[int, Field(ge=2)] = 400
    head_width: Count = 2048
    stem_kernel: Count = 5


class ExpansionSection(Section):
    """How far, along which axes and in which order."""

    rate: Annotated[float, Field(gt=1)] = 2.0
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.2
    axes: Annotated[list[AxisName], Field(min_length=1)] = list(Axis)
    first_stride: Count = 16
    max_steps: Count | None = None
    path: list[AxisName] = []
    path_is: Literal["assumed", "prescribed"] = "assumed"


class GridsSection(Section):
    """The step of each factor's grid."""

    frames: Count = 1
    crop: Count = 8
    width: Positive = 0.05
    bottleneck: Positive = 0.25


class LimitsSection(Section):
    """The largest value of each factor; null is no limit."""

    frames: Count | None = None
    crop: Count | None = None
    depth: Annotated[float, Field(ge=1)] | None = None
    width: Annotated[float, Field(ge=1)] | None = None
    bottleneck: Annotated[float, Field(ge=1)] | None = None


class RegimesSection(Section):
    """The instances to be found, and the bound of each in multiply-adds."""

    bounds: Annotated[dict[str, Positive], Field(min_length=1)] = {
        "X3D-XS": 0.6e9,
        "X3D-S": 2e9,
        "X3D-M": 5e9,
        "X3D-L": 20e9,
        "X3D-XL": 40e9,
        "X3D-XXL": 150e9,
    }
    grace: Below = 0.01
    fill: Annotated[float, Field(gt=0, le=1)] = 0.85
    contract: Literal["expanded-axis", "every-axis"] = "expanded-axis"


class RecipeSection(Section):
    """How a trial trains (Sec. 4)."""

    epochs: Count = 256
    batch: Count = 1024
    base_rate: Positive = 1.6
    reference_batch: Count = 1024
    warmup: Below = 8 / 60
    momentum: Below = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-5
    dropout: Below = 0.5
    drop_connect: Below = 0.0
    batchnorm_group: Annotated[int, Field(ge=2)] = 8
    scale_jitter: Annotated[list[Annotated[float, Field(ge=1)]], Field(min_length=2, max_length=2)] = [
        128 / 112,
        160 / 112,
    ]
    flip: bool = True


class RegularisationSection(Section):
    """A change of recipe that begins at a step (Sec. A.3); a key left out keeps its value."""

    from_step: Count
    epochs: Count | None = None
    batch: Count | None = None
    base_rate: Positive | None = None
    warmup: Below | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    dropout: Below | None = None
    drop_connect: Below | None = None
    batchnorm_group: Annotated[int, Field(ge=2)] | None = None


class ViewsSection(Section):
    """What a validation video is scored from (Sec. 4)."""

    clips: Count = 10
    crops: Literal["center", "left-center-right"] = "center"


class DataSection(Section):
    """Manifests, the folder that their paths start from, and the damage that is tolerated."""

    train: str | None = None
    val: str | None = None
    root: str | None = None
    damage_share: Share = 0.01
    train_videos: Count = 240_000
    val_videos: Count = 20_000


class ResourcesSection(Section):
    """What one trial takes of a machine; fractions share."""

    cpus: Positive = 1.0
    gpus: Annotated[float, Field(ge=0)] = 0.0
    loader_workers: Whole = 0


class FailuresSection(Section):
    """What happens when a trial fails."""

    retries: Whole = 1
    then: Literal["stop", "skip"] = "stop"


class SearchSpace(Section):
    """A search space. Every section may be left out: what is not said is the paper's."""

    description: str = ""
    basis: BasisSection = BasisSection()
    expansion: ExpansionSection = ExpansionSection()
    grids: GridsSection = GridsSection()
    limits: LimitsSection = LimitsSection()
    regimes: RegimesSection = RegimesSection()
    recipe: RecipeSection = RecipeSection()
    regularisation: list[RegularisationSection] = []
    views: ViewsSection = ViewsSection()
    data: DataSection = DataSection()
    resources: ResourcesSection = ResourcesSection()
    failures: FailuresSection = FailuresSection()
    seed: Whole = 0

    @property
    def lattice(self) -> Lattice:
        """The places that factors can take."""
        basis = self.basis.model_dump()
        return Lattice(
            basis=Basis(**{**basis, "widths": tuple(basis["widths"]), "blocks": tuple(basis["blocks"])}),
            grids=Grids(**self.grids.model_dump()),
            limits=Limits(**self.limits.model_dump()),
            first_stride=self.expansion.first_stride,
        )

    @property
    def base_recipe(self) -> Recipe:
        """The recipe before any regularisation expansion."""
        return Recipe.from_dict(self.recipe.model_dump())

    @property
    def regularisation_expansion(self) -> tuple[Regularisation, ...]:
        """The changes of recipe, with the step where each begins."""
        changes = (change.model_dump(exclude_none=True) for change in self.regularisation)
        return tuple(Regularisation(change.pop("from_step"), change) for change in changes)

    @property
    def test_views(self) -> Views:
        """The views that a trial is scored from."""
        return Views(clips=self.views.clips, crops=self.views.crops)

    @property
    def prescribed(self) -> bool:
        """Whether the path is given and nothing is trained."""
        return self.expansion.path_is == "prescribed"

    def as_dict(self) -> dict[str, Any]:
        """The whole space with its defaults, as plain values."""
        return self.model_dump(mode="json")


# What a search may change between its steps without mixing results: how its trials are carried out.
OPERATIONAL = ("description", "resources", "failures")

Key = tuple[str | int, ...]


def read_space(values: object, where: Mapping[Key, str], source: str) -> SearchSpace:
    """The search space in `values`, plain data as YAML gives it.

    `where` names the place of each key ('file.yaml:12'), `source` the whole. Raises one SpaceError with every mistake.
    """
    if not isinstance(values, dict):
        raise SpaceError(
            f"{source}: expected a mapping with some of the keys {_listed(SearchSpace)}, found {_shown(values)}"
        )
    try:
        space = SearchSpace.model_validate(values)
    except ValidationError as error:
        mistakes = [(_place(detail["loc"], where, source), _message(detail)) for detail in error.errors()]
        mistakes += [(_place(key, where, source), text) for key, text in _conflicts(_valid_part(values, error))]
    else:
        mistakes = [(_place(key, where, source), text) for key, text in _conflicts(space)]
        if not mistakes:
            return space
    lines = sorted({f"{place}: {text}" for place, text in mistakes}, key=_natural)
    raise SpaceError("\n".join(lines))


def _valid_part(values: Mapping[str, Any], error: ValidationError) -> SearchSpace:
    """The sections without a mistake of their own, the others at their defaults: conflicts among them still show."""
    wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    return SearchSpace.model_validate({key: value for key, value in values.items() if key not in wrong})


def _conflicts(space: SearchSpace) -> list[tuple[Key, str]]:
    """Values that are possible by themselves and impossible together."""
    found: list[tuple[Key, str]] = []
    basis, expansion = space.basis, space.expansion
    if len(basis.widths) != len(basis.blocks):
        found.append(
            (
                ("basis", "blocks"),
                f"{len(basis.blocks)} stages, but basis.widths has {len(basis.widths)}; give one entry a stage in both",
            )
        )
    if basis.stem_kernel % 2 == 0:
        found.append(
            (("basis", "stem_kernel"), f"{basis.stem_kernel} is even; a centred kernel has an odd number of frames")
        )
    for index, axis in enumerate(expansion.axes):
        if axis in expansion.axes[:index]:
            found.append((("expansion", "axes", index), f"{axis.value!r} is listed twice; list each axis once"))
    for index, axis in enumerate(expansion.path):
        if axis not in expansion.axes:
            allowed = ", ".join(axis.value for axis in expansion.axes)
            found.append(
                (("expansion", "path", index), f"{axis.value!r} is not among expansion.axes; allowed: {allowed}")
            )
    if space.prescribed and not expansion.path:
        found.append((("expansion", "path_is"), "'prescribed' needs expansion.path, the axis of each step in order"))
    if space.recipe.scale_jitter[0] > space.recipe.scale_jitter[1]:
        found.append(
            (("recipe", "scale_jitter"), f"{space.recipe.scale_jitter} runs backwards; give [smallest, largest]")
        )
    for name, value, start in (("frames", space.limits.frames, 1), ("crop", space.limits.crop, basis.crop)):
        if value is not None and value < start:
            found.append(
                (("limits", name), f"{value} is under the basis' {start}; give at least that, or null for no limit")
            )
    if len(basis.widths) == len(basis.blocks):
        cost = measure(realise(Factors(), space.lattice.basis)).flops
        for name, bound in space.regimes.bounds.items():
            if bound < cost:
                found.append(
                    (
                        ("regimes", "bounds", name),
                        f"{bound:g} multiply-adds are under the basis' own {cost:,}; give a larger bound",
                    )
                )
    return found


def difference(recorded: SearchSpace, now: SearchSpace) -> tuple[str, ...]:
    """The keys that differ between two spaces, one line each: 'recipe.epochs: 10 recorded, 20 now'."""
    old, new = _flat(recorded.as_dict()), _flat(now.as_dict())
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return tuple(f"{key}: {old.get(key)} recorded, {new.get(key)} now" for key in keys)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _place(loc: Sequence[str | int], where: Mapping[Key, str], source: str) -> str:
    """'file.yaml:12: recipe.epochs', from the deepest key of `loc` that has a line."""
    path = tuple(loc)
    line = next((where[path[:end]] for end in range(len(path), 0, -1) if path[:end] in where), source)
    return f"{line}: {'.'.join(str(part) for part in path)}" if path else line


def _message(detail: ErrorDetails) -> str:
    """What was found and what is allowed, in words."""
    found, context = _shown(detail["input"]), detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(detail["loc"])
        case "missing":
            return "is missing; it has no default"
        case "greater_than_equal":
            return f"found {found}; expected at least {context['ge']:g}"
        case "greater_than":
            return f"found {found}; expected more than {context['gt']:g}"
        case "less_than_equal":
            return f"found {found}; expected at most {context['le']:g}"
        case "less_than":
            return f"found {found}; expected less than {context['lt']:g}"
        case "enum" | "literal_error":
            allowed = context["expected"].replace("'", "").replace(" or ", ", ")
            return f"found {found}; expected one of {allowed}{_closest(detail['input'], allowed.split(', '))}"
        case "too_short":
            return f"found {found}; expected at least {context['min_length']} entries"
        case "too_long":
            return f"found {found}; expected at most {context['max_length']} entries"
        case kind if kind in _EXPECTED:
            return f"found {found}; expected {_EXPECTED[kind]}"
        case _:
            return f"found {found}; {detail['msg']}"


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _unknown_key(loc: Sequence[str | int]) -> str:
    section: Any = SearchSpace
    for part in loc[:-1]:
        if isinstance(part, str):
            section = section.model_fields[part].annotation
            if getattr(section, "__origin__", None) is list:
                section = section.__args__[0]
    names = list(cast("type[Section]", section).model_fields)
    return f"unknown key; allowed: {', '.join(names)}{_closest(loc[-1], names)}"


def _closest(found: object, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(found), allowed, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _listed(section: type[Section]) -> str:
    return ", ".join(section.model_fields)


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list() if len(value) > 8:
            return f"a list of {len(value)}"
        case _:
            return repr(value)


def _natural(line: str) -> tuple[str, int, str]:
    """Sort by file, then line number, then text."""
    name, _, rest = line.partition(":")
    number, _, text = rest.partition(":")
    return (name, int(number) if number.isdigit() else 0, text or rest)
