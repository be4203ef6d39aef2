"""What `expander plan --simulate` prints: a search on a simulated cluster, under each policy of placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from expander.cli.hours import Cluster as Prices
from expander.cli.hours import GpuName, known_of
from expander.cli.output import document, new_table
from expander.errors import UsageError
from expander.hours import HOUR, readers_of, trials_of
from expander.placement import DOUBLING, SHARING_GAIN
from expander.plan import Plan
from expander.rounds import rounds_of
from expander.simulate import AWAY_HOURS, POLICIES, START_HOURS, Cluster, Simulated, policy_of, simulate
from expander.space import SearchSpace
from expander.throughput import GPUS, Throughput

# Of Llama 3's training on 16,384 H100: 419 unexpected interruptions in 54 days (arXiv 2407.21783, Sec. 3.3.4).
FAILURES = 0.02
# A machine is lost once in six weeks: an estimate, for machines that a cloud or a scheduler may take back.
PREEMPTIONS = 1.0
DEFAULT_GPU: GpuName = "h100"
DEFAULT_PER_NODE = 8

Simulate = Annotated[
    bool, typer.Option("--simulate", help="Schedule the search on a simulated cluster, under each policy of placement.")
]
Gpus = Annotated[int | None, typer.Option("--gpus", min=1, max=100_000, help="GPUs of the simulated cluster.")]
PerNode = Annotated[
    int | None, typer.Option("--gpus-per-node", min=1, max=1000, help=f"GPUs of one machine ({DEFAULT_PER_NODE}).")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Of the failures and preemptions that are drawn (0).")]
Failures = Annotated[
    float | None,
    typer.Option("--failures-per-1000-gpu-hours", min=0, max=1e6, help=f"Failures of an attempt ({FAILURES:g})."),
]
Preemptions = Annotated[
    float | None,
    typer.Option(
        "--preemptions-per-1000-node-hours", min=0, max=1e6, help=f"Losses of a whole machine ({PREEMPTIONS:g})."
    ),
]


@dataclass(frozen=True)
class Asked:
    """What --simulate and the options beside it say."""

    cluster: Cluster
    gpu: GpuName
    price: float | None
    prepared: bool
    store: str | None


def asked_of(
    given: bool, options: Mapping[str, Any], gpu: GpuName | None, price: float | None, prepared: bool, store: str | None
) -> Asked | None:
    """None where --simulate is not given. options: those that say how; None where they are not given.

    Raises UsageError where one option needs another.
    """
    asked = {option: value for option, value in options.items() if value is not None}
    count = asked.pop("--count", None)
    if not given:
        if asked:
            raise UsageError(f"{next(iter(asked))} is of a simulated cluster: give --simulate too")
        return None
    if count is not None:
        raise UsageError(f"--count {count}: a simulated cluster has --gpus; give --gpus {count}")
    if "--gpus" not in asked:
        raise UsageError("--simulate: of how many GPUs? give --gpus N")
    cluster = Cluster(
        asked["--gpus"],
        asked.get("--gpus-per-node", DEFAULT_PER_NODE),
        asked.get("--failures-per-1000-gpu-hours", FAILURES),
        asked.get("--preemptions-per-1000-node-hours", PREEMPTIONS),
        asked.get("--seed", 0),
    )
    return Asked(cluster, gpu or DEFAULT_GPU, price, prepared, store)


@dataclass(frozen=True)
class Found:
    """Every policy, and what the hours rest on. asked: the name of the space's own. rates: how many of the search's
    rates are from which source."""

    asked: str
    throughput: Throughput
    policies: tuple[Simulated, ...]
    rates: Counter[str]


def simulated_on(asked: Asked, space: SearchSpace, planned: Plan) -> Found:
    """Raises UsageError for a space that trains nothing, trains on CPUs, or measures its complexity."""
    if space.prescribed:
        raise UsageError(
            "--simulate: the space prescribes its path and trains nothing; plan one that searches, such as"
            " x3d_kinetics400"
        )
    if space.measured is not None:
        raise UsageError(
            f"--simulate: the next steps of the space follow from {space.measured} that is measured, of every network"
            " that they could come to; simulate it with --set complexity=flops and bounds in multiply-adds"
        )
    own = policy_of(space)
    known = known_of(Prices(asked.gpu, asked.cluster.gpus, asked.price, asked.prepared, asked.store))
    throughput = Throughput(GPUS[asked.gpu], readers_of(space), asked.prepared, known)
    rounds = rounds_of(space, planned, throughput, asked.cluster.seed)
    found = tuple(
        simulate(
            rounds,
            asked.cluster,
            policy,
            least=space.resources.gpus_per_trial,
            backoff=space.failures.backoff_seconds,
        )
        for policy in (POLICIES if own in POLICIES else (*POLICIES, own))
    )
    trials = [trial for each in planned.steps for trial in trials_of(space, each.step, throughput)]
    sources: Counter[str] = Counter(
        rate.source for trial in trials for rate in (trial.training_rate, trial.validation_rate)
    )
    return Found(own.name, throughput, found, sources)


def simulation_document(asked: Asked, found: Found) -> dict[str, Any]:
    """The simulation as plain values, hours and GPU-hours."""
    cluster = asked.cluster
    return {
        "gpu": found.throughput.gpu.name,
        "gpus": cluster.gpus,
        "gpus_per_node": cluster.per_node,
        "seed": cluster.seed,
        "failures_per_1000_gpu_hours": cluster.failures,
        "preemptions_per_1000_node_hours": cluster.preemptions,
        "prepared": found.throughput.prepared,
        "measured_trials": len(found.throughput.known),
        "rates": dict(found.rates),
        "assumptions": {
            "speed_kept_by_twice_the_gpus": DOUBLING,
            "sharing_gain_of_six_x2d": SHARING_GAIN,
            "start_seconds": START_HOURS * HOUR,
            "hours_without_a_preempted_machine": AWAY_HOURS,
        },
        "policy_of_the_space": found.asked,
        "policies": [_policy_document(asked, each) for each in found.policies],
    }


def _policy_document(asked: Asked, found: Simulated) -> dict[str, Any]:
    return {
        "name": found.policy.name,
        "makespan_hours": found.makespan,
        "utilisation": found.utilisation,
        "held_gpu_hours": found.held,
        "busy_gpu_hours": found.busy,
        "useful_gpu_hours": found.useful,
        "repeated_gpu_hours": found.repeated,
        "starting_gpu_hours": found.starting,
        "wasted_gpu_hours": found.wasted,
        "price": None if asked.price is None else found.held * asked.price,
        "failures": found.failures,
        "preempted": found.preempted,
        "dropped": found.dropped,
        "epochs_again": found.epochs_again,
        "begun_early": found.foreseen,
        "begun_early_and_needed": found.needed,
        "step_hours": list(found.steps),
    }


def print_simulation(title: str, asked: Asked, found: Found) -> None:
    """One row a policy, and what the figures rest on."""
    cluster = asked.cluster
    columns = ["policy", "hours", "busy", "GPU-hours held", "used", "wasted", "failed", "lost", "epochs again", "early"]
    if asked.price is not None:
        columns.insert(4, "cost")
    name = f"{title} on {cluster.gpus:,} simulated x {found.throughput.gpu.name}, {cluster.per_node} a machine"
    table = new_table(name, ("policy",), (), order=columns)
    for each in found.policies:
        cells = [each.policy.name, _figure(each.makespan), f"{each.utilisation:.1%}", _figure(each.held)]
        cells += [] if asked.price is None else [f"{each.held * asked.price:,.0f}"]
        cells += [_figure(each.busy - each.wasted), _figure(each.wasted), str(each.failures), str(each.preempted)]
        early = f"{each.needed} of {each.foreseen}" if each.foreseen else ""
        table.add_row(*cells, str(each.epochs_again), early)
    document().print(table)
    for line in _grounds(asked, found):
        document().print(line, markup=False)


def _grounds(asked: Asked, found: Found) -> Sequence[str]:
    cluster, rates = asked.cluster, found.rates
    sources = ", ".join(f"{count} {source}" for source, count in rates.most_common())
    return (
        f"The space asks for {found.asked}, by resources.placement and resources.speculation. hours: until the search"
        " ends. busy: the GPUs' share of them in which trials held them. wasted: for trials that no step needed."
        " failed, lost: attempts ended by a failure, or with their machine. epochs again: begun, cut off and trained"
        " anew. early: trials begun before their step, those needed first.",
        f"Nothing here is measured but rates of trials, where a store has them (--store): {sources}. Drawn from seed"
        f" {cluster.seed}, alike for every policy: {cluster.failures:g} failures in 1,000 GPU-hours, and"
        f" {cluster.preemptions:g} losses in 1,000 hours of a machine, which is back after {AWAY_HOURS:g} h. Estimates:"
        f" twice the GPUs are {2 * DOUBLING:g} times as fast, up to a GPU for each BN group of a batch; six X2D on one"
        f" GPU are {SHARING_GAIN:g} times as fast as one after the other, and networks that move {SHARING_GAIN:g} times"
        f" as much no faster; an attempt begins in {START_HOURS * HOUR:g} s.",
    )


def _figure(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}" if hours >= 1 else f"{hours:.2f}"
