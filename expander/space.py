"""SearchSpace: the strict schema of a search space's YAML, and what it says of mistakes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from expander.axis import Axis, Factors
from expander.cost import UNITS, ComplexityName, Cost, MeasuredName, closed_form
from expander.geometry import Basis, realise
from expander.recipe import Precision, Recipe, Regularisation, ShortVideos
from expander.solve import Grids, Lattice, Limits
from expander.strict import Conflict, Key, Section, check
from expander.trial import Views

# Upper ends are far beyond any use; past them a slip of the keyboard would cost minutes or overflow a column.
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Group = Annotated[int, Field(ge=2, le=1_000_000_000)]
Workers = Annotated[int, Field(ge=1, le=1_000_000)]
Whole = Annotated[int, Field(ge=0, le=1_000_000_000)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Below = Annotated[float, Field(ge=0, lt=1)]
Gap = Annotated[float, Field(gt=-1, lt=1)]
GridStep = Annotated[float, Field(ge=0.001, le=100)]
Multiple = Annotated[float, Field(ge=1, le=1_000_000)]
RegimeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
AxisName = Annotated[Axis, Field(strict=False)]


class BasisSection(Section):
    """What every factor multiplies; by default X2D (Table 1)."""

    widths: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=1)] = [24, 48, 96, 192]
    blocks: Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1)] = [1, 2, 5, 3]
    crop: Count = 112
    classes: Annotated[int, Field(ge=2, le=100_000)] = 400
    head_width: Count = 2048
    stem_kernel: Count = 5
    channelwise: bool = True
    swish: bool = True
    squeeze_excitation: bool = True


class ExpansionSection(Section):
    """How far, along which axes and in which order."""

    rate: Annotated[float, Field(gt=1, le=100)] = 2.0
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
    width: GridStep = 0.05
    bottleneck: GridStep = 0.25


class LimitsSection(Section):
    """The largest value of each factor; null is no limit."""

    frames: Count | None = None
    crop: Count | None = None
    depth: Multiple | None = None
    width: Multiple | None = None
    bottleneck: Multiple | None = None


class RegimesSection(Section):
    """The instances to be found, and the bound of each in the unit of the space's complexity."""

    bounds: Annotated[dict[RegimeName, Annotated[float, Field(gt=0, le=1e15)]], Field(min_length=1)] = {
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
    batchnorm_group: Group = 8
    scale_jitter: Annotated[list[Annotated[float, Field(ge=1)]], Field(min_length=2, max_length=2)] = [
        128 / 112,
        160 / 112,
    ]
    flip: bool = True
    precision: Precision = "bfloat16"
    precise_batchnorm: Whole = 0
    short_videos: ShortVideos = "loop"


class RegularisationSection(Section):
    """A change of recipe that begins at a step, or once the gap is over a value (Sec. A.3); what is left out stays."""

    from_step: Count | None = None
    when_gap: Gap | None = None
    epochs: Count | None = None
    batch: Count | None = None
    base_rate: Positive | None = None
    warmup: Below | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    dropout: Below | None = None
    drop_connect: Below | None = None
    batchnorm_group: Group | None = None


class ViewsSection(Section):
    """What a validation video is scored from (Sec. 4)."""

    clips: Count = 10
    crops: Literal["center", "left-center-right"] = "center"


class DataSection(Section):
    """Manifests, the folder that their paths start from, and the damage that is tolerated."""

    train: str | None = None
    val: str | None = None
    root: str | None = None
    outside_root: bool = False
    damage_share: Share = 0.01
    seconds_per_video: Annotated[float, Field(gt=0, le=1_000_000)] = 120.0
    train_videos: Count = 240_000
    val_videos: Count = 20_000


class PrepareSection(Section):
    """Copies of the videos that a search makes before its first step, and trains on; none without a folder."""

    folder: str | None = None
    form: Literal["frames", "video", "raw"] = "frames"
    side: Annotated[int, Field(ge=16, le=8192)] | None = None


class ResourcesSection(Section):
    """What one trial takes: its processes, and what each of them has of a machine."""

    renamed: ClassVar[Mapping[str, str]] = {"gpus": "gpus_per_trial"}

    cpus: Positive = 1.0
    gpus_per_trial: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    workers_per_trial: Workers | None = None
    least_workers: Workers | None = None
    loader_workers: Whole = 0
    placement: Literal["fixed", "proportional"] = "proportional"
    speculation: Literal["off", "certain", "likely"] = "off"
    micro_batch: Count | None = None
    gradient_checkpointing: bool | None = None

    @property
    def sized(self) -> bool:
        """Whether a trial may get more GPUs than it asks for: on a CPU more processes are not always faster."""
        return self.placement == "proportional" and self.gpus_per_trial > 0

    @property
    def workers(self) -> int:
        """Processes of one trial: as said, else one for each GPU."""
        return self.workers_per_trial or max(1, int(self.gpus_per_trial))

    @property
    def gpus_per_worker(self) -> float:
        """GPUs of one process: one, none, or the part of one that a single process takes."""
        return self.gpus_per_trial / self.workers


class FailuresSection(Section):
    """What happens when a trial fails."""

    retries: Whole = 1
    backoff_seconds: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    hang_minutes: Annotated[float, Field(gt=0, le=1_000_000)] | None = 30.0
    then: Literal["stop", "skip"] = "stop"


class WatchSection(Section):
    """Where else a search is watched."""

    mlflow: str | None = None


class CoordinatorSection(Section):
    """The process that runs the search."""

    lease_seconds: Annotated[float, Field(ge=1, le=1_000_000)] = 60.0


class SearchSpace(Section):
    """A search space. Every section may be left out: what is not said is the paper's."""

    description: str = ""
    complexity: ComplexityName = "flops"
    basis: BasisSection = BasisSection()
    expansion: ExpansionSection = ExpansionSection()
    grids: GridsSection = GridsSection()
    limits: LimitsSection = LimitsSection()
    regimes: RegimesSection = RegimesSection()
    recipe: RecipeSection = RecipeSection()
    regularisation: list[RegularisationSection] = []
    views: ViewsSection = ViewsSection()
    data: DataSection = DataSection()
    prepare: PrepareSection = PrepareSection()
    resources: ResourcesSection = ResourcesSection()
    failures: FailuresSection = FailuresSection()
    watch: WatchSection = WatchSection()
    coordinator: CoordinatorSection = CoordinatorSection()
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
    def measured(self) -> MeasuredName | None:
        """The complexity where a device measures it, None where it has a closed form."""
        match self.complexity:
            case "latency" | "memory" as name:
                return name
            case _:
                return None

    @property
    def base_recipe(self) -> Recipe:
        """The recipe before any regularisation expansion."""
        return Recipe.from_dict(self.recipe.model_dump())

    @property
    def regularisation_expansion(self) -> tuple[Regularisation, ...]:
        """The changes of recipe: with the step where each begins, or with the gap that an automatic one waits for."""
        changes = (change.model_dump(exclude_none=True) for change in self.regularisation)
        return tuple(Regularisation(c.pop("from_step", None), c, c.pop("when_gap", None)) for c in changes)

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
OPERATIONAL = ("description", "resources", "failures", "watch", "coordinator")


def read_space(values: object, where: Mapping[Key, str], source: str) -> SearchSpace:
    """The search space in `values`, plain data as YAML gives it.

    `where` names the place of each key ('file.yaml:12'), `source` the whole. Raises one SpaceError with every mistake.
    """
    return check(SearchSpace, values, where, source, _conflicts)


def _conflicts(space: SearchSpace) -> list[Conflict]:
    """Values that are possible by themselves and impossible together."""
    found = [
        *_basis_conflicts(space),
        *_path_conflicts(space.expansion),
        *_regularisation_conflicts(space),
        *_resource_conflicts(space.resources),
        *_speculation_conflicts(space),
    ]
    smallest, largest = space.recipe.scale_jitter
    if smallest > largest:
        found.append((("recipe", "scale_jitter"), f"[{smallest}, {largest}] runs backwards; give [smallest, largest]"))
    found += _watch_conflicts(space.watch)
    if space.recipe.precise_batchnorm == 1:
        text = "1 clip has no variance; give 0 to keep the running statistics, or some hundreds of clips"
        found.append((("recipe", "precise_batchnorm"), text))
    limit, crop = space.limits.crop, space.basis.crop
    if limit is not None and limit < crop:
        text = f"{limit} is under the basis' {crop}; give at least that, or null for no limit"
        found.append((("limits", "crop"), text, ("basis", "crop")))
    return found


def _basis_conflicts(space: SearchSpace) -> Iterator[Conflict]:
    basis = space.basis
    widths, blocks = len(basis.widths), len(basis.blocks)
    if basis.stem_kernel % 2 == 0:
        text = f"{basis.stem_kernel} is even; a centred kernel has an odd number of frames"
        yield ("basis", "stem_kernel"), text
    if widths != blocks:
        text = f"{blocks} stages, but basis.widths has {widths}; give one entry a stage in both"
        yield ("basis", "blocks"), text, ("basis", "widths")
        return
    # Also where the paper's space spells them out.
    if space.complexity != "flops" and space.regimes.bounds == RegimesSection().bounds:
        unit = UNITS[space.complexity]
        text = (
            f"{space.complexity} needs regimes.bounds in {unit}; the paper's, which stand by default, are multiply-adds"
        )
        yield ("complexity",), text
    elif space.measured is None:
        yield from bound_conflicts(space, closed_form(space.complexity))


def bound_conflicts(space: SearchSpace, cost: Cost) -> Iterator[Conflict]:
    """Bounds that the basis itself is over."""
    smallest = cost.of(realise(Factors(), space.lattice.basis))
    if smallest == math.inf:
        yield ("basis",), f"it does not fit in the memory of {cost.device}; give a smaller one"
        return
    for name, bound in space.regimes.bounds.items():
        if bound < smallest:
            text = (
                f"{cost.show(bound)} is under the {cost.name} of the basis, {cost.show(smallest)} as measured on"
                f" {cost.device}; give a larger bound"
                if cost.measured
                else f"{bound:g} {cost.unit} are under the basis' own {smallest:,}; give a larger bound"
            )
            yield ("regimes", "bounds", name), text, ("basis",), ("complexity",)


def _path_conflicts(expansion: ExpansionSection) -> Iterator[Conflict]:
    for index, axis in enumerate(expansion.axes):
        if axis in expansion.axes[:index]:
            yield ("expansion", "axes", index), f"{axis.value!r} is listed twice; list each axis once"
    for index, axis in enumerate(expansion.path):
        # An assumed path is only a guess of what the search will do: `expander plan` ends where it cannot go on.
        if axis not in expansion.axes and expansion.path_is == "prescribed":
            text = f"{axis.value!r} is not among expansion.axes; allowed: {', '.join(expansion.axes)}"
            yield ("expansion", "path", index), text, ("expansion", "axes"), ("expansion", "path_is")
    if expansion.path_is == "prescribed" and not expansion.path:
        text = "'prescribed' needs expansion.path, the axis of each step in order"
        yield ("expansion", "path_is"), text, ("expansion", "path")


def _watch_conflicts(watch: WatchSection) -> Iterator[Conflict]:
    uri = watch.mlflow
    if uri is not None and not uri.startswith(("http://", "https://")):
        text = (
            f"{uri!r} is no address of an MLflow server; expected http://host:port or https://host, such as `mlflow"
            " server` prints as it starts. A folder or a database becomes one by `mlflow server --backend-store-uri`"
        )
        yield ("watch", "mlflow"), text
    elif uri is not None and "@" in uri:
        text = (
            "it holds a user's name, and would be recorded in the store; give the address alone, and MLflow's own"
            " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
        )
        yield ("watch", "mlflow"), text


def _regularisation_conflicts(space: SearchSpace) -> Iterator[Conflict]:
    for index, change in enumerate(space.regularisation):
        key, chosen = ("regularisation", index), (change.from_step, change.when_gap)
        reads = ((*key, "from_step"), (*key, "when_gap"))
        if chosen == (None, None):
            text = "it never begins; give from_step, its first step, or when_gap, the gap that it waits for"
            yield key, text, *reads
        elif None not in chosen:
            text = f"{change.when_gap:g} stands beside from_step {change.from_step}; give one of the two"
            yield (*key, "when_gap"), text, *reads
        elif change.when_gap is not None and space.prescribed:
            text = "a prescribed path trains nothing and has no gap; give from_step"
            yield (*key, "when_gap"), text, *reads, ("expansion", "path_is")


def _resource_conflicts(resources: ResourcesSection) -> Iterator[Conflict]:
    gpus, workers, least = resources.gpus_per_trial, resources.workers_per_trial, resources.least_workers
    on_gpus, of_trial = ("resources", "gpus_per_trial"), ("resources", "workers_per_trial")
    if gpus > 1 and gpus != int(gpus):
        yield on_gpus, f"{gpus:g} is more than one GPU and no whole number; give whole GPUs, or a part of one", of_trial
    elif workers is not None and gpus and workers != max(1, gpus):
        text = f"{workers} processes for {gpus:g} GPUs; a process trains on one GPU: give null, or {max(1, int(gpus))}"
        yield of_trial, text, on_gpus
    elif least is not None and least > resources.workers:
        text = f"{least} is more than the processes of a trial, {resources.workers}; give at most that, or null"
        yield ("resources", "least_workers"), text, of_trial, on_gpus


def _speculation_conflicts(space: SearchSpace) -> Iterator[Conflict]:
    if space.resources.speculation != "off" and space.measured is not None:
        text = (
            f"{space.resources.speculation!r} needs the candidates of steps that may come, and {space.complexity} would"
            " have to be measured of each while trials run; give off"
        )
        yield ("resources", "speculation"), text, ("complexity",)


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
