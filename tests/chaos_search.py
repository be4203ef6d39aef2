"""The command `expander`, whole, but that a trial trains nothing: it sleeps its epochs away and logs each of them.

Run as `python chaos_search.py LOG search ...`. What a trial scores follows from its content alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from expander.trial import Completed, Epoch, Metrics, Trial
from trainers import checkpoint
from trainers.fence import Fence
from trainers.team import ALONE, Team
from trainers.training import VideoTraining

EPOCH_SECONDS = 0.15


@dataclass(frozen=True)
class Sleeping:
    """In the place of the video training, with its files: checkpoints, weights, outcome and the one writer's mark.

    log: a line for each epoch that begins, for each whose checkpoint is there, and for each outcome; in one write each,
    synced, so that no kill tears one.
    """

    training: VideoTraining
    log: Path

    def __call__(self, trial: Trial, report: Callable[[Epoch], None], team: Team = ALONE) -> Completed:
        folder = checkpoint.make_folder(self.training.runs, trial.id)
        if completed := checkpoint.load_completed(folder, trial.id):
            return completed
        fence = Fence(folder, self.training.claim)
        fence.begin()
        weights = torch.nn.Linear(1, 1)
        state = checkpoint.latest(folder, trial.id) or checkpoint.State(trial.id, weights.state_dict(), {}, ())
        while state.epoch < trial.recipe.epochs:
            number = state.epoch + 1
            self._note("begin", trial, number)
            time.sleep(EPOCH_SECONDS)
            epoch = Epoch(trial.id, number, trial.recipe.epochs, 1 / number, score(trial), 0.1, EPOCH_SECONDS)
            state = checkpoint.State(trial.id, weights.state_dict(), {}, (*state.epochs, epoch))
            fence.check()
            checkpoint.save(folder, state)
            self._note("saved", trial, number)
            report(epoch)
        fence.check()
        checkpoint.save_weights(folder / checkpoint.WEIGHTS, weights)
        metrics = Metrics(score(trial), 1.0, 1.0, 9)
        completed = Completed(trial.id, metrics, 1.0, str(folder / checkpoint.WEIGHTS), train_top1=score(trial))
        checkpoint.save_completed(folder, completed)
        self._note("completed", trial, trial.recipe.epochs)
        return completed

    def _note(self, deed: str, trial: Trial, number: int) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{deed} {trial.id} {number} {os.getpid()}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)


def score(trial: Trial) -> float:
    """Top-1 that nothing but the trial's content decides."""
    return int(trial.id[:8], 16) / 2**32


def main() -> None:
    """The command, with this training in the place of the other."""
    from expander import cli
    from expander.cli import running

    log, ordered = Path(sys.argv[1]), running._training

    def sleeping(*arguments: Any, **options: Any) -> Any:
        return Sleeping(ordered(*arguments, **options), log)

    running._training = sleeping  # type: ignore[assignment]
    sys.argv = ["expander", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    # By its own name, so that a worker can import what it is sent.
    import chaos_search

    chaos_search.main()
