"""`expander plan` and `expander cost`: answers in closed form, without torch."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from expander.axis import Axis, Factors
from expander.cli.files import load_space
from expander.cli.hours import GpuName, cluster_of, hours_document, hours_on, print_hours
from expander.cli.options import Json, Space, SpaceKeys
from expander.cli.output import document, new_table, notes, print_json
from expander.cli.simulate import (
    Failures,
    Gpus,
    PerNode,
    Preemptions,
    Seed,
    Simulate,
    asked_of,
    print_simulation,
    simulated_on,
    simulation_document,
)
from expander.complexity import measure
from expander.coordinator import measured
from expander.cost import Cost, closed_form
from expander.efficientnet3d import AnyGeometry
from expander.errors import UsageError
from expander.geometry import MOBILE_PARTS, Basis, Geometry, realise
from expander.plan import Plan, PlannedStep
from expander.plan import plan as make_plan
from expander.search import Candidate, Instance
from expander.space import SearchSpace
from expander.units import human


class MobilePart(StrEnum):
    """What Table A.1 takes out, as options are spelled."""

    CHANNELWISE = "channelwise"
    SWISH = "swish"
    SQUEEZE_EXCITATION = "squeeze-excitation"


def plan(
    space: Space,
    axes: Annotated[str | None, typer.Option(help="The axis of each step in order: bottleneck,fast,...")] = None,
    gpu: Annotated[GpuName | None, typer.Option(help="Show the GPU-hours of each step on GPUs of this kind.")] = None,
    count: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="How many of these GPUs there are.")] = None,
    prepared: Annotated[
        bool, typer.Option("--prepared", help="The videos are a copy made for reading by `expander data prepare`.")
    ] = False,
    price: Annotated[float | None, typer.Option(min=0, help="What an hour of one GPU costs.")] = None,
    store: Annotated[
        str | None, typer.Option(envvar="EXPANDER_STORE", help="Store of trials that ran on such GPUs, to scale from.")
    ] = None,
    simulated: Simulate = False,
    gpus: Gpus = None,
    per_node: PerNode = None,
    seed: Seed = None,
    failures: Failures = None,
    preemptions: Preemptions = None,
    overrides: SpaceKeys = None,
    as_json: Json = False,
) -> None:
    """Show every step's candidates, what they cost and what training them costs. Trains nothing."""
    options = {
        "--gpus": gpus,
        "--gpus-per-node": per_node,
        "--seed": seed,
        "--failures-per-1000-gpu-hours": failures,
        "--preemptions-per-1000-node-hours": preemptions,
        "--count": count,
    }
    asked = asked_of(simulated, options, gpu, price, prepared, store)
    cluster = cluster_of(gpu, count, price, prepared, store) if asked is None else None
    searched, _ = load_space(space, overrides or [])
    complexity = _complexity_here(searched)
    planned = make_plan(searched, _parse_axes(axes, searched.expansion.axes), complexity)
    if asked is not None:
        found = simulated_on(asked, searched, planned)
        if as_json:
            print_json({"space": space, "simulation": simulation_document(asked, found)})
        else:
            print_simulation(space, asked, found)
            _print_ending(planned)
        return
    hours = hours_on(cluster, searched, planned) if cluster else None
    if as_json:
        described = {"complexity": complexity.name, "device": complexity.device}
        expected = {"hours": hours_document(cluster, hours)} if cluster and hours else {}
        print_json({"space": space, **described, **plan_document(planned), **expected})
    elif cluster and hours:
        print_hours(space, cluster, hours)
        _print_ending(planned)
    elif axes is not None:
        _print_plan(f"{space} (along the given axes)", planned, complexity)
    else:
        path = "assumed path: a search decides for itself" if planned.assumed else "prescribed path"
        _print_plan(f"{space} ({path})", planned, complexity)


def _complexity_here(space: SearchSpace) -> Cost:
    """The complexity of a space; a measured one on this machine, in this process."""
    if space.measured is None:
        return closed_form(space.complexity)
    from expander.cli.progress import MeasuringAloud
    from expander.cli.running import meter_of

    notes().print("this space measures what networks take: here, in this process, and nothing is recorded")
    return measured(space.measured, MeasuringAloud(meter_of(space), notes()))


def _parse_axes(text: str | None, allowed: list[Axis]) -> list[Axis] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    wrong = [name for name in names if name not in allowed]
    if wrong:
        raise UsageError(
            f"--axes: {', '.join(map(repr, wrong))} not among the space's axes; allowed: {', '.join(allowed)}"
        )
    return [Axis(name) for name in names]


def plan_document(planned: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "assumed": planned.assumed,
        "ending": planned.ending,
        "automatic_changes": planned.automatic,
        "training_flops": planned.training_flops,
        "steps": [_step_document(step) for step in planned.steps],
        "instances": [_instance_document(instance) for instance in planned.instances],
    }


def _step_document(planned: PlannedStep) -> dict[str, Any]:
    step = planned.step
    return {
        "number": step.number,
        "kind": step.kind,
        "regime": step.regime,
        "frontier_cost": step.frontier_cost,
        "bound": step.bound,
        "recipe": step.recipe.as_dict(),
        "candidates": [_candidate_document(candidate) for candidate in step.candidates],
        "chosen": planned.chosen,
        "trainings": planned.trainings,
        "training_flops": planned.training_flops,
    }


def _candidate_document(candidate: Candidate) -> dict[str, Any]:
    values: dict[str, Any] = {"axis": candidate.axis, "feasible": candidate.feasible, "reason": candidate.reason}
    found = candidate.solution
    cost = found.complexity.as_dict() if found else dict.fromkeys(("flops", "params", "params_without_batchnorm"))
    return values | {
        "geometry": found.geometry.as_dict() if found else None,
        "factors": found.factors.as_dict() if found else None,
        **cost,
        "cost": found.cost if found else None,
        "achieved_rate": round(found.achieved_rate, 6) if found else None,
    }


def _instance_document(instance: Instance) -> dict[str, Any]:
    return {
        "name": instance.name,
        "bound": instance.bound,
        "step": instance.step,
        "kind": instance.kind,
        "geometry": instance.geometry.as_dict(),
        "factors": instance.factors.as_dict(),
        **instance.complexity.as_dict(),
        "cost": instance.cost,
    }


def _print_plan(title: str, planned: Plan, complexity: Cost) -> None:
    console = document()
    extra = _extra_column(complexity)
    columns = ("step", "axis", "clip", "crop", "blocks", "γw", "γb", "FLOPs", "params", *extra, "rate")
    table = new_table(title, ("step", "axis", "blocks"), (), order=columns)
    for number, step in enumerate(planned.steps):
        if number:
            table.add_section()
        for candidate in step.step.candidates:
            _add_candidate(table, step, candidate, complexity)
    console.print(table)
    _print_infeasible(planned)
    if planned.training_flops:
        console.print(_training_table(planned))
    else:
        console.print("Nothing is trained: the space prescribes its path.")
    if planned.instances:
        console.print(_instance_table(planned, complexity))
        if any(instance.kind == "contraction" for instance in planned.instances):
            console.print("↓ contracted from the step that overshot its bound")
    _print_ending(planned)


def _print_ending(planned: Plan) -> None:
    if planned.automatic:
        notes().print(
            f"Of {planned.automatic} changes of regularisation a gap decides, which is known once networks are trained:"
            " none of them has begun in this plan."
        )
    notes().print(f"The plan ends here: {planned.ending}.")


def _extra_column(complexity: Cost) -> tuple[str, ...]:
    """The column of a complexity that has none among FLOPs and params."""
    return () if complexity.name in ("flops", "params") else (complexity.name,)


def _add_candidate(table: Table, planned: PlannedStep, candidate: Candidate, complexity: Cost) -> None:
    first = candidate is planned.step.candidates[0]
    label = (
        (f"{planned.step.number}" if planned.step.kind == "expansion" else f"{planned.step.regime}") if first else ""
    )
    style = "bold" if candidate.axis is planned.chosen else ("dim" if not candidate.feasible else "")
    mark = "→ " if candidate.axis is planned.chosen else ("  " if candidate.feasible else "✗ ")
    found = candidate.solution
    if found is None:
        table.add_row(label, mark + candidate.axis, style=style)
        return
    geometry = found.geometry
    table.add_row(
        label,
        mark + candidate.axis,
        geometry.clip,
        str(geometry.crop),
        " ".join(map(str, geometry.blocks)),
        f"{found.factors.gamma_w:g}",
        f"{found.factors.gamma_b:g}",
        human(found.complexity.flops),
        human(found.complexity.params),
        *(complexity.show(found.cost) for _ in _extra_column(complexity)),
        f"{found.achieved_rate:.3f}",
        style=style,
    )


def _print_infeasible(planned: Plan) -> None:
    """Why candidates cannot be chosen; the table shows the nearest that each axis reaches."""
    console = document()
    for step in planned.steps:
        for candidate in step.step.candidates:
            if not candidate.feasible:
                reason = f"✗ step {step.step.key}, {candidate.axis}: infeasible, {candidate.reason}"
                console.print(reason, style="dim", markup=False)


def _training_table(planned: Plan) -> Table:
    table = new_table("Training, in multiply-adds", ("step", "kept"), ("trainings", "FLOPs"))
    for step in planned.steps:
        label = str(step.step.number) if step.step.kind == "expansion" else f"{step.step.regime} (contraction)"
        table.add_row(label, step.chosen or "", str(step.trainings), human(step.training_flops))
    table.add_section()
    total = sum(step.trainings for step in planned.steps)
    table.add_row("search", "", str(total), human(planned.training_flops))
    return table


def _instance_table(planned: Plan, complexity: Cost) -> Table:
    extra = _extra_column(complexity)
    columns = ("name", "step", "clip", "crop", "blocks", "widths", "FLOPs", "params", "(no BN)", *extra)
    table = new_table("Instances", ("name", "step", "blocks", "widths"), (), order=columns)
    for instance in planned.instances:
        geometry, cost = instance.geometry, instance.complexity
        step = f"{instance.step}" + (" ↓" if instance.kind == "contraction" else "")
        blocks, widths = " ".join(map(str, geometry.blocks)), " ".join(map(str, geometry.widths))
        counts = [human(cost.flops), human(cost.params), human(cost.params_without_batchnorm)]
        counts += [complexity.show(instance.cost) for _ in extra]
        table.add_row(instance.name, step, geometry.clip, str(geometry.crop), blocks, widths, *counts)
    return table


def cost(
    config: Annotated[str | None, typer.Argument(help="A config, or a network such as X3D-S; else options.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Frames of the clip.")] = None,
    crop: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Side of the crop in pixels.")] = None,
    gamma_w: Annotated[float | None, typer.Option(help="Multiplier of the widths.")] = None,
    gamma_b: Annotated[float | None, typer.Option(help="Multiplier of the inner widths.")] = None,
    gamma_d: Annotated[float | None, typer.Option(help="Multiplier of the blocks.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Classes of the last layer.")] = None,
    without: Annotated[
        list[MobilePart] | None, typer.Option(help="A mobile part to leave out of an X3D (Table A.1); once for each.")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Also count the real network with fvcore.")] = False,
    as_json: Json = False,
) -> None:
    """Show what one geometry costs, in closed form."""
    options = {
        "frames": frames,
        "crop": crop,
        "gamma-w": gamma_w,
        "gamma-b": gamma_b,
        "gamma-d": gamma_d,
        "classes": classes,
    }
    given = [name for name, value in options.items() if value is not None]
    if config is not None and given:
        raise UsageError(f"--{given[0]}: the geometry is the one of {config}; give a config or the options, not both")
    for name in ("gamma-w", "gamma-b", "gamma-d"):
        value = options[name]
        if value is not None and not 0 < value < 1e6:
            raise UsageError(f"--{name}: found {value:g}; expected a number over 0 and under 1,000,000")
    geometry = _geometry_of(config) if config else _geometry_from(frames, crop, gamma_w, gamma_b, gamma_d, classes)
    if without:
        if not isinstance(geometry, Geometry):
            raise UsageError(f"--without {without[0]}: {config} is no X3D; only of X3D a part can be left out")
        missing: Any = {part.replace("-", "_"): False for part in without}
        geometry = replace(geometry, **missing)
    complexity = measure(geometry)
    values: dict[str, Any] = {"geometry": geometry.as_dict(), **complexity.as_dict()}
    if trace:
        from trainers.networks.trace import trace as count

        values["traced"] = count(geometry).as_dict()
    if as_json:
        print_json(values)
    else:
        _print_cost(values)


def _geometry_of(config: str) -> AnyGeometry:
    from expander.cli.files import load_config

    return load_config(config).geometry


def _geometry_from(
    frames: int | None,
    crop: int | None,
    gamma_w: float | None,
    gamma_b: float | None,
    gamma_d: float | None,
    classes: int | None,
) -> Geometry:
    basis = Basis() if classes is None else Basis(classes=classes)
    factors = Factors(
        gamma_t=frames or 1,
        gamma_s=(crop or basis.crop) / basis.crop,
        gamma_w=gamma_w or 1.0,
        gamma_b=gamma_b or 1.0,
        gamma_d=gamma_d or 1.0,
    )
    return realise(factors, basis)


def _print_cost(values: dict[str, Any]) -> None:
    table = new_table("", ("",), ("closed form", *(["traced by fvcore"] if "traced" in values else [])))
    labels = {
        "flops": "FLOPs (multiply-adds)",
        "params": "params",
        "params_without_batchnorm": "params without BN",
        "activations": "activations",
    }
    for key, label in labels.items():
        table.add_row(label, f"{values[key]:,}", *([f"{values['traced'][key]:,}"] if "traced" in values else []))
    geometry = values["geometry"]
    console = document()
    stride = f" of stride {geometry['stride']}" if geometry["stride"] else ""
    frames = "1 frame" if geometry["frames"] == 1 else f"{geometry['frames']} frames{stride}"
    lists = ("blocks", "widths", "inner_widths", "expansions")
    stages = ", ".join(f"{key.replace('_', ' ')} {geometry[key]}" for key in lists if key in geometry)
    missing = "".join(f", without {part.replace('_', ' ')}" for part in MOBILE_PARTS if not geometry.get(part, True))
    console.print(f"{frames}, crop {geometry['crop']}, {stages}, {geometry['classes']} classes{missing}", markup=False)
    console.print(table)
