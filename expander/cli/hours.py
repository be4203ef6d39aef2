"""What `expander plan --gpu` prints: GPU-hours and hours of every step, and where each figure is from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from expander.cli.output import document, new_table
from expander.errors import UsageError
from expander.hours import HOUR, TrialHours, readers_of
from expander.placement import DOUBLING
from expander.plan import Plan
from expander.schedule import StepHours, hours_of
from expander.simulate import START_HOURS, Simulated, Spent
from expander.space import ResourcesSection, SearchSpace
from expander.throughput import GPUS, READING, READING_PREPARED, ROOFLINE_SHARE, Rate, Throughput, Trained

GpuName = Literal["h100", "h200", "a100"]


@dataclass(frozen=True)
class Cluster:
    """What --gpu and the options beside it say. price: of an hour of one GPU. store: of trials that have run on it."""

    gpu: GpuName
    count: int
    price: float | None
    prepared: bool
    store: str | None


def cluster_of(
    gpu: GpuName | None, count: int | None, price: float | None, prepared: bool, store: str | None
) -> Cluster | None:
    """None without --gpu. Raises UsageError where one option needs another."""
    given = {"--count": count is not None, "--price": price is not None, "--prepared": prepared}
    if gpu is None:
        if alone := [option for option, is_given in given.items() if is_given]:
            raise UsageError(f"{alone[0]}: of which GPUs? give --gpu {', '.join(GPUS)} too")
        return None
    if count is None:
        raise UsageError(f"--gpu {gpu}: how many are there? give --count N")
    return Cluster(gpu, count, price, prepared, store)


@dataclass(frozen=True)
class Found:
    """The search on a cluster, its steps, and what they are computed from."""

    resources: ResourcesSection
    throughput: Throughput
    whole: Simulated
    steps: tuple[StepHours, ...]


def hours_on(cluster: Cluster, space: SearchSpace, planned: Plan) -> Found:
    """The hours of each step, and what they are computed from. Raises UsageError for a space that trains nothing."""
    if space.prescribed:
        raise UsageError(
            f"--gpu {cluster.gpu}: the space prescribes its path and trains nothing; plan one that searches, such as"
            " x3d_kinetics400"
        )
    throughput = Throughput(GPUS[cluster.gpu], readers_of(space), cluster.prepared, known_of(cluster))
    return Found(space.resources, throughput, *hours_of(space, planned, throughput, cluster.count))


def known_of(cluster: Cluster) -> tuple[Trained, ...]:
    """What finished trials took on such GPUs, as the store knows; nothing without one."""
    if cluster.store is None:
        return ()
    from results.store import open_store

    with closing(open_store(cluster.store)) as opened:
        return opened.trained_on(GPUS[cluster.gpu].marks)


def hours_document(cluster: Cluster, found: Found) -> dict[str, Any]:
    """The hours as plain values; each trial says of its figures whether they are measured, scaled or estimated."""
    throughput, whole = found.throughput, found.whole
    return {
        "gpu": throughput.gpu.name,
        "count": cluster.count,
        "gpus_per_trial": found.resources.gpus_per_trial,
        "placement": found.resources.placement,
        "speculation": found.resources.speculation,
        "readers_per_gpu": throughput.readers,
        "prepared": throughput.prepared,
        "measured_trials": len(throughput.known),
        "roofline_share": ROOFLINE_SHARE,
        "start_seconds": START_HOURS * HOUR,
        "speed_kept_by_twice_the_gpus": DOUBLING,
        "gpu_hours": whole.busy,
        "wasted_gpu_hours": whole.wasted,
        "hours": whole.makespan,
        "held_gpu_hours": whole.held,
        "price": None if cluster.price is None else whole.held * cluster.price,
        "steps": [_step_document(step) for step in found.steps],
    }


def _step_document(step: StepHours) -> dict[str, Any]:
    return {
        "key": step.step.key,
        "chosen": step.chosen,
        "training_gpu_hours": step.training,
        "validation_gpu_hours": step.validation,
        "gpu_hours": step.held,
        "hours": step.hours,
        "trials": [_trial_document(*each) for each in zip(step.trials, step.spent, strict=True)],
    }


def _trial_document(trial: TrialHours, spent: Spent) -> dict[str, Any]:
    return {
        "axes": list(trial.axes),
        "geometry": trial.geometry.as_dict(),
        "gpus": spent.gpus,
        "training_gpu_hours": spent.training,
        "validation_gpu_hours": spent.validation,
        "gpu_hours": spent.held,
        "hours": spent.hours,
        "training": _rate_document(trial.training_rate, "clips_per_second"),
        "validation": _rate_document(trial.validation_rate, "videos_per_second"),
    }


def _rate_document(rate: Rate, unit: str) -> dict[str, Any]:
    return {unit: 1 / rate.seconds, "source": rate.source, "bound": rate.bound}


def print_hours(title: str, cluster: Cluster, found: Found) -> None:
    """One row a step, and what the figures rest on."""
    left = ("step", "kept", "waits for", "source")
    columns = (
        "step",
        "kept",
        "trials",
        "GPUs each",
        "clips/s",
        "training",
        "validation",
        "GPU-hours",
        "hours",
        "waits for",
        "source",
    )
    table = new_table(f"{title} on {cluster.count} x {found.throughput.gpu.name}", left, (), order=columns)
    for step in found.steps:
        label = str(step.step.number) if step.step.regime is None else f"{step.step.regime} ↓"
        gpus = _spread((each.gpus for each in step.spent), "g")
        speeds = _spread((1 / trial.training_rate.seconds for trial in step.trials), ",.0f")
        figures = (step.training, step.validation, step.held, step.hours)
        waits = _each(trial.training_rate.bound for trial in step.trials)
        source = _each(rate.source for t in step.trials for rate in (t.training_rate, t.validation_rate))
        cells = (str(len(step.trials)), gpus, speeds, *map(_figure, figures))
        table.add_row(label, step.chosen or "", *cells, waits, source)
    table.add_section()
    sums = (sum(step.training for step in found.steps), sum(step.validation for step in found.steps))
    trials = str(sum(len(step.trials) for step in found.steps))
    total = map(_figure, (*sums, found.whole.busy, found.whole.makespan))
    table.add_row("search", "", trials, "", "", *total, "", "")
    document().print(table)
    for line in _grounds(cluster, found):
        document().print(line, markup=False)


def _spread(values: Iterable[float], form: str) -> str:
    """The least and the most of them; one where they read alike, nothing where there are none."""
    known = sorted(values)
    return "-".join(dict.fromkeys(format(value, form) for value in known[:1] + known[-1:]))


def _grounds(cluster: Cluster, found: Found) -> list[str]:
    """What the figures rest on."""
    resources, throughput, whole = found.resources, found.throughput, found.whole
    least, steps = resources.gpus_per_trial, found.steps
    placed = (
        f"proportional: a step's trials share all {cluster.count:,} GPUs by what they cost, each at least {least:g}"
        if resources.sized
        else f"fixed: each trial has {least:g} of the {cluster.count:,} GPUs"
    )
    cost = "" if cluster.price is None else f", {whole.held * cluster.price:,.0f} at {cluster.price:g} an hour"
    reads = f"with {throughput.readers} cores that read" if throughput.readers else "whose training reads by itself"
    lines = [
        f"resources.placement is {placed}, as on a Ray cluster; nothing fails (--simulate --gpus {cluster.count}: with"
        f" failures). All GPUs, held to the end: {_figure(whole.held)} GPU-hours{cost}.",
        f"clips/s: of one GPU {reads}. Estimates: twice the GPUs are"
        f" {2 * DOUBLING:g} times as fast, up to a GPU for each BN group of a batch; an attempt begins in"
        f" {START_HOURS * HOUR:g} s, which GPU-hours count.",
    ]
    if resources.speculation != "off":
        lines.append(
            f"resources.speculation is {resources.speculation}: {whole.foreseen} trials are begun early, {whole.needed}"
            f" of them needed; {_figure(whole.wasted)} GPU-hours are for the others. How good candidates look on the"
            " way is drawn from seed 0."
        )
    rates = [rate for step in steps for trial in step.trials for rate in (trial.training_rate, trial.validation_rate)]
    if any(rate.source != "estimated" for rate in rates):
        lines.append(
            "measured: what this very network took on such GPUs. scaled: from the nearest of the"
            f" {len(throughput.known)} trials that finished there, by the estimates of both."
        )
    if any(rate.source != "measured" for rate in rates):
        start, frame = READING_PREPARED if throughput.prepared else READING
        lines.append(
            "estimated, not measured: the slower of the GPU, which moves what a clip needs at"
            f" {ROOFLINE_SHARE:.0%} of its {throughput.gpu.bandwidth / 1e12:g} TB/s (published: 5 to 10 %), and of"
            f" reading, {1e3 * start:g} ms of a core for a clip and {1e3 * frame:g} ms for each frame. Trials that ran"
            " on such GPUs tell better: --store."
        )
    return lines


def _each(values: Iterable[str | None]) -> str:
    """The different values in words, the most frequent first."""
    found = [value for value in values if value is not None]
    return ", ".join(sorted(set(found), key=lambda value: (-found.count(value), value)))


def _figure(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}" if hours >= 1 else f"{hours:.2f}"
