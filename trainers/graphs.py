"""CUDA graphs of a training's passes: a small network's thousand kernels in one launch.

The contract. A pass is a function of tensors of one shape, whose other effects are on tensors that stay where they
are: gradients that exist before it and are added to, sums that are added to, buffers that are overwritten. It draws no
random numbers of its own and asks nothing of the device. Then a replay does what the pass does, to the bit, and:

- The first pass of a key is computed as it is: it also warms up what a capture cannot do, as kernels are compiled and
  workspaces made. The second is captured, which computes nothing, and replayed. So a training that was killed and goes
  on sees the same numbers, whatever was captured before.
- Weights, rates, BN's moments and random numbers are read where they lie when it is replayed, so they may change.
- What a graph reads and writes is kept as long as the graph: `held` names the tensors that the caller might let go.
- A capture that fails leaves everything as it was: this pass and all that follow are computed as they are, and one
  line of the log says why.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# "on" captures. Not by itself, as long as no GPU has shown that a replay leaves the bits that the pass does.
VARIABLE = "EXPANDER_GRAPHS"
# An epoch's batches have few shapes: a full one, the last, and those with a damaged video, which are not worth a graph.
MOST = 4

logger = logging.getLogger(__name__)
Pass = Callable[[Sequence[Tensor]], Sequence[Tensor]]


class Replay(Protocol):
    """A captured pass: replays it on the tensors that it was captured with."""

    def replay(self) -> object:
        """Compute it."""


# Captures what a function computes, without computing it; returns its replay, and the tensors that results are left in.
Capture = Callable[[Callable[[], Sequence[Tensor]]], tuple[Replay, Sequence[Tensor]]]


@dataclass(frozen=True)
class _Captured:
    replay: Replay
    inputs: Sequence[Tensor]
    results: Sequence[Tensor]
    held: Sequence[Tensor]


class Graphs:
    """Computes passes, by a graph where their key has come before. capture: None computes each as it is."""

    def __init__(self, capture: Capture | None) -> None:
        self._capture = capture
        self._seen = set[Hashable]()
        self._captured = dict[Hashable, _Captured]()

    @property
    def active(self) -> bool:
        """Whether gradients must stay where they are, set to zero and not dropped."""
        return self._capture is not None

    def compute(
        self, key: Hashable, run: Pass, inputs: Sequence[Tensor], device: torch.device, held: Sequence[Tensor] = ()
    ) -> Sequence[Tensor]:
        """run(inputs) on `device`; the same key stands for the same shapes and the same `run`."""
        if key in self._captured:
            return _replayed(self._captured[key], inputs)
        placed = [each.to(device, non_blocking=True) for each in inputs]
        if self._capture is None or key not in self._seen or len(self._captured) >= MOST:
            self._seen.add(key)
            return run(placed)
        # An input that was on the device already is its caller's, who may change it.
        own = [each.clone() if each is given else each for each, given in zip(placed, inputs, strict=True)]
        try:
            replay, results = self._capture(lambda: run(own))
        except Exception as error:  # noqa: BLE001 - of a driver, an operator or the allocator
            logger.warning("passes are computed without CUDA graphs: %s", error)
            self.release()
            return run(own)
        self._captured[key] = _Captured(replay, own, results, held)
        return _replayed(self._captured[key], own)

    def release(self) -> None:
        """Give the graphs' memory back; from here on passes are computed as they are."""
        self._capture = None
        self._captured.clear()


def graphs_for(device: torch.device, *, allowed: bool = True) -> Graphs:
    """Those of CUDA on a GPU, where they are switched on; none on a CPU, or where `allowed` is false."""
    on = device.type == "cuda" and allowed and os.environ.get(VARIABLE) == "on"
    return Graphs(CudaCapture(device) if on else None)


class CudaCapture:
    """Captures on one GPU; all graphs share one pool of memory, as they are replayed one after the other."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], Sequence[Tensor]]) -> tuple[Replay, Sequence[Tensor]]:
        """Raises whatever a capture raises, a shortage of memory too."""
        graph = torch.cuda.CUDAGraph()
        # What passes before have freed is kept by the allocator, out of a graph's reach.
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        with torch.cuda.device(self._device), torch.cuda.graph(graph, pool=self._pool):
            results = run()
        return graph, results


def _replayed(captured: _Captured, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    for own, given in zip(captured.inputs, inputs, strict=True):
        if own is not given:
            own.copy_(given, non_blocking=True)
    captured.replay.replay()
    # The next replay, of any graph, overwrites them.
    return [result.clone() for result in captured.results]
