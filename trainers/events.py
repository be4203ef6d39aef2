"""The curves of a trial for TensorBoard: one event file that holds each epoch once, however often it was trained."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

from expander.pace import curves, scores
from expander.trial import Epoch, Metrics

# What TensorBoard looks for in a name, and the version that its files begin with.
MARK = "tfevents"
FILE_VERSION = "brain.Event:2"

logger = logging.getLogger(__name__)


class Curves:
    """One attempt's event file in `folder`. epochs: those of earlier attempts, which it begins with.

    The checkpoint knows every epoch, so the file is written anew, and those of earlier attempts are removed: no reader
    has to know how to drop an epoch that was lost and trained again, and none is missing that was trained just before
    a kill. A folder that cannot be written to is one warning, and no trial's failure.
    """

    def __init__(self, folder: Path, epochs: Sequence[Epoch] = ()) -> None:
        self._writer: RecordWriter | None = None
        self._beginning: Path | None = None
        try:
            self._begin(folder, epochs)
        except OSError as error:
            self._give_up(error)

    def epoch(self, epoch: Epoch) -> None:
        """Add one epoch."""
        self._add(curves(epoch), epoch.number, time.time())

    def validation(self, metrics: Metrics, epochs: int) -> None:
        """Add the scores after `epochs` epochs."""
        self._add(scores(metrics), epochs, time.time())

    def close(self) -> None:
        """Give the file back."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError):  # told by what wrote the last epoch
                writer.close()

    def _begin(self, folder: Path, epochs: Sequence[Epoch]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = list(folder.glob(f"*{MARK}*"))
        now = time.time()
        path = folder / f"events.out.{MARK}.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        # Under a name that TensorBoard does not look at until it is whole.
        beginning = self._beginning = path.with_name(f".{path.name.replace(MARK, 'tmp')}")
        self._writer = RecordWriter(str(beginning))
        self._write(Event(wall_time=now, file_version=FILE_VERSION))
        # For a TensorBoard that is open and has read the file of before.
        self._write(Event(wall_time=now, step=1, session_log=SessionLog(status=SessionLog.START)))
        # When they ended is not kept: as if they had come one right after the other, and the last of them now.
        after = [*accumulate(reversed([epoch.seconds for epoch in epochs]), initial=0.0)][-2::-1] if epochs else []
        for epoch, seconds in zip(epochs, after, strict=True):
            self._add(curves(epoch), epoch.number, now - seconds)
        self._writer.flush()
        beginning.rename(path)
        self._beginning = None
        for file in earlier:
            file.unlink(missing_ok=True)

    def _add(self, values: Mapping[str, float], step: int, when: float) -> None:
        if self._writer is None:
            return
        try:
            for tag, value in values.items():
                self._write(Event(wall_time=when, step=step, summary=scalar(tag, value)))
            self._writer.flush()
        except OSError as error:
            self._give_up(error)

    def _write(self, event: Event) -> None:
        assert self._writer is not None
        self._writer.write(event.SerializeToString())

    def _give_up(self, error: OSError) -> None:
        logger.warning("the trial goes on without its curves for TensorBoard: %s", error)
        self.close()
        if self._beginning is not None:
            with suppress(OSError):
                self._beginning.unlink(missing_ok=True)
