"""Whether every machine of a Ray cluster sees the folder that trials write to, and trains with the same versions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from expander import files
from expander.errors import UsageError
from expander.inputs import mixing
from trainers.dispatch.attempt import this_place
from trainers.dispatch.member import not_shared
from trainers.versions import not_the_same, versions

# A machine that does not answer is busy starting, or lost: a trial there would find out by itself.
ANSWER_SECONDS = 60


def check_machines(folder: Path) -> None:
    """Raise UsageError where a machine of the cluster does not see what is written here; nothing on a single one."""
    if len(_machines()) < 2:
        return
    files.make_folder(folder)
    marker = folder / f".seen-{secrets.token_hex(8)}"
    files.write_whole(marker)
    try:
        blind = [name for name, sees in _ask(_sees, marker) if not sees]
    finally:
        marker.unlink()
    if blind:
        raise UsageError(not_shared(folder, this_place(), blind))


def check_versions(wanted: Mapping[str, str]) -> None:
    """Raise UsageError where a machine of the cluster would train otherwise than one with the versions `wanted`."""
    if len(_machines()) < 2:
        return
    if others := {name: differs for name, found in _ask(_versions) if (differs := mixing(wanted, found))}:
        raise UsageError(not_the_same(others))


def _machines() -> dict[str, str]:
    """The names of the machines that are alive, by Ray's ids."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["NodeManagerHostname"] for node in nodes if node["Alive"]}


def _ask(question: Any, *given: Any) -> Iterator[tuple[str, Any]]:
    """The name of each machine that answers, and what it does."""
    asked = {
        question.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(*given): name
        for node, name in _machines().items()
    }
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
    yield from ((asked[answer], ray.get(answer)) for answer in answered)


@ray.remote(num_cpus=0)
def _sees(path: Path) -> bool:
    return path.exists()


@ray.remote(num_cpus=0)
def _versions() -> dict[str, str]:
    return versions()
