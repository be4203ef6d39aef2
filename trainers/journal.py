"""What an attempt at a trial leaves for people, in the trial's folder: log.txt, and its curves for TensorBoard."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from expander.cost import described
from expander.geometry import Geometry
from expander.pace import advice, held_up, told
from expander.trial import Completed, Epoch, Trial
from expander.units import duration
from trainers.events import Curves

LOG = "log.txt"
EVENTS = "events"
# Below warnings, only what this package says of itself.
OURS = "trainers"

logger = logging.getLogger(__name__)


class Journal:
    """One attempt's, within `keeping_journal`. Every line is on disk when its method returns."""

    def __init__(self, folder: Path, loader_workers: int) -> None:
        self._folder = folder
        self._loader_workers = loader_workers
        self._curves: Curves | None = None
        self._advised = False

    def goes_on(self, epochs: Sequence[Epoch]) -> None:
        """The training begins, behind those `epochs` of earlier attempts."""
        if epochs:
            logger.info("goes on after epoch %d of %d", epochs[-1].number, epochs[-1].epochs)
        self._curves = Curves(self._folder / EVENTS, epochs)

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is trained and its checkpoint on disk."""
        logger.info("%s", told(epoch))
        if held_up(epoch) and not self._advised:
            self._advised = True
            logger.info("%s", advice(epoch, self._loader_workers))
        assert self._curves is not None
        self._curves.epoch(epoch)

    def completed(self, completed: Completed, epochs: int) -> None:
        """The trial is trained and scored."""
        metrics = completed.metrics
        assert self._curves is not None
        self._curves.validation(metrics, epochs)
        scores = f"top-1 {metrics.top1:.2%}, top-5 {metrics.top5:.2%}, loss {metrics.loss:.4f}"
        logger.info("completed in %s: %s on %d videos", duration(completed.seconds), scores, metrics.videos)

    def close(self) -> None:
        """Give the files back."""
        if self._curves is not None:
            self._curves.close()


@contextmanager
def keeping_journal(
    folder: Path, trial: Trial, device: str, loader_workers: int, versions: Mapping[str, str]
) -> Iterator[Journal]:
    """The journal of an attempt that begins now; how it ends is written too, with the traceback where it fails.

    Within it, what this package logs, everybody's logged warnings and Python's go to log.txt as well as where they went
    before. An attempt that is killed leaves the lines that it had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder, loader_workers)
    with _logging_to(folder / LOG), _python_warnings():
        ours = " ".join(f"{name} {number}" for name, number in versions.items())
        where = f"{socket.gethostname()}:{os.getpid()}"
        logger.info("---- attempt on %s, %s, %d loader workers; %s", where, device, loader_workers, ours)
        logger.info("trial %s: %s", trial.id, _shown(trial))
        try:
            yield journal
        except Exception:
            logger.info("failed", exc_info=True)
            raise
        except BaseException as stop:
            logger.info("stopped (%s); the next attempt goes on from the last checkpoint", type(stop).__name__)
            raise
        finally:
            journal.close()


def _shown(trial: Trial) -> str:
    values = trial.as_dict()
    network = described(trial.geometry) if isinstance(trial.geometry, Geometry) else "EfficientNet3D"
    return f"{network}; {json.dumps({key: value for key, value in values.items() if key != 'data'})}"


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_formatter())
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith(f"{OURS}."))
    # Where nobody handles warnings, logging shows them on stderr as its last resort, but only until somebody does.
    handlers = [handler] if root.handlers or logging.lastResort is None else [handler, logging.lastResort]
    before = ours.level
    for each in handlers:
        root.addHandler(each)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(before)
        for each in handlers:
            root.removeHandler(each)
        handler.close()


def _formatter() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)sZ %(message)s", "%Y-%m-%d %H:%M:%S")
    formatter.converter = time.gmtime
    return formatter


@contextmanager
def _python_warnings() -> Iterator[None]:
    before = warnings.showwarning

    def show(message: Any, category: type[Warning], filename: str, lineno: int, *rest: Any, **named: Any) -> None:
        logger.info("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
        before(message, category, filename, lineno, *rest, **named)

    warnings.showwarning = show
    try:
        yield
    finally:
        # Somebody may have put another in its place meanwhile, which is then not ours to take away.
        if warnings.showwarning is show:
            warnings.showwarning = before
