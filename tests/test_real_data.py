"""The search on real action videos, through the command, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import SHARED, Expander

ACTIONS = SHARED / "data" / "actions"
SPACE = """
description: Two steps on real action videos
basis: {widths: [16, 32, 64], blocks: [1, 2, 2], crop: 64, classes: 12, head_width: 256}
expansion: {rate: 2.0, axes: [fast, spatial, bottleneck], first_stride: 4, max_steps: 2}
regimes: {bounds: {Action-S: 5.5e6, Action-M: 8.5e6}, grace: 0.05}
recipe: {epochs: 4, batch: 16, base_rate: 0.1, reference_batch: 16, dropout: 0.2, batchnorm_group: 16}
views: {clips: 2}
data: {train: TRAIN, val: VAL, root: ROOT}
resources: {cpus: 1}
"""


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.skipif(not ACTIONS.is_dir(), reason="../shared/data/actions is not here")
def test_a_short_search_on_real_action_videos_learns_and_picks_a_network(expander: Expander, tmp_path: Path) -> None:
    for name, each in (("train", 6), ("val", 6)):
        lines = (ACTIONS / f"{name}.csv").read_text().splitlines()
        (tmp_path / f"{name}.csv").write_text("\n".join(lines[::each]) + "\n")
    text = SPACE.replace("TRAIN", "train.csv").replace("VAL", "val.csv").replace("ROOT", str(ACTIONS))
    (tmp_path / "actions.yaml").write_text(text)

    status = json.loads(expander("search", "actions.yaml", "--name", "actions", "--json").stdout)

    assert status["state"] == "completed"
    assert [step["number"] for step in status["steps"] if step["kind"] == "expansion"] == [1, 2]
    trained = {c["trial"]: c for step in status["steps"] for c in step["candidates"] if c["feasible"]}
    assert all(candidate["state"] == "completed" for candidate in trained.values())
    assert {instance["name"] for instance in status["instances"]} == {"Action-S", "Action-M"}
    # Chance is 1 in 12. Four epochs of a tiny network are no benchmark, but the best of them has learned something.
    assert max(candidate["score"] for candidate in trained.values()) > 0.15
    exported = json.loads(expander("export", "actions", "--out", "out", "--json").stdout)
    assert all((tmp_path / files["weights"]).is_file() for files in exported["files"])
