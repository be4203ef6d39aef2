"""Triton's kernels against PyTorch in float64: on a GPU where there is one, else by Triton's interpreter on the CPU.

conftest.py switches the interpreter on. What it cannot tell, whether the compiler takes a kernel, ptx.py does.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from expander.geometry import Geometry, Stage
from trainers.networks import paths
from trainers.networks.batchnorm import GroupedBatchNorm3d, GroupStatistics
from trainers.networks.chains import Activated, added, between, filtered, normalised
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.fold import fold_batchnorm
from trainers.networks.kernels.calls import RELU
from trainers.networks.layers import DropConnect, SqueezeExcitation
from trainers.networks.x3d import X3D

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed: it comes with PyTorch's CUDA builds", allow_module_level=True)

from trainers.networks.gpu import choice, plans
from trainers.networks.gpu.calls import GpuKernels

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 6e-3, torch.float16: 1e-3}
SMALL = Geometry(2, 1, 16, (Stage(1, 4, 9, 8), Stage(1, 6, 12, 8)), classes=3, head_width=5, stem_kernel=5)


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    # Few programs, each with many tiles: the interpreter takes the same time for a tile of any size.
    monkeypatch.setattr(plans, "PROGRAMS", 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Always:
    """In place of the choice by measurement: everything by the kernels, with blocks' middles in one step or not."""

    def __init__(self, fused=True):
        self.fused = fused

    def convolution(self, x, kernel, stride):
        return GpuKernels()

    def norm(self, x):
        return GpuKernels()

    def block_middle(self, x, kernel, stride):
        return GpuKernels() if self.fused else None


@pytest.fixture(params=[True, False], ids=["one step", "layers"])
def chosen(request, monkeypatch):
    monkeypatch.setattr(paths, "GPU", DEVICE)
    monkeypatch.setattr(paths, "gpu", lambda: Always(request.param))
    return request.param


def clips(*shape, dtype=torch.float32):
    return torch.randn(shape).to(DEVICE, dtype).contiguous(memory_format=torch.channels_last_3d)


def distance(found, wanted):
    return ((found.detach().double() - wanted.detach()).norm() / wanted.detach().norm().clamp(min=1e-9)).item()


def close(found, wanted, dtype=torch.float32):
    apart = [distance(*pair) for pair in zip(found, wanted, strict=True)]
    assert all(each < TOLERANCE[dtype] for each in apart), apart


# The channel-wise convolution

# T=1, odd sizes at stride 2, one pixel, batch 1, channels that are no power of two.
CONVOLUTIONS = [
    ((2, 6, 2, 5, 4), (3, 3, 3), 1),
    ((1, 5, 3, 5, 7), (3, 3, 3), 2),
    ((2, 9, 2, 4, 3), (3, 3, 3), 2),
    ((1, 5, 1, 1, 1), (3, 3, 3), 1),
    ((2, 3, 1, 5, 7), (3, 3, 3), 2),
    ((2, 3, 7, 2, 2), (5, 1, 1), 1),
    ((1, 4, 2, 3, 3), (1, 3, 3), 2),
]


def exactly(x, weight, stride):
    of = [x.double().requires_grad_(), weight.double().requires_grad_()]
    padding = [size // 2 for size in weight.shape[2:]]
    out = F.conv3d(*of, None, (1, stride, stride), padding, 1, x.shape[1])
    gradient = clips(*out.shape, dtype=x.dtype)
    return gradient, (out, *torch.autograd.grad(out, of, gradient.double()))


def by_kernels(x, weight, stride, gradient, kernels=None):
    kernels = kernels or GpuKernels()
    return (
        kernels.convolve(x, weight, stride),
        kernels.input_gradient(gradient, x, weight, stride),
        kernels.weight_gradient(gradient, x, weight, stride),
    )


@pytest.mark.parametrize(("shape", "kernel", "stride"), CONVOLUTIONS, ids=str)
def test_the_channelwise_convolution_and_its_gradients_are_exact(shape, kernel, stride):
    x, weight = clips(*shape), torch.randn(shape[1], 1, *kernel, device=DEVICE)
    gradient, wanted = exactly(x, weight, stride)
    close(by_kernels(x, weight, stride, gradient), wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_of_16_bits_only_the_result_is_rounded(stride, dtype):
    x, weight = clips(1, 6, 2, 3, 4, dtype=dtype), torch.randn(6, 1, 3, 3, 3, device=DEVICE)
    gradient, wanted = exactly(x, weight, stride)
    found = by_kernels(x, weight, stride, gradient)
    assert [each.dtype for each in found] == [dtype, dtype, torch.float32]
    close(found, wanted, dtype)
    close(found[2:], wanted[2:])


@pytest.mark.parametrize("place", range(1, len(plans.VARIANTS)))
def test_every_tile_gives_the_same(place):
    x, weight = clips(1, 4, 1, 5, 9), torch.randn(4, 1, 3, 3, 3, device=DEVICE)
    gradient, wanted = exactly(x, weight, 1)
    kernels = GpuKernels().planned(place, min(place, len(plans.WEIGHT_VARIANTS) - 1))
    close(by_kernels(x, weight, 1, gradient, kernels), wanted)


def test_channels_beyond_one_block_are_computed_too(monkeypatch):
    monkeypatch.setattr(plans, "MOST_BLOCK", 4)
    x, weight = clips(2, 7, 1, 3, 3), torch.randn(7, 1, 3, 3, 3, device=DEVICE)
    gradient, wanted = exactly(x, weight, 2)
    close(by_kernels(x, weight, 2, gradient), wanted)


def test_the_weights_gradient_is_the_same_bits_each_time():
    x, gradient = clips(2, 6, 1, 5, 4), clips(2, 6, 1, 5, 4)
    weight = torch.randn(6, 1, 3, 3, 3, device=DEVICE)
    found = [GpuKernels().weight_gradient(gradient, x, weight, 1) for _ in range(2)]
    assert torch.equal(*found)


# BN with what follows it, and the middle of a block


class Middle(nn.Module):
    """What the middle of a block computes."""

    def __init__(self, stride, excites, act):
        super().__init__()
        self.first, self.second = GroupedBatchNorm3d(6), GroupedBatchNorm3d(6)
        self.relu, self.act = nn.ReLU(inplace=True), act
        self.conv = ChannelwiseConv3d(6, (3, 3, 3), stride)
        self.excitation = SqueezeExcitation(6, 3) if excites else nn.Identity()

    def forward(self, x):
        parts = (self.conv, self.second, self.excitation, self.act)
        return between(nn.Identity(), self.first, Activated(x), self.relu, *parts, keep=False).value


class Exact(Middle):
    """The same by PyTorch's operators."""

    def forward(self, x):
        y = self.conv(F.relu(self.first(x)))
        return self.act(self.excitation(self.second(y)))


class Ending(nn.Module):
    """The end of a block, and BN with nothing after it."""

    def __init__(self):
        super().__init__()
        self.norm, self.excitation, self.relu = GroupedBatchNorm3d(6), SqueezeExcitation(6, 3), nn.ReLU()
        self.drop = DropConnect(0.5)
        self.drop.draws = torch.tensor([[0.1], [0.9], [0.7]], device=DEVICE)

    def forward(self, x):
        y = filtered(nn.Identity(), self.norm, Activated(x), self.excitation, self.relu, keep=False).value
        return added(self.norm, y, self.drop, normalised(self.norm, x, None).value, self.relu)


def random(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5 + 0.6)
    return module.to(DEVICE)


def trained(module, x, gradient, sizes):
    """Out, gradients of input and parameters, and the moments of each group of each BN."""
    statistics = GroupStatistics(module, torch.device(DEVICE))
    statistics._rows = torch.zeros(len(sizes), 2, sum(statistics._widths), dtype=next(module.parameters()).dtype)
    statistics._rows = statistics._rows.to(DEVICE)
    x = x.detach().requires_grad_()
    with statistics.of(sizes):
        out = module(x)
        out.backward(gradient.to(out.dtype))
    return out, x.grad, *(each.grad for each in module.parameters()), statistics._rows


def together(found, wanted):
    """Out, and all gradients and moments as one vector: one of them may be all but zero."""
    close((found[0], joined(found)), (wanted[0], joined(wanted)))


def joined(found):
    return torch.cat([each.detach().flatten().double() for each in found[1:]])


def stock(module, x, gradient, sizes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "GPU", "none")
        return trained(copy.deepcopy(module).double(), x.double(), gradient.double(), sizes)


@pytest.mark.parametrize(
    ("stride", "excites", "act", "shape"),
    [
        (1, True, nn.SiLU(), (3, 6, 2, 2, 3)),
        (2, True, nn.SiLU(), (3, 6, 2, 3, 3)),
        (1, False, nn.ReLU(), (3, 6, 1, 3, 2)),
        (2, False, nn.SiLU(), (3, 6, 1, 4, 4)),
    ],
)
def test_the_middle_of_a_block_is_exact(stride, excites, act, shape, chosen):
    module, x = random(Middle(stride, excites, act)), clips(*shape)
    gradient = clips(*shape[:3], -(-shape[3] // stride), -(-shape[4] // stride))
    exact = random(Exact(stride, excites, act))
    exact.load_state_dict(module.state_dict())
    found = trained(module, x, gradient, [2, 1])
    assert ("_MiddleBackward" in found[0].grad_fn.name()) is chosen
    together(found, stock(exact, x, gradient, [2, 1]))


def test_bn_with_what_follows_it_is_exact(chosen):
    module, x = random(Ending()), clips(3, 6, 2, 3, 4)
    gradient = clips(3, 6, 2, 3, 4)
    together(trained(module, x, gradient, [1, 2]), stock(module, x, gradient, [1, 2]))


def test_in_bfloat16_bn_is_computed_in_float32(monkeypatch):
    monkeypatch.setattr(paths, "GPU", DEVICE)
    monkeypatch.setattr(paths, "gpu", Always)
    module, shape = random(Middle(1, True, nn.SiLU())), (2, 6, 1, 4, 5)
    x, gradient = clips(*shape, dtype=torch.bfloat16), clips(*shape, dtype=torch.bfloat16)
    found = trained(module, x, gradient, [2])
    assert found[0].dtype == found[1].dtype == torch.bfloat16
    assert {each.dtype for each in found[2:]} == {torch.float32}
    wanted = stock(module, x, gradient, [2])
    # A gradient that is the difference of large sums keeps fewer digits.
    assert max(distance(*pair) for pair in zip(found, wanted, strict=True)) < 0.05


def test_the_moments_are_those_of_batches_far_from_zero():
    x = clips(2, 5, 2, 3, 4) + 30
    moments = GpuKernels().moments(x, [2], 1e-5)
    variance, mean = torch.var_mean(x.double(), (0, 2, 3, 4))
    close((moments.group_mean[0],), (mean,))
    assert distance(moments.group_variance[0], variance) < 1e-3  # 900 times its own size is subtracted
    assert torch.equal(moments.center[0], moments.group_mean[0])


# The network


def test_the_network_is_exact_with_its_groups_and_folds_the_same(monkeypatch):
    monkeypatch.setattr(paths, "GPU", DEVICE)
    monkeypatch.setattr(paths, "gpu", Always)
    model = X3D(SMALL)
    # A new block is its shortcut: its branch would have no gradient.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    model = model.to(DEVICE).train()
    x, gradient = torch.randn(3, 3, 2, 16, 16, device=DEVICE), torch.randn(3, 3, device=DEVICE)
    plain = copy.deepcopy(model)
    found, wanted = trained(model, x, gradient, [2, 1]), stock(model, x, gradient, [2, 1])
    with monkeypatch.context() as patch:
        patch.setattr(paths, "GPU", "none")
        patch.setattr(paths, "compiled", lambda: None)
        theirs = trained(plain, x, gradient, [2, 1])
    close(found[:1], wanted[:1])
    # Of PyTorch's own float32 too the gradients are 1e-4 away here: single ReLUs turn.
    assert distance(joined(found), joined(wanted)) < 3 * distance(joined(theirs), joined(wanted))
    folded = fold_batchnorm(model)
    with torch.no_grad():
        close([folded(x)], [model.double().eval()(x.double())])


# The choice by measurement


@pytest.fixture
def choices(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "VARIANTS", plans.VARIANTS[:1])
    monkeypatch.setattr(choice, "WEIGHT_VARIANTS", plans.WEIGHT_VARIANTS[:1])
    kept = choice.Choices(tmp_path / "cache" / choice.FILE)
    monkeypatch.setattr(choice, "choices", lambda: kept)
    return kept


def test_what_is_faster_is_taken_and_remembered(choices, monkeypatch):
    times = iter([1.0, 2.0, 5.0, 9.0, 1.0])  # two kernels and PyTorch's; then PyTorch's BN and the kernels'
    monkeypatch.setattr(choice, "_milliseconds", lambda run, device: next(times))
    x = clips(1, 4, 2, 3, 3)
    assert choice.convolution(x, (3, 3, 3), 1) == GpuKernels()
    assert choice.norm(x) == GpuKernels()
    # Not measured again: there are no more times.
    assert choice.convolution(x, (3, 3, 3), 1) == GpuKernels()
    again = choice.Choices(choices.path)
    assert len(again.known) == 2
    monkeypatch.setattr(choice, "choices", lambda: again)
    assert choice.convolution(clips(1, 4, 2, 3, 3), (3, 3, 3), 1) == GpuKernels()


def test_what_is_slower_is_left_to_pytorch(choices, monkeypatch):
    times = iter([1.0, 2.0, 2.9, 1.0, 5.0])
    monkeypatch.setattr(choice, "_milliseconds", lambda run, device: next(times))
    x = clips(1, 4, 2, 3, 3)
    assert choice.convolution(x, (3, 3, 3), 1) is None
    assert choice.norm(x) is None
    assert choice.block_middle(x, (3, 3, 3), 1) is None


def test_a_middle_is_taken_where_it_is_faster_than_its_parts(choices, monkeypatch):
    found = {"tiles": (0, 0), "milliseconds": 2.0}
    monkeypatch.setattr(choice, "_convolution", lambda *_: found)
    monkeypatch.setattr(choice, "_norm", lambda *_: found)
    took = iter([5.9, 6.1])
    monkeypatch.setattr(choice, "_milliseconds", lambda run, device: next(took))
    assert choice.block_middle(clips(1, 4, 1, 3, 3), (3, 3, 3), 1) == GpuKernels()
    assert choice.block_middle(clips(1, 4, 1, 3, 4), (3, 3, 3), 1) is None


def test_a_kernel_that_is_wrong_is_not_taken_and_said_once(choices, monkeypatch, caplog):
    honest = GpuKernels.convolve
    monkeypatch.setattr(GpuKernels, "convolve", lambda *parts, **more: honest(*parts, **more) * 1.001)
    x = clips(1, 4, 2, 3, 3)
    assert [choice.convolution(x, (3, 3, 3), 1) for _ in range(2)] == [None, None]
    assert len(caplog.messages) == 1
    assert "its result 0 is 1e-03 from PyTorch's in float64" in caplog.text


def test_where_memory_does_not_suffice_it_is_measured_again_by_the_next_process(choices, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(GpuKernels, "moments", full)
    assert choice.norm(clips(1, 4, 2, 3, 3)) is None
    assert not choices.path.exists()


def test_the_training_draws_the_same_numbers_after_a_measurement(choices):
    before = torch.get_rng_state()
    with torch.inference_mode():  # as evaluation has it
        choice.norm(torch.ones(1, 4, 2, 3, 3, device=DEVICE))
    assert torch.equal(before, torch.get_rng_state())
    assert "ours" in next(iter(choices.known.values()))


def test_without_triton_pytorch_computes(monkeypatch):
    monkeypatch.setattr(paths, "GPU", DEVICE)
    monkeypatch.setattr(paths, "import_module", _missing)
    paths.gpu.cache_clear()
    try:
        x = clips(1, 4, 2, 3, 3)
        assert (
            paths.middle_kernels(x, GroupedBatchNorm3d(4), ChannelwiseConv3d(4, (3, 3, 3)), GroupedBatchNorm3d(4))
            is None
        )
    finally:
        paths.gpu.cache_clear()


def _missing(name):
    raise ModuleNotFoundError(f"No module named {name!r}")


def test_it_measures_nothing_for_what_the_kernels_are_not_made_for(chosen):
    conv = ChannelwiseConv3d(6, (3, 5, 5)).to(DEVICE)
    norm = GroupedBatchNorm3d(6).to(DEVICE)
    assert paths.channelwise_kernels(clips(1, 6, 2, 6, 6), conv) is None
    assert paths.norm_kernels(clips(1, 6, 2, 6, 6), norm.eval()) is None
    assert paths.norm_kernels(clips(1, 6, 2, 6, 6).double(), norm.train()) is None
    assert RELU == 1  # the kernels' numbers of activations


# The compiler


def test_every_kernel_compiles_for_gpus():
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = run("tests/ptx.py", environment=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "compiled for sm_80, sm_90" in done.stdout


ROOT = Path(__file__).parents[1]


def run(*arguments, environment=os.environ):
    environment = dict(environment) | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
    )


def test_the_benchmark_runs_on_a_cpu_for_a_trial():
    done = run("benchmarks/gpu.py", "--dry-run")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((ROOT / "benchmarks" / "gpu-dry-run.json").read_text())
    assert [row["way"] for row in found["steps"]] == ["ours, PyTorch's operators", "ours", "ours, CUDA graph"]
    assert found["steps"][1]["gradients, torch.float32"] < 1e-5
    assert all(row["seconds"] > 0 and row["roofline"] > 0 for row in found["steps"])
    assert {(row["shape"][1], row["stride"]) for row in found["convolutions"]} == {(4, 1), (9, 2)}
    assert found["sharing"]["shared"] > 0


def test_the_benchmark_needs_little_and_says_where_there_is_no_gpu():
    listed = "import gpu, sys; print(sorted({'ray', 'av', 'pydantic', 'fvcore', 'pandas'} & set(sys.modules)))"
    done = run("-c", listed if torch.cuda.is_available() else f"{listed}; sys.argv = ['gpu.py']; sys.exit(gpu.main())")
    assert done.stdout == "[]\n"
    if not torch.cuda.is_available():
        assert done.returncode == 2
        assert "PyTorch finds no GPU" in done.stderr


@pytest.mark.parametrize(("factors", "gigabytes"), [("XS", 1.78), ("S", 5.78), ("M", 13.97)])
def test_the_rooflines_bytes_are_about_those_of_an_independent_count(factors, gigabytes, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    assert gpu.fused_bytes(gpu._geometry(factors), 8) / 1e9 == pytest.approx(gigabytes, rel=0.02)
