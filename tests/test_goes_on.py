"""An epoch whose checkpoint was saved, and whose record a kill has cut off, is in the store once its trial goes on."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Expander, Videos, environment
from test_store import epoch, first_step, new_search

from expander.trial import GoesOn
from results.store import open_store

# `expander ARGUMENTS`, which kills itself when it is to record epoch K of its second trial: its checkpoint is on disk.
KILLS_ITSELF = """
import os, signal, sys
from expander.cli import main
from expander.trial import Epoch
from results.search import SearchStore

record, trials, last = SearchStore.record, [], int(sys.argv.pop(1))

def recording(self, event, *rest):
    if event.trial not in trials:
        trials.append(event.trial)
    if isinstance(event, Epoch) and (len(trials), event.number) == (2, last):
        os.kill(os.getpid(), signal.SIGKILL)
    return record(self, event, *rest)

SearchStore.record = recording
main()
"""
EPOCHS = 2


def recorded(folder: Path) -> dict[str, list[int]]:
    """The numbers of the epochs of each trial that has begun."""
    found: dict[str, list[int]] = {}
    with closing(sqlite3.connect(folder / "runs" / "expander.db")) as connection:
        for trial, number in connection.execute("select trial_id, number from epochs order by number"):
            found.setdefault(trial, []).append(number)
    return found


@pytest.mark.slow
def test_an_epoch_that_was_saved_and_not_recorded_is_recorded_as_its_trial_goes_on(
    videos: Videos, expander: Expander, tmp_path: Path
) -> None:
    keys = [f"recipe.epochs={EPOCHS}", "recipe.batch=12", "recipe.batchnorm_group=12", "views.clips=1"]
    # One trial at a time, so that it is known which one is killed.
    keys += ["expansion.max_steps=1", f"resources.cpus={os.cpu_count() or 1}"]
    sets = [f"--set={key}" for key in keys]
    arguments = ["search", "smoke", "--name", "smoke", "--train", str(videos.train), "--val", str(videos.val), *sets]
    killed = subprocess.run(
        [sys.executable, "-c", KILLS_ITSELF, str(EPOCHS), *arguments, "--dispatcher", "inline"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = recorded(tmp_path)
    saved = {path.parent.name: path for path in sorted(tmp_path.glob("runs/trials/*/*.checkpoint"))}
    (trial,) = (each for each in saved if len(before.get(each, [])) < EPOCHS)
    assert before.get(trial, []) == list(range(1, EPOCHS))
    reached = int(saved[trial].stem.removeprefix("epoch-"))
    assert reached == EPOCHS

    resumed = expander("resume", "smoke", "--dispatcher", "inline")
    after = recorded(tmp_path)
    assert set(map(tuple, after.values())) == {tuple(range(1, EPOCHS + 1))}
    # No epoch is shown or logged twice, and only the one that was cut off is never shown.
    shown = re.findall(rf"epoch \d/{EPOCHS}, loss", " ".join((killed.stderr + resumed.stderr).split()))
    assert len(shown) == len(after) * EPOCHS - 1
    log = (tmp_path / f"runs/trials/{trial}/log.txt").read_text()
    assert re.findall(rf"epoch (\d)/{EPOCHS}, loss", log) == [str(number) for number in range(1, EPOCHS + 1)]


def test_what_is_recorded_stays_and_only_what_is_missing_is_added() -> None:
    step = first_step()
    trial = step.trials[0].id
    with closing(open_store("sqlite://", create=True)) as store:
        search = new_search(store)
        search.enroll(step)
        search.record(first := replace(epoch(trial, 1), seconds=5.0))
        behind = GoesOn(trial, (epoch(trial, 1), epoch(trial, 2)))
        for _ in range(2):
            search.record(behind)
            assert search.trial(trial).epochs == (first, epoch(trial, 2))
            assert search.steps()[0].candidates[0].epoch == 2
