"""What a network takes of the device that trains it (Sec. 3.3): its latency and its memory, measured."""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from expander.cost import MeasuredName
from expander.geometry import Geometry
from expander.recipe import Recipe
from trainers.allocator import keep_freed_memory
from trainers.meter import DeviceMeter
from trainers.networks.build import build
from trainers.networks.paths import compiled
from trainers.processor import cpu_name
from trainers.train import find_device, fixed_threads

# Passes before those that count: they fill caches and wake what slept.
WARM_UP_SECONDS = 0.1
# The median of so many passes in so much time, of fewer only where they take longer than the last.
PASSES, SECONDS, MOST_SECONDS = 5, 0.3, 10.0
# A step on one clip has no BN variance where the network leaves one pixel of it.
CLIPS = 2


def device_of(meter: DeviceMeter) -> str:
    """What it measures on, as `DeviceMeter.device`."""
    device = find_device(meter.name)
    cpu = f"{cpu_name()}, {meter.threads} thread{'s' if meter.threads > 1 else ''}"
    return f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu}, torch {torch.__version__}"


def measured(meter: DeviceMeter, name: MeasuredName, geometry: Geometry) -> float:
    """Seconds or bytes, as `expander.coordinator.Meter` says; infinite where the device has not enough memory."""
    keep_freed_memory()
    device, measure = find_device(meter.name), _latency if name == "latency" else _memory
    try:
        with fixed_threads(meter.threads), torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            return measure(geometry, device)
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(error):
            raise
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return math.inf


def _latency(geometry: Geometry, device: torch.device) -> float:
    return forward_seconds(build(geometry).to(device), _clips(geometry, 1, device))


def forward_seconds(model: nn.Module, clips: Tensor) -> float:
    """Median seconds of a warm forward pass of `clips`, in evaluation as a trial's validation runs it.

    On the device of both; the model stays in evaluation.
    """
    device = clips.device
    model.eval()

    def forward() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            model(clips)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with torch.inference_mode():
        _timed(forward, 1, WARM_UP_SECONDS)
        return statistics.median(_timed(forward, PASSES, SECONDS))


def _timed(forward: Callable[[], None], least: int, seconds: float) -> list[float]:
    """Seconds of each of `least` passes or more, until they have taken `seconds`."""
    times: list[float] = []
    while (spent := sum(times)) < seconds or (len(times) < least and spent < MOST_SECONDS):
        began = time.perf_counter()
        forward()
        times.append(time.perf_counter() - began)
    return times


def _memory(geometry: Geometry, device: torch.device) -> float:
    """Peak bytes of a training step, from building the network to its gradients; the same each time."""
    gc.collect()  # what is freed meanwhile would be counted as the step's
    with torch.enable_grad():
        if device.type == "cuda":
            return _peak_on_gpu(geometry, device)
        compiled()  # the kernels are checked at their first use, which is no part of a step
        return peak_on_cpu(lambda: _step(geometry, device))


def _step(geometry: Geometry, device: torch.device) -> None:
    """Build the network, and compute its gradients as a trial does."""
    model: nn.Module = build(geometry, Recipe()).to(device).train()
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits = model(_clips(geometry, CLIPS, device))
    labels = torch.zeros(CLIPS, dtype=torch.long, device=device)
    F.cross_entropy(logits.float(), labels, reduction="sum").backward()  # type: ignore[no-untyped-call]


def _peak_on_gpu(geometry: Geometry, device: torch.device) -> float:
    _step(geometry, device)  # at their first use libraries take workspaces that they keep
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    _step(geometry, device)
    return float(torch.cuda.max_memory_allocated(device) - before)


def peak_on_cpu(step: Callable[[], object]) -> float:
    """Peak bytes that PyTorch's allocator holds within `step`, over what it held before."""
    # A process' resident memory depends on what it has freed before; the allocator's own events do not.
    with _quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        step()
    assert profiler.profiler is not None
    results = profiler.profiler.kineto_results
    assert results is not None
    live = peak = 0
    events = (event for event in results.events() if event.name() == "[memory]")
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return float(peak)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the profiler from writing lines of its own to stderr, which it decides at its first use."""
    given = "KINETO_LOG_LEVEL" in os.environ
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    try:
        yield
    finally:
        if not given:
            del os.environ["KINETO_LOG_LEVEL"]


def _clips(geometry: Geometry, count: int, device: torch.device) -> Tensor:
    return torch.rand(count, 3, geometry.frames, geometry.crop, geometry.crop, device=device)
