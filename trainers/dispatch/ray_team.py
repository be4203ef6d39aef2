"""Teams of Ray Train: it places the workers, on one machine or several, and makes their process group."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import ray
import ray.train
from ray.util.placement_group import (
    PlacementGroup,
    get_current_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

from expander.trial import FailureKind, Trial
from trainers.dispatch.attempt import die_with_parent
from trainers.dispatch.member import PATIENCE_SECONDS, TeamTraining, take_part
from trainers.dispatch.reason import reason
from trainers.dispatch.seats import Seats, elsewhere
from trainers.dispatch.wire import Post

# Read by Ray Train as a run begins: its second version; a look at the workers every half second, that one which is
# killed is noticed; no measurements for Prometheus; and the folder of the coordinator stays that of each worker.
ENVIRONMENT = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
# How long an elastic team waits for the room of a larger one. What a lost worker had is free at once; that its machine
# is gone, Ray knows after some 15 seconds.
ROOM_SECONDS = 20.0
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class RayLauncher:
    """Starts teams with `seats` from within a process on the cluster, which dies with them.

    shared: a folder that all workers must see. wanted: the coordinator's versions, which they must have. placed: the
    seats of trials, by their ids, that have others than `seats`.
    """

    training: TeamTraining
    seats: Seats
    shared: Path | None
    wanted: Mapping[str, str] | None = None
    placed: Mapping[str, Seats] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The address of this machine in the cluster."""
        return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]

    @property
    def elastic(self) -> bool:
        """Whether a team may be followed by a smaller one."""
        return self.seats.least is not None

    def launch(self, trial: Trial, post: Post, avoid: Sequence[str]) -> _RayMembers:
        """Begin a run of Ray Train."""
        seats = self.placed.get(trial.id, self.seats)
        size = _room(seats, avoid) if self.elastic else seats.workers
        return _RayMembers(self, replace(seats, workers=size), trial, post, avoid)

    def reason(self, worker: str, said: str) -> tuple[FailureKind, str]:
        """Why a worker was lost, out of Ray's page."""
        return reason(worker, said)


def _room(seats: Seats, avoid: Sequence[str]) -> int:
    """The largest team that can be placed now; waits until there is one."""
    most = seats.workers
    while True:
        begun = time.monotonic()
        while seats.on_cluster(avoid) >= most and time.monotonic() - begun < ROOM_SECONDS:
            if _fits(seats, most, avoid):
                return most
        for size in range(most - 1, (seats.least or most) - 1, -1):
            if seats.on_cluster(avoid) >= size and _fits(seats, size, avoid):
                return size


def _fits(seats: Seats, size: int, avoid: Sequence[str]) -> bool:
    labels = elsewhere(avoid)
    where = {"bundle_label_selector": [labels] * size} if labels else {}
    group = placement_group([seats.resources] * size, **where)
    try:
        return bool(group.wait(LOOK_SECONDS))
    finally:
        remove_placement_group(group)


@cache
def _trainer() -> Any:
    """Ray's TorchTrainer without the process that removes what a dead run has reserved: `RayDispatcher` does, and that
    one needs Ray's dashboard to know, and stays for good where there is none. It imports PyTorch."""
    from ray.train.torch import TorchTrainer

    class Trainer(TorchTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            made = super()._create_default_callbacks()  # type: ignore[misc]
            return [callback for callback in made if type(callback).__name__ != "PlacementGroupCleanerCallback"]

    return Trainer


class _RayMembers:
    """One run. Neither its retries nor its checkpoints are used: any end of a worker ends it."""

    def __init__(self, launcher: RayLauncher, seats: Seats, trial: Trial, post: Post, avoid: Sequence[str]) -> None:
        os.environ.update(ENVIRONMENT)
        self.size = seats.workers
        self._said = ""
        given = (launcher, seats, trial, post, avoid)
        self._thread = Thread(target=self._fit, args=given, name="Ray Train", daemon=True)
        self._thread.start()

    def run(self) -> bool:
        """Whether the run goes on."""
        return self._thread.is_alive()

    def end(self, group: str | None) -> str:
        """Take back what it reserved, with which its workers end; Ray Train's words where it has failed."""
        if group is not None:
            remove_group(group)
        self._thread.join()
        return self._said

    def _fit(self, launcher: RayLauncher, seats: Seats, trial: Trial, post: Post, avoid: Sequence[str]) -> None:
        training, shared, wanted = launcher.training, launcher.shared, launcher.wanted

        def work() -> None:
            die_with_parent()
            group = get_current_placement_group()
            assert group is not None
            take_part(training, trial, post, shared, group.id.hex(), wanted)

        from ray.train.torch import TorchConfig

        backend = "nccl" if seats.gpus else "gloo"
        with TemporaryDirectory(prefix="expander-ray-", ignore_cleanup_errors=True) as scratch:
            trainer = _trainer()(
                work,
                torch_config=TorchConfig(backend=backend, timeout_s=PATIENCE_SECONDS),
                scaling_config=ray.train.ScalingConfig(
                    num_workers=seats.workers,
                    use_gpu=seats.gpus > 0,
                    resources_per_worker=seats.resources,
                    label_selector=elsewhere(avoid) or None,  # type: ignore[call-arg]
                ),
                run_config=ray.train.RunConfig(
                    name=trial.id,
                    storage_path=scratch,
                    failure_config=ray.train.FailureConfig(max_failures=0, max_preemption_failures=0),  # type: ignore[call-arg]
                ),
            )
            try:
                trainer.fit()
            except Exception as error:  # noqa: BLE001  whatever ends a run is told with the trial's outcome
                self._said = str(error)


def remove_group(group: str) -> None:
    """Take back what Ray has reserved under this id, and end what runs in it; nothing where that is done."""
    known = placement_group_table().get(group)
    if known is not None and known["state"] != "REMOVED":
        remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(group))))


def remove_groups() -> None:
    """Take back all that was reserved for this coordinator: Ray does so only when its whole job ends."""
    job = ray.get_runtime_context().get_job_id()
    # The id of a group ends with that of the job which made it.
    for group in placement_group_table():
        if group.endswith(job):
            remove_group(group)
