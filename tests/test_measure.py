"""What a network takes of this machine: real measurements, of networks small enough for any."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from expander.axis import Factors
from expander.complexity import measure
from expander.cost import MeasuredName
from expander.errors import UsageError
from expander.geometry import Basis, Geometry, realise
from trainers import measure as measuring
from trainers.measure import forward_seconds
from trainers.meter import DeviceMeter

METER = DeviceMeter(threads=1, name="cpu")
TINY = Basis(widths=(8, 16), blocks=(1, 2), crop=16, classes=4, head_width=64)
SMALL = realise(Factors(), TINY)
FLOAT = 4


def large(frames: int = 4, crop: int = 96) -> Geometry:
    return replace(SMALL, frames=frames, crop=crop)


def test_the_memory_of_a_network_is_the_same_each_time() -> None:
    first = METER.measure("memory", large())
    assert first.is_integer()
    torch.rand(1000, 1000)  # what else the process has done does not count
    assert [METER.measure("memory", large()) for _ in range(2)] == [first, first]


def test_memory_holds_the_weights_and_their_gradients_and_the_activations_of_two_clips() -> None:
    wide = replace(SMALL, head_width=50_000)
    assert METER.measure("memory", wide) > 2 * FLOAT * measure(wide).params
    # Much more than a training keeps of a network without activations, and no less than its layers put out.
    assert METER.measure("memory", large()) > 2 * FLOAT * measure(large()).activations


def test_memory_grows_with_frames_pixels_and_blocks() -> None:
    one = METER.measure("memory", large())
    deep = replace(large(), stages=tuple(replace(stage, blocks=3 * stage.blocks) for stage in large().stages))
    for other in (large(frames=8), large(crop=128), deep):
        assert METER.measure("memory", other) > 1.2 * one


def test_a_network_that_leaves_one_pixel_of_one_frame_can_be_measured() -> None:
    assert METER.measure("memory", replace(SMALL, crop=3)) > 0


def test_latency_is_seconds_and_tells_a_network_of_a_thousand_times_the_work() -> None:
    small, huge = METER.measure("latency", SMALL), METER.measure("latency", large(frames=16, crop=192))
    assert 0 < small < huge < 60


class Scripted(nn.Module):
    """Each pass takes the next of `seconds`, by the clock that it is; notes how it was called."""

    def __init__(self, seconds: Iterable[float]) -> None:
        super().__init__()
        self.seconds = iter(seconds)
        self.now = 0.0
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, clips: Tensor) -> Tensor:
        self.modes.append((self.training, torch.is_inference_mode_enabled()))
        self.now += next(self.seconds)
        return clips


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # Two passes warm up; of those that count, the slowest and the mean are not the median.
        pytest.param([0.06, 0.06, 0.08, 0.10, 0.07, 0.30, 0.065], 0.08, id="five passes in more than 0.3 s"),
        pytest.param([7.0, *[0.04] * 4, *[0.02] * 2, 0.11], 0.04, id="as many as there are in 0.3 s"),
        pytest.param([60.0, 5.0, 4.0, 6.0], 5.0, id="fewer where they take ten seconds"),
    ],
)
def test_latency_is_the_median_of_warm_passes_in_evaluation(
    seconds: list[float], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Scripted(seconds).train()
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: model.now)
    assert forward_seconds(model, torch.zeros(1)) == pytest.approx(expected)
    assert model.modes == [(False, True)] * len(seconds)


@pytest.mark.parametrize("name", ["latency", "memory"])
def test_measuring_leaves_the_process_as_it_was(name: MeasuredName) -> None:
    torch.manual_seed(1)
    random.seed(1)
    before = torch.get_rng_state(), random.getstate(), torch.get_num_threads(), dict(os.environ)
    with torch.no_grad():
        DeviceMeter(threads=3, name="cpu").measure(name, SMALL)
        assert not torch.is_grad_enabled()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), torch.get_num_threads(), dict(os.environ))


@pytest.mark.parametrize("name", ["latency", "memory"])
def test_measuring_writes_nothing(name: MeasuredName) -> None:
    # In a process of its own: the profiler decides at its first use whether it writes lines to stderr.
    program = (
        "from expander.geometry import Geometry\n"
        "from trainers.meter import DeviceMeter\n"
        f"DeviceMeter(threads=1, name='cpu').measure({name!r}, Geometry.from_dict({SMALL.as_dict()!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("name", ["latency", "memory"])
def test_a_network_that_the_device_has_no_room_for_takes_infinitely_much(name: str) -> None:
    assert METER.measure("latency" if name == "latency" else "memory", replace(SMALL, crop=1_000_000)) == math.inf


def test_other_errors_of_a_network_are_no_lack_of_memory() -> None:
    broken = replace(SMALL, stages=(replace(SMALL.stages[0], width=-8), *SMALL.stages[1:]))
    with pytest.raises((RuntimeError, ValueError)):
        METER.measure("memory", broken)


def test_the_device_is_the_cpu_with_its_threads_or_the_gpu_and_torchs_version() -> None:
    one, two = DeviceMeter(1, "cpu").device, DeviceMeter(2, "cpu").device
    assert one.endswith(f", 1 thread, torch {torch.__version__}")
    assert two == one.replace("1 thread", "2 threads")
    assert DeviceMeter(1, "cpu").device == one
    if torch.cuda.is_available():
        assert DeviceMeter(1).device == f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    else:
        assert DeviceMeter(1).device == one
        with pytest.raises(UsageError, match="no GPU on this machine"):
            DeviceMeter(1, "cuda").measure("latency", SMALL)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_is_measured_too() -> None:
    meter = DeviceMeter(1, "cuda")
    assert meter.measure("memory", large()) == meter.measure("memory", large()) > 2 * FLOAT * measure(large()).params
    assert 0 < meter.measure("latency", SMALL) < 60
    assert meter.measure("memory", replace(SMALL, crop=200_000)) == math.inf


RESIDENT = """
import re
from test_measure import METER, SMALL, large

def resident(key):
    return int(re.search(key + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

METER.measure("memory", SMALL)
open("/proc/self/clear_refs", "w").write("5")
before = resident("VmRSS")
measured = METER.measure("memory", large(frames=8, crop=192))
print((resident("VmHWM") - before) / measured)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc to tell what a process has taken")
def test_memory_is_about_what_the_process_takes() -> None:
    # The rest is what oneDNN takes for itself, and what the C library keeps of what was freed.
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", RESIDENT], env=environment, capture_output=True, text=True, check=True)
    assert 0.9 < float(done.stdout) < 3.5
