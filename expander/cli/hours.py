"""What `expander plan --gpu` prints: GPU-hours and hours of every step, and where each figure is from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from expander.cli.output import document, new_table
from expander.errors import UsageError
from expander.hours import StepHours, TrialHours, hours_of, share_of
from expander.plan import Plan
from expander.space import SearchSpace
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


def steps_on(cluster: Cluster, space: SearchSpace, planned: Plan) -> tuple[Throughput, tuple[StepHours, ...]]:
    """The hours of each step, and what they are computed from. Raises UsageError for a space that trains nothing."""
    if space.prescribed:
        raise UsageError(
            f"--gpu {cluster.gpu}: the space prescribes its path and trains nothing; plan one that searches, such as"
            " x3d_kinetics400"
        )
    throughput = Throughput(GPUS[cluster.gpu], share_of(space), cluster.prepared, known_of(cluster))
    return throughput, hours_of(space, planned, throughput, cluster.count)


def known_of(cluster: Cluster) -> tuple[Trained, ...]:
    """What finished trials took on such GPUs, as the store knows; nothing without one."""
    if cluster.store is None:
        return ()
    from results.store import open_store

    with closing(open_store(cluster.store)) as opened:
        return opened.trained_on(GPUS[cluster.gpu].marks)


def hours_document(cluster: Cluster, throughput: Throughput, steps: Sequence[StepHours]) -> dict[str, Any]:
    """The hours as plain values; each trial says of its figures whether they are measured, scaled or estimated."""
    total = sum(step.training + step.validation for step in steps)
    wall = sum(step.hours for step in steps)
    return {
        "gpu": throughput.gpu.name,
        "count": cluster.count,
        "gpus_per_trial": throughput.share.gpus,
        "readers_per_trial": throughput.share.readers,
        "prepared": throughput.prepared,
        "measured_trials": len(throughput.known),
        "roofline_share": ROOFLINE_SHARE,
        "gpu_hours": total,
        "hours": wall,
        "held_gpu_hours": wall * cluster.count,
        "price": None if cluster.price is None else wall * cluster.count * cluster.price,
        "steps": [_step_document(step) for step in steps],
    }


def _step_document(step: StepHours) -> dict[str, Any]:
    return {
        "key": step.step.key,
        "chosen": step.chosen,
        "training_gpu_hours": step.training,
        "validation_gpu_hours": step.validation,
        "hours": step.hours,
        "trials": [_trial_document(trial, step.gpus) for trial in step.trials],
    }


def _trial_document(trial: TrialHours, gpus: float) -> dict[str, Any]:
    return {
        "axes": list(trial.axes),
        "geometry": trial.geometry.as_dict(),
        "training_gpu_hours": trial.training * gpus,
        "validation_gpu_hours": trial.validation * gpus,
        "hours": trial.hours,
        "training": _rate_document(trial.training_rate, "clips_per_second"),
        "validation": _rate_document(trial.validation_rate, "videos_per_second"),
    }


def _rate_document(rate: Rate, unit: str) -> dict[str, Any]:
    return {unit: 1 / rate.seconds, "source": rate.source, "bound": rate.bound}


def print_hours(title: str, cluster: Cluster, throughput: Throughput, steps: Sequence[StepHours]) -> None:
    """One row a step, and what the figures rest on."""
    left = ("step", "kept", "waits for", "source")
    columns = (
        "step",
        "kept",
        "trials",
        "clips/s",
        "training",
        "validation",
        "GPU-hours",
        "hours",
        "waits for",
        "source",
    )
    table = new_table(f"{title} on {cluster.count} x {throughput.gpu.name}", left, (), order=columns)
    for step in steps:
        label = str(step.step.number) if step.step.regime is None else f"{step.step.regime} ↓"
        speeds = [1 / trial.training_rate.seconds for trial in step.trials]
        spread = f"{min(speeds):,.0f}" if len(speeds) == 1 else f"{min(speeds):,.0f}-{max(speeds):,.0f}"
        figures = (step.training, step.validation, step.training + step.validation, step.hours)
        waits = _each(trial.training_rate.bound for trial in step.trials)
        source = _each(rate.source for t in step.trials for rate in (t.training_rate, t.validation_rate))
        cells = (str(len(step.trials)), spread, *map(_figure, figures))
        table.add_row(label, step.chosen or "", *cells, waits, source)
    table.add_section()
    training, validation = sum(step.training for step in steps), sum(step.validation for step in steps)
    wall = sum(step.hours for step in steps)
    trials = str(sum(len(step.trials) for step in steps))
    table.add_row("search", "", trials, "", *map(_figure, (training, validation, training + validation, wall)), "", "")
    document().print(table)
    for line in _grounds(cluster, throughput, steps, wall):
        document().print(line, markup=False)


def _grounds(cluster: Cluster, throughput: Throughput, steps: Sequence[StepHours], wall: float) -> list[str]:
    """What the figures rest on."""
    share, held = throughput.share, wall * cluster.count
    side = int(cluster.count / share.gpus + 1e-9)
    cost = "" if cluster.price is None else f", {held * cluster.price:,.0f} at {cluster.price:g} an hour"
    lines = [
        f"A trial holds {share.gpus:g} of the GPUs and {share.readers} cores that read; up to {side} run side by side."
        f" All GPUs, held to the end: {_figure(held)} GPU-hours{cost}."
    ]
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
