"""Whether every machine of a Ray cluster sees the folder that trials write to."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from expander import files
from expander.errors import UsageError
from trainers.dispatch.attempt import this_place
from trainers.dispatch.member import not_shared

# A machine that does not answer is busy starting, or lost: a trial there would find out by itself.
ANSWER_SECONDS = 60


def check_machines(folder: Path) -> None:
    """Raise UsageError where a machine of the cluster does not see what is written here; nothing on a single one."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = {node["NodeID"]: node["NodeManagerHostname"] for node in nodes if node["Alive"]}
    if len(alive) < 2:
        return
    files.make_folder(folder)
    marker = folder / f".seen-{secrets.token_hex(8)}"
    files.write_whole(marker)
    try:
        asked = {
            _sees.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(marker): name
            for node, name in alive.items()
        }
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
        blind = [asked[answer] for answer in answered if not ray.get(answer)]
    finally:
        marker.unlink()
    if blind:
        raise UsageError(not_shared(folder, this_place(), blind))


@ray.remote(num_cpus=0)
def _sees(path: Path) -> bool:
    return path.exists()
