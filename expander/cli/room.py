"""Whether the folder of a search's checkpoints is there, and has room for those of its next step."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from expander.complexity import measure
from expander.errors import FileError, UsageError
from expander.search import Step
from expander.trial import Trial
from expander.units import human

# Of each trial: a checkpoint is weights and momentum, four bytes a parameter each. Two are kept, and a third is there
# while it is written; its weights are less than that one. One byte for BN's statistics and the names of tensors.
BYTES_PER_PARAMETER = 3 * 2 * 4 + 1
# Headers, log and curves.
BYTES_PER_TRIAL = 1_000_000


def check_folder(runs: Path) -> None:
    """Raise FileError where the trials' folder is gone: what was trained is not lost, but elsewhere."""
    trials = runs / "trials"
    if not trials.is_dir():
        raise FileError(
            f"{trials}, where the search keeps its checkpoints, is not there: its file system may have been unmounted."
            " Mount it again, and the same command goes on; or, where the checkpoints are lost, make the folder anew:"
            f" mkdir -p {trials}"
        )


def check_room(step: Step, runs: Path) -> None:
    """Raise UsageError where the checkpoints of the step's trials cannot all be written to `runs`."""
    wanted = sum(max(0, taken(trial) - _bytes(runs / "trials" / trial.id)) for trial in step.trials)
    free = shutil.disk_usage(runs).free
    if free < wanted:
        raise UsageError(
            f"{runs}: the checkpoints of the {len(step.trials)} trials of step {step.number} take about"
            f" {human(wanted, 3)}B more (weights and momentum, two kept and one written), and {human(free, 3)}B are"
            " free there. Free some space, or give --runs a folder on a larger disk"
        )


def taken(trial: Trial) -> int:
    """Bytes that a trial takes at most, about."""
    return BYTES_PER_PARAMETER * measure(trial.geometry).params + BYTES_PER_TRIAL


def _bytes(folder: Path) -> int:
    """What is in a folder; nothing where it is missing."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.glob("**/*") if path.is_file())
