"""How fast an epoch trains: clips a second, the share of it that waits for data, and the GPU memory at its peak."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import torch

T = TypeVar("T")
# Host waits under it are not measured on the GPU: most clips are there when they are asked for.
BRIEF_SECONDS = 5e-4


class Pace(NamedTuple):
    """The last four fields of an Epoch, in its order and units."""

    seconds: float
    clips_per_second: float
    waited: float
    gpu_memory: int | None


class Stopwatch:
    """Times one epoch from when it is made. device: where the epoch computes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._idle: _HostIdle | _GpuIdle = _HostIdle()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._idle = _GpuIdle(device)
        self._started = time.monotonic()

    def waiting_for(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, timed: what passes until each of them is there."""
        source = iter(items)
        while True:
            self._idle.begins()
            begun = time.monotonic()
            try:
                item = next(source)
            except StopIteration:
                return
            self._idle.ends(time.monotonic() - begun)
            yield item

    def stop(self, clips: int) -> Pace:
        """The pace of the epoch, of `clips` clips, which ends now."""
        idle = self._idle.total()
        seconds = time.monotonic() - self._started
        on_gpu = self._device.type == "cuda"
        memory = torch.cuda.max_memory_reserved(self._device) if on_gpu else None
        return Pace(seconds, clips / max(seconds, 1e-9), min(1.0, idle / max(seconds, 1e-9)), memory)


class _HostIdle:
    """On a CPU, nothing is computed while the training waits."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def begins(self) -> None: ...

    def ends(self, waited: float) -> None:
        self._seconds += waited

    def total(self) -> float:
        return self._seconds


class _GpuIdle:
    """A GPU goes on computing what it was given while its process waits; idle is only the time from when it is done.

    One event is recorded as a wait begins, behind all work given so far, and another when the data are there: the time
    between the two, as the GPU passes them, is the time without work. Nothing is synchronised until the end.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device)
        self._begin = _event()
        self._open: deque[tuple[torch.cuda.Event, torch.cuda.Event, float]] = deque()
        self._seconds = 0.0

    def begins(self) -> None:
        self._begin.record(self._stream)

    def ends(self, waited: float) -> None:
        if waited < BRIEF_SECONDS:
            return
        end = _event()
        end.record(self._stream)
        self._open.append((self._begin, end, waited))
        self._begin = _event()
        while self._open and self._open[0][1].query():  # type: ignore[no-untyped-call]
            self._close(*self._open.popleft())

    def total(self) -> float:
        torch.cuda.synchronize(self._stream.device)
        while self._open:
            self._close(*self._open.popleft())
        return self._seconds

    def _close(self, begin: torch.cuda.Event, end: torch.cuda.Event, waited: float) -> None:
        self._seconds += min(waited, begin.elapsed_time(end) / 1000)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
