"""What a trial takes of a Ray cluster, and how many fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ray

from expander.errors import UsageError


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

    def on_cluster(self) -> int:
        """How many processes fit on the machines of the cluster that are alive."""
        return sum(self._on(machine) for machine in _machines())

    def trials(self) -> int:
        """How many trials fit on the cluster at once; an elastic one also fits where its least does."""
        places = self.on_cluster()
        return max(places // self.workers, int(self.least is not None and places >= self.least))

    def check(self) -> int:
        """As `trials`. Raises UsageError where not one fits."""
        if trials := self.trials():
            return trials
        found = "; ".join(
            f"{machine.get('CPU', 0):g} cpus and {machine.get('GPU', 0):g} gpus" for machine in _machines()
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


def _machines() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]
