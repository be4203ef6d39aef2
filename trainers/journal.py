"""What an attempt at a trial leaves for people, in the trial's folder: log.txt, and its curves for TensorBoard."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from expander.cost import described
from expander.geometry import Geometry
from expander.pace import advice, held_up, told
from expander.trial import Completed, Epoch, Trial, Warned
from expander.units import duration
from trainers.events import Curves
from trainers.trial_log import ATTEMPT, LOG

EVENTS = "events"
# Below warnings, only what this package says of itself.
OURS = "trainers"

logger = logging.getLogger(__name__)


class Journal:
    """One attempt's, within `keeping_journal`. Every line is on disk when its method returns.

    folder: the trial's; None keeps nothing, for the processes of a team but the one that leads.
    """

    def __init__(self, folder: Path | None, loader_workers: int) -> None:
        self._folder = folder
        self._loader_workers = loader_workers
        self._curves: Curves | None = None
        self._cold = True  # in the attempt's first epoch
        self._advised = False

    def goes_on(self, epochs: Sequence[Epoch], device: torch.device) -> None:
        """The training begins on `device`, behind those `epochs` of earlier attempts."""
        if self._folder is None:
            return
        behind = f", goes on after epoch {epochs[-1].number} of {epochs[-1].epochs}" if epochs else ""
        logger.info("trains on %s%s", _named(device), behind)
        self.close()  # of an attempt that goes on in smaller pieces
        self._curves = Curves(self._folder / EVENTS, epochs)

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is trained and its checkpoint on disk."""
        if self._curves is None:
            return
        logger.info("%s", told(epoch))
        cold, self._cold = self._cold, False
        if held_up(epoch) and not cold and not self._advised:
            self._advised = True
            logger.info("%s", advice(epoch, self._loader_workers))
        self._curves.epoch(epoch)

    def completed(self, completed: Completed, epochs: int) -> None:
        """The trial is trained, for so many epochs, and scored."""
        if self._curves is None:
            return
        metrics = completed.metrics
        self._curves.validation(metrics, epochs)
        scores = f"top-1 {metrics.top1:.2%}, top-5 {metrics.top5:.2%}, loss {metrics.loss:.4f}"
        logger.info("completed in %s: %s on %d videos", duration(completed.seconds), scores, metrics.videos)

    def close(self) -> None:
        """Give the files back."""
        if self._curves is not None:
            self._curves.close()


@contextmanager
def keeping_journal(
    folder: Path,
    trial: Trial,
    loader_workers: int,
    versions: Mapping[str, str],
    tell: Callable[[Warned], None],
    *,
    leads: bool = True,
) -> Iterator[Journal]:
    """The journal of an attempt that begins now; how it ends is written too, with the traceback where it fails.

    Within it, what this package logs, everybody's logged warnings and Python's go to log.txt as well as where they went
    before; this package's warnings are told. An attempt that is killed leaves the lines that it had; a log that cannot
    be written is one warning, and no trial's failure. folder: is there. leads: whether this process is the one of the
    trial's that writes; a journal of another does nothing.
    """
    if not leads:
        yield Journal(None, loader_workers)
        return
    journal = Journal(folder, loader_workers)
    with _logging_to(folder / LOG, lambda text: tell(Warned(trial.id, text))), _python_warnings():
        ours = " ".join(f"{name} {number}" for name, number in versions.items())
        where = f"{socket.gethostname()}:{os.getpid()}"
        logger.info("%s%s with %d loader workers; %s", ATTEMPT, where, loader_workers, ours)
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


def _named(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"the CPU with {threads} thread{'s' if threads > 1 else ''}"


def _shown(trial: Trial) -> str:
    values = trial.as_dict()
    network = described(trial.geometry) if isinstance(trial.geometry, Geometry) else "EfficientNet3D"
    return f"{network}; {json.dumps({key: value for key, value in values.items() if key != 'data'})}"


class _Told(logging.Handler):
    """Passes on what this package warns of."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self.addFilter(_is_ours)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one warning."""
        self._tell(record.getMessage())


class _LastResort(logging.Handler):
    """Shows others' warnings on stderr, as logging does where nobody handles any; ours are told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(lambda record: not _is_ours(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Show one."""
        if logging.lastResort is not None:
            logging.lastResort.handle(record)


class _LogFile(logging.FileHandler):
    """log.txt, which goes without the rest where it takes no more: that a disk is full, the checkpoint tells."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self._tell: Callable[[str], None] | None = tell
        self.setFormatter(_formatter())
        self.addFilter(lambda record: record.levelno >= logging.WARNING or _is_ours(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; opens the file at the first."""
        try:
            if self.stream is None:
                self.stream = self._open()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Say it once."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(f"the trial goes on without its {self.baseFilename}: {sys.exc_info()[1]}")

    def close(self) -> None:
        """Give the file back."""
        with suppress(OSError):
            super().close()


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.startswith(f"{OURS}.")


@contextmanager
def _logging_to(path: Path, tell: Callable[[str], None]) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    handlers: list[logging.Handler] = [_LogFile(path, tell), _Told(tell)]
    if not root.handlers:
        handlers.append(_LastResort())
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
            each.close()


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
