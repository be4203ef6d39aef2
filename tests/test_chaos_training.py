"""The real training on real video, killed again and again: its weights are those of an undisturbed one, to the byte."""

from __future__ import annotations

import pickle
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from conftest import ROOT, Videos

from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Completed, Trial, Views
from trainers import checkpoint
from trainers.data.manifest import ManifestSource
from trainers.train import VideoTraining

SEED = 5
KILLS = 5
# About what one takes, on a quiet machine.
EPOCH_SECONDS = 0.4
TRIAL = Trial(
    Geometry(2, 3, 48, (Stage(1, 16, 24, 8), Stage(1, 24, 40, 8)), classes=6, head_width=32),
    Recipe(epochs=9, batch=12, batchnorm_group=6, warmup=0.2),
    "da7a" * 4,
    Views(2),
    3,
)
PROGRAM = """
import pickle, sys
training, trial = pickle.loads(bytes.fromhex(sys.stdin.readline()))
training(trial, lambda told: print(type(told).__name__, flush=True))
"""


@contextmanager
def attempt(training: VideoTraining) -> Iterator[subprocess.Popen[str]]:
    """A process that trains, and writes a line for each epoch whose checkpoint is there."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((training, TRIAL)).hex() + "\n")
        process.stdin.flush()
        yield process


def outcome(training: VideoTraining) -> Completed:
    found = checkpoint.load_completed(training.runs / "trials" / TRIAL.id, TRIAL.id)
    assert found is not None
    return replace(found, seconds=0.0, weights=None)


@pytest.mark.slow
def test_five_kills_leave_the_weights_as_they_would_have_been_to_the_byte(videos: Videos, tmp_path: Path) -> None:
    sources = ManifestSource(videos.train), ManifestSource(videos.val)
    calm, killed = (
        VideoTraining(*sources, runs=tmp_path / name, threads=1, device="cpu") for name in ("calm", "killed")
    )
    for training in (calm, killed):
        (training.runs / "trials").mkdir(parents=True)
    with attempt(calm) as process:
        assert process.wait(120) == 0
    choice = random.Random(SEED)
    for _ in range(KILLS):
        with attempt(killed) as process:
            assert process.stdout is not None
            # Within the epoch or two that follow, as its checkpoint is written, or between two.
            while process.stdout.readline() not in ("Epoch\n", ""):
                pass
            time.sleep(choice.random() * EPOCH_SECONDS)
            process.kill()
    with attempt(killed) as process:
        assert process.wait(120) == 0

    assert asdict(outcome(killed)) == asdict(outcome(calm)), f"seed {SEED}"
    weights = [training.runs / "trials" / TRIAL.id / checkpoint.WEIGHTS for training in (calm, killed)]
    assert weights[0].read_bytes() == weights[1].read_bytes(), f"seed {SEED}"
    log = (killed.runs / "trials" / TRIAL.id / "log.txt").read_text()
    assert log.count("---- attempt") == KILLS + 1, f"seed {SEED}: it had ended before it was killed\n{log}"
    # An epoch is logged once its checkpoint is there: none of those is trained again.
    finished = re.findall(r"epoch (\d+)/9, loss", log)
    assert len(finished) == len(set(finished)), log
    assert len(finished) >= TRIAL.recipe.epochs - KILLS, log
