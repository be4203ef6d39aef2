"""The real training on real video, killed again and again: its weights are those of an undisturbed one, to the byte."""

from __future__ import annotations

import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT, Videos

from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Completed, Trial, Views
from trainers import checkpoint
from trainers.data.manifest import ManifestSource
from trainers.training import VideoTraining

SEED = int(os.environ.get("EXPANDER_TEST_SEED", "5"))
KILLS = 5
TRIAL = Trial(
    Geometry(2, 3, 48, (Stage(1, 16, 24, 8), Stage(1, 24, 40, 8)), classes=6, head_width=32),
    Recipe(epochs=9, batch=12, batchnorm_group=6, warmup=0.2),
    "da7a" * 4,
    Views(2),
    3,
)
PROGRAM = """
import pickle, sys
from expander.trial import Epoch, GoesOn

def report(told):
    if isinstance(told, Epoch | GoesOn):
        print(told.number if isinstance(told, Epoch) else told.epochs[-1].number, flush=True)

training, trial = pickle.loads(bytes.fromhex(sys.stdin.readline()))
training(trial, report)
print(trial.recipe.epochs + 1, flush=True)
"""


@contextmanager
def attempt(training: VideoTraining) -> Iterator[subprocess.Popen[str]]:
    """A process that trains, and writes the number of each epoch whose checkpoint is there; one more once scored."""
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


def hit(training: VideoTraining, epoch: int, pause: float) -> bool:
    """Kill an attempt so many seconds after it has that epoch, or was begun behind it; whether it still ran."""
    with attempt(training) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= epoch:
                break
        time.sleep(pause)
        process.kill()
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_five_kills_leave_the_weights_as_they_would_have_been_to_the_byte(videos: Videos, tmp_path: Path) -> None:
    sources = ManifestSource(videos.train), ManifestSource(videos.val)
    calm, killed = (
        VideoTraining(*sources, runs=tmp_path / name, threads=1, device="cpu") for name in ("calm", "killed")
    )
    for training in (calm, killed):
        (training.runs / "trials").mkdir(parents=True)
    with attempt(calm) as process:
        assert process.stdout is not None
        times = [time.monotonic() for _ in process.stdout]
    assert process.returncode == 0
    assert len(times) == TRIAL.recipe.epochs + 1
    # The shortest epoch, or scoring: a machine that gets faster meanwhile shall still be hit in time.
    shortest = min(after - before for before, after in pairwise(times))
    choice = random.Random(SEED)
    # Within epochs or as checkpoints are written, and the last in the first half of scoring.
    epochs = [*sorted(choice.choices(range(1, TRIAL.recipe.epochs), k=KILLS - 1)), TRIAL.recipe.epochs]
    most = [shortest] * (KILLS - 1) + [shortest / 2]
    hits = [hit(killed, epoch, choice.uniform(0, each)) for epoch, each in zip(epochs, most, strict=True)]
    with attempt(killed) as process:
        assert process.wait(120) == 0

    assert asdict(outcome(killed)) == asdict(outcome(calm)), f"seed {SEED}"
    weights = [training.runs / "trials" / TRIAL.id / checkpoint.WEIGHTS for training in (calm, killed)]
    assert weights[0].read_bytes() == weights[1].read_bytes(), f"seed {SEED}"
    log = (killed.runs / "trials" / TRIAL.id / "log.txt").read_text()
    assert all(hits), f"seed {SEED}: it had ended before it was killed: {hits}\n{log}"
    # An epoch is logged once its checkpoint is there: none of those is trained again.
    finished = re.findall(r"epoch (\d+)/9, loss", log)
    assert len(finished) == len(set(finished)), f"seed {SEED}\n{log}"
    assert len(finished) >= TRIAL.recipe.epochs - KILLS, f"seed {SEED}\n{log}"
