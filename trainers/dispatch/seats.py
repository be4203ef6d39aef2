"""What a trial takes of a Ray cluster, and how many fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from expander.errors import UsageError
from trainers.dispatch.attempt import node_name

# Which every machine of a Ray cluster has by itself.
NODE_LABEL = "ray.io/node-id"


@dataclass(frozen=True)
class Seats:
    """The processes of a trial and what each holds of one machine; fractions share.

    least: as few may go on where others are lost; None is all of them.
    """

    cpus: float
    gpus: float
    workers: int = 1
    least: int | None = None

    @property
    def resources(self) -> dict[str, float]:
        """Of one process, as Ray names them."""
        return {kind: amount for kind, amount in (("CPU", self.cpus), ("GPU", self.gpus)) if amount}

    def on_cluster(self, avoid: Collection[str] = ()) -> int:
        """How many processes fit on the machines of the cluster that are alive, but for those of Ray's ids `avoid`."""
        return sum(self._on(machine) for node, machine in _machines().items() if node not in avoid)

    def nodes(self) -> frozenset[str]:
        """The names of the machines that have room for a process."""
        return frozenset(_name(machine) for machine in _alive() if self._on(machine["Resources"]))

    def avoided(self, names: Collection[str]) -> tuple[str, ...]:
        """Ray's ids of the machines of these names; none where no trial would fit on the others."""
        if not names:
            return ()
        nodes = tuple(sorted(machine["NodeID"] for machine in _alive() if _name(machine) in names))
        return nodes if self.trials(nodes) else ()

    def trials(self, avoid: Collection[str] = ()) -> int:
        """How many trials fit on the cluster at once; an elastic one also fits where its least does."""
        places = self.on_cluster(avoid)
        return max(places // self.workers, int(self.least is not None and places >= self.least))

    def check(self) -> int:
        """As `trials`. Raises UsageError where not one fits."""
        if trials := self.trials():
            return trials
        found = "; ".join(
            f"{machine.get('CPU', 0):g} cpus and {machine.get('GPU', 0):g} gpus" for machine in _machines().values()
        )
        if self.workers == 1:
            raise UsageError(
                f"the space asks for {self.cpus:g} cpus and {self.gpus:g} gpus a trial, more than any machine of the "
                f"Ray cluster has ({found}); set resources.cpus and resources.gpus_per_trial to what fits"
            )
        raise UsageError(
            f"a trial of the space has {self.workers} processes with {self.cpus:g} cpus and {self.gpus:g} gpus each,"
            f" and the machines of the Ray cluster have room for {self.on_cluster()} of them together ({found}); set"
            " resources.gpus_per_trial, resources.workers_per_trial and resources.cpus to what fits"
        )

    def _on(self, machine: dict[str, float]) -> int:
        return int(min(machine.get(kind, 0) / amount for kind, amount in self.resources.items()))


def elsewhere(avoid: Sequence[str]) -> dict[str, str]:
    """What Ray is told to keep a process from these machines; nothing for none."""
    return {NODE_LABEL: f"!in({','.join(avoid)})"} if avoid else {}


def _machines() -> dict[str, dict[str, Any]]:
    """The resources of the machines that are alive, by Ray's ids."""
    return {node["NodeID"]: node["Resources"] for node in _alive()}


def _name(machine: dict[str, Any]) -> str:
    return node_name(machine["NodeManagerHostname"], machine["NodeID"])


def _alive() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]
