"""The compiled kernels against PyTorch in float64, the whole network on them, and what happens where there are none."""

from __future__ import annotations

import copy
import itertools
import logging
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from expander.axis import Factors
from expander.geometry import Basis, Geometry, Stage, realise
from trainers.measure import peak_on_cpu
from trainers.networks import paths
from trainers.networks.batchnorm import GroupedBatchNorm3d, GroupStatistics
from trainers.networks.chains import Activated, added, filtered, joined, normalised, projected
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.kernels import library
from trainers.networks.kernels.calls import FEWEST_CHANNELS, NOTHING, RELU, SWISH, Running, Scaled, Widening
from trainers.networks.kernels.check import sound
from trainers.networks.layers import DropConnect, SqueezeExcitation, drawn, plain_paths, recompute_blocks
from trainers.networks.pointwise import PointwiseConv3d
from trainers.networks.x3d import X3D, Block

TOLERANCE = 2e-6
SMALL = Geometry(4, 2, 32, (Stage(2, 8, 18, 8), Stage(3, 16, 36, 8)), classes=5, head_width=20, stem_kernel=5)


@pytest.fixture(autouse=True)
def settled():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def clips(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last_3d)


def distance(found, wanted):
    return ((found.detach().double() - wanted.detach()).norm() / wanted.detach().norm()).item()


def close(found, wanted):
    return all(distance(*pair) < TOLERANCE for pair in zip(found, wanted, strict=True))


def check_layer(layer, x, by):
    """Its output and both gradients are exact, and computed `by` this node of autograd."""
    x.requires_grad_()
    found = layer(x)
    assert found.grad_fn.name() == by
    exact, of = copy.deepcopy(layer).double(), x.detach().double().requires_grad_()
    wanted, gradient = exact(of), torch.randn_like(found)
    wanted.backward(gradient.double())
    layer.zero_grad()
    found.backward(gradient)
    assert close((found, x.grad, layer.weight.grad), (wanted, of.grad, exact.weight.grad))


# The channel-wise convolution

SHAPES = [
    (2, 12, 3, 7, 5),
    (1, 8, 1, 1, 1),
    (3, 54, 4, 17, 40),
    (2, 24, 5, 9, 3),
    (1, 30, 2, 8, 16),
    (2, 16, 1, 33, 19),
]


@pytest.mark.parametrize(("kernel", "stride"), [((3, 3, 3), 1), ((3, 3, 3), 2), ((5, 1, 1), 1), ((1, 3, 3), 2)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_channelwise_convolution_and_its_gradients_are_exact(shape, kernel, stride, kernels):
    x, weight = clips(*shape), torch.randn(shape[1], 1, *kernel)
    of = [x.double().requires_grad_(), weight.double().requires_grad_()]
    wanted = F.conv3d(*of, None, (1, stride, stride), [size // 2 for size in kernel], 1, shape[1])
    gradient = clips(*wanted.shape)
    found = (
        kernels.convolve(x, weight, stride),
        kernels.input_gradient(gradient, x, weight, stride),
        kernels.weight_gradient(gradient, x, weight, stride),
    )
    assert close(found, (wanted, *torch.autograd.grad(wanted, of, gradient.double())))


def test_the_layer_takes_them_for_any_strides_of_its_input(kernels):
    layer = ChannelwiseConv3d(24, (3, 3, 3), 2)
    for x in (
        torch.randn(2, 24, 3, 9, 8),
        torch.randn(2, 3, 24, 8, 9).permute(0, 2, 1, 4, 3),
        clips(4, 24, 3, 9, 8)[::2],
    ):
        check_layer(layer, x, "_CompiledBackward")


def test_what_they_are_not_made_for_is_pytorchs():
    assert ChannelwiseConv3d(24, (3, 5, 5))(clips(1, 24, 2, 6, 6)).grad_fn.name() != "_CompiledBackward"
    assert ChannelwiseConv3d(7, (3, 3, 3))(clips(1, 7, 2, 6, 6)).grad_fn.name() != "_CompiledBackward"
    double = ChannelwiseConv3d(24, (3, 3, 3)).double()
    assert double(clips(1, 24, 2, 6, 6).double()).grad_fn.name() != "_CompiledBackward"


# The pointwise convolution

PRODUCTS = [  # clips, frames, height, width; entering, leaving
    ((2, 3, 7, 5), 24, 54),
    ((1, 1, 1, 1), 8, 8),
    ((1, 2, 1, 3), 54, 24),
    ((3, 1, 1, 1), 9, 33),
    ((1, 1, 7, 7), 25, 15),
    ((2, 2, 5, 13), 17, 108),
    ((1, 13, 11, 17), 71, 41),
    ((1, 1, 4, 13), 1, 8),
    ((1, 1, 3, 31), 200, 127),
]


@pytest.mark.parametrize(("shape", "entering", "leaving"), PRODUCTS, ids=str)
def test_the_pointwise_convolution_and_its_gradients_are_exact(shape, entering, leaving, kernels):
    x, weight = clips(shape[0], entering, *shape[1:]), torch.randn(leaving, entering, 1, 1, 1)
    of = [x.double().requires_grad_(), weight.double().requires_grad_()]
    wanted, residual = F.conv3d(*of), clips(shape[0], leaving, *shape[1:])
    norm = Running(torch.randn(leaving), torch.rand(leaving) + 0.1, torch.randn(leaving), torch.randn(leaving), 1e-5)
    of_norm = [each.double() for each in (norm.mean, norm.variance, norm.gain, norm.bias)]
    followed = F.batch_norm(wanted, *of_norm, eps=norm.eps)
    assert close([kernels.project(x, weight)], [wanted])
    assert close([kernels.project_running(x, weight, norm, NOTHING)], [followed])
    assert close([kernels.project_running(x, weight, norm, RELU, residual)], [(followed + residual).relu()])
    for_x, for_weight = torch.autograd.grad(wanted, of, residual.double())
    if entering >= FEWEST_CHANNELS:
        assert close([kernels.project_input_gradient(residual, weight)], [for_x])
        assert close([kernels.project_weight_gradient(residual, x, weight)], [for_weight])


def test_the_pointwise_layer_takes_them_for_any_strides_of_its_input(kernels):
    layer = PointwiseConv3d(24, 54)
    for x in (
        torch.randn(2, 24, 3, 9, 8),
        torch.randn(2, 3, 24, 8, 9).permute(0, 2, 1, 4, 3),
        clips(4, 24, 3, 9, 8)[::2],
        clips(1, 24, 1, 9, 8),
    ):
        check_layer(layer, x, "_ProductBackward")


def test_pointwise_convolutions_that_they_are_not_made_for_are_pytorchs():
    x = clips(2, 24, 2, 6, 6)
    for layer in (PointwiseConv3d(24, 32, 2), PointwiseConv3d(24, 32, bias=True), PointwiseConv3d(24, 7)):
        assert layer(x).grad_fn.name() != "_ProductBackward"
    assert PointwiseConv3d(24, 32)(clips(2, 24, 1, 1, 1)).grad_fn.name() != "_ProductBackward"
    assert PointwiseConv3d(24, 32).double()(x.double()).grad_fn.name() != "_ProductBackward"


def test_a_pointwise_convolution_carries_what_is_no_number(kernels):
    x, weight = clips(1, 24, 1, 7, 9), torch.randn(24, 24, 1, 1, 1)
    x[0, 5, 0, 3, 3] = float("nan")
    norm = Running(torch.zeros(24), torch.ones(24), torch.ones(24), torch.zeros(24), 1e-5)
    lost = kernels.project_running(x, weight, norm, RELU).isnan().all(1).flatten()
    assert lost.nonzero().flatten().tolist() == [3 * 9 + 3]


# What evaluation alone has


@pytest.mark.parametrize(("leaving", "frames"), [(8, 1), (13, 3), (24, 5), (40, 7), (70, 1)])
@pytest.mark.parametrize("shape", [(2, 3, 3, 17, 23), (1, 3, 1, 40, 40), (2, 3, 2, 1, 2), (1, 3, 6, 90, 160)], ids=str)
def test_the_stem_is_exact_for_any_strides_of_the_clips(shape, leaving, frames, kernels):
    x, spatial, temporal = torch.randn(shape), torch.randn(leaving, 3, 1, 3, 3), torch.randn(leaving, 1, frames, 1, 1)
    norm = Running(*(torch.rand(leaving) + 0.1 for _ in range(4)), 1e-5)
    mean, variance, gain, bias = (each.double() for each in (norm.mean, norm.variance, norm.gain, norm.bias))
    wanted = F.conv3d(x.double(), spatial.double(), None, (1, 2, 2), (0, 1, 1))
    wanted = F.conv3d(wanted, temporal.double(), None, 1, (frames // 2, 0, 0), 1, leaving)
    wanted = F.batch_norm(wanted, mean, variance, gain, bias, eps=norm.eps)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            for given in (
                x,
                x.contiguous(memory_format=torch.channels_last_3d),
                x.repeat(1, 1, 1, 1, 2)[..., : shape[4]],
            ):
                found = kernels.convolve_images(given, spatial, temporal, norm, RELU)
                assert close([found], [wanted.relu()])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(2, 12, 3, 7, 5), (1, 30, 1, 1, 2), (3, 54, 2, 8, 9)], ids=str)
def test_every_other_position_is_taken(shape, kernels):
    x = clips(*shape)
    assert torch.equal(kernels.thin(x), x[..., ::2, ::2])
    layer = PointwiseConv3d(shape[1], 20, 2)
    with torch.no_grad():
        assert close([layer(x)], [copy.deepcopy(layer).double()(x.double())])


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_se_in_evaluation_is_a_scale_that_the_next_convolution_reads_by(shape, stride, kernels):
    conv, norm = ChannelwiseConv3d(shape[1], (3, 3, 3), stride), GroupedBatchNorm3d(shape[1])
    excitation, swish = SqueezeExcitation(shape[1], 8), nn.SiLU()
    project, of_project = PointwiseConv3d(shape[1], 20), GroupedBatchNorm3d(20)
    for each in (norm, of_project):
        nn.init.normal_(each.weight)
        nn.init.normal_(each.bias)
        each.running_mean.normal_()
        each.running_var.uniform_(0.5, 2)
    layers = nn.Sequential(conv, norm, excitation, swish, project, of_project).eval()
    x, residual = clips(*shape), clips(shape[0], 20, shape[2], *(-(-side // stride) for side in shape[3:]))
    wanted = copy.deepcopy(layers).double()(x.double())
    with torch.no_grad():
        waiting = filtered(conv, norm, Activated(x), excitation, swish, keep=False)
        assert waiting.waiting is not None
        assert close([projected(project, of_project, waiting, nn.ReLU()).value], [wanted.relu()])
        followed = joined(project, of_project, waiting, DropConnect(0), residual, nn.ReLU(), keep=False)
        assert close([followed], [(wanted + residual).relu()])
        assert close([waiting.through(project)], [layers[:5].double()(x.double())]), "done in its place"


def test_swish_holds_far_from_zero(kernels):
    x = torch.cat([torch.linspace(-86, 90, 4096), torch.tensor([-100, -1e30, 1e30, float("inf"), float("nan")])])
    x = x.expand(1, 8, 1, 1, -1).contiguous(memory_format=torch.channels_last_3d)
    found = kernels.scale(x.clone(), Scaled(torch.ones(1, 8), torch.zeros(1, 8), SWISH))
    torch.testing.assert_close(found[..., :4096], F.silu(x.double()).float()[..., :4096], rtol=5e-6, atol=0)
    assert (found / x)[..., 4096:4098].abs().max() < 1e-37, "where it is less than any number"
    assert torch.equal(found[..., 4098:4100], x[..., 4098:4100])
    assert found[..., 4100].isnan().all()


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (5, 3, 3)], ids=str)
@pytest.mark.parametrize(
    ("shape", "inner"),
    [((2, 24, 3, 9, 11), 54), ((1, 24, 4, 40, 40), 54), ((2, 24, 1, 30, 7), 108), ((1, 8, 5, 1, 6), 13)],
    ids=str,
)
def test_what_expands_is_the_same_to_the_bit_where_no_more_of_it_is_held_than_the_cache_has_room_for(
    shape, inner, kernel, kernels
):
    x, expand, weight = clips(*shape), torch.randn(inner, shape[1], 1, 1, 1), torch.randn(inner, 1, *kernel)
    first, second, third = (Running(*(torch.rand(c) + 0.1 for _ in range(4)), 1e-5) for c in (inner, inner, 20))
    project = torch.randn(20, inner, 1, 1, 1)
    squeeze = torch.randn(8, inner), torch.randn(8), torch.randn(inner, 8), torch.randn(inner)
    wide, widening = kernels.project_running(x, expand, first, RELU), Widening(expand, first)
    before = torch.get_num_threads()
    try:
        for stride, threads in itertools.product((1, 2), (1, 2, 3)):
            torch.set_num_threads(threads)
            middle = kernels.convolve_running(wide, weight, stride, second, SWISH)
            residual = clips(shape[0], 20, *middle.shape[2:])
            last = project, third, residual
            found = kernels.convolve_projected(x, widening, weight, stride, second, SWISH, *last)
            assert torch.equal(found, kernels.project_running(middle, project, third, RELU, residual))
            found = kernels.convolve_averaged(x, weight, stride, widening)
            wanted = kernels.convolve_averaged(wide, weight, stride)
            assert all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))
            by = kernels.excite_running(*wanted, second, squeeze, SWISH)
            found = kernels.convolve_projected(x, widening, weight, stride, second, SWISH, *last, squeeze)
            assert torch.equal(found, kernels.project_running(wanted[0], project, third, RELU, residual, by))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("held", [0, 1 << 40], ids=["held by rows", "held whole"])
def test_evaluation_is_that_of_float64_however_much_is_held(held, kernels, monkeypatch):
    monkeypatch.setattr(paths, "CORE_CACHE", held)
    test_evaluation_is_that_of_float64_and_leaves_the_network_alone(SMALL, kernels)


# BN with what follows it


class Following(nn.Module):
    """BN, and what a block lets follow it."""

    def __init__(self, act, excites, adds, rate):
        super().__init__()
        self.norm = GroupedBatchNorm3d(20)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)
        self.excitation = SqueezeExcitation(20, 8) if excites else nn.Identity()
        self.drop = DropConnect(rate)
        self.act, self.adds = act, adds

    def forward(self, x, residual):
        if self.adds:
            return added(self.norm, x, self.drop, residual, self.act)
        found = filtered(nn.Identity(), self.norm, Activated(x), self.excitation, self.act, keep=False)
        return found.through(nn.Identity(), keep=True)


FOLLOWING = {
    "ReLU": (nn.ReLU(), False, False, 0.0),
    "swish": (nn.SiLU(), False, False, 0.0),
    "SE and swish": (nn.SiLU(), True, False, 0.0),
    "SE and ReLU": (nn.ReLU(), True, False, 0.0),
    "a residual and ReLU": (nn.ReLU(), False, True, 0.0),
    "drop-connect, a residual and ReLU": (nn.ReLU(), False, True, 0.4),
}


@pytest.mark.parametrize("sizes", [[5], [2, 3]], ids=str)
@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 1, 3), (3, 20, 21)], ids=str)
@pytest.mark.parametrize("name", FOLLOWING)
def test_bn_and_what_follows_it_are_exact(name, shape, sizes, kernels):
    layer = Following(*FOLLOWING[name]).train()
    exact = copy.deepcopy(layer).double()
    layer.drop.draws = exact.drop.draws = torch.tensor([[0.1], [0.7], [0.3], [0.5], [0.9]])
    values = [3 + 2 * clips(5, 20, *shape), clips(5, 20, *shape)]
    inputs, doubles = (
        [value.requires_grad_() for value in values],
        [v.detach().double().requires_grad_() for v in values],
    )
    with GroupStatistics(layer, torch.device("cpu")).of(sizes):
        found = layer(*inputs)
        moments = [(mean.clone(), variance.clone()) for mean, variance in layer.norm.moments]
    assert found.grad_fn.name() in ("_NormaliseBackward", "_ExciteBackward")
    # Small batches leave BN little to divide by: the reference is exact, its groups one by one.
    parts = zip(*(double.split(sizes) for double in doubles), exact.drop.draws.split(sizes), strict=True)
    wanted = []
    for part, residual, draws in parts:
        exact.drop.draws = draws
        wanted.append(exact(part, residual))
    wanted, gradient = torch.cat(wanted), clips(5, 20, *shape)
    of = [*doubles[: 1 + exact.adds], *exact.parameters()]
    wanted_gradients = torch.autograd.grad(wanted, of, gradient.double(), allow_unused=True)
    found_gradients = torch.autograd.grad(found, [*inputs[: 1 + layer.adds], *layer.parameters()], gradient)
    assert distance(found, wanted) < TOLERANCE
    for ours, theirs in zip(found_gradients, wanted_gradients, strict=True):
        # A clip's position alone is the mean of its channel: rounding is all that is left of some gradients.
        assert (ours.double() - theirs).norm() < TOLERANCE * max(theirs.norm(), gradient.norm())
    for (mean, variance), part in zip(moments, doubles[0].split(sizes), strict=True):
        by_channel = part.transpose(0, 1).flatten(1)
        assert close((mean, variance), (by_channel.mean(1), by_channel.var(1)))


def test_outside_of_groups_running_statistics_are_pytorchs(kernels):
    layer, stock = GroupedBatchNorm3d(20).train(), nn.BatchNorm3d(20).train()
    for _ in range(3):
        x = 1 + clips(4, 20, 2, 5, 5)
        torch.testing.assert_close(normalised(layer, x, nn.ReLU()).value, stock(x).relu())
    torch.testing.assert_close(layer.state_dict(), stock.state_dict())


def test_they_compute_in_float32_whatever_the_default_type_is(kernels):
    x, product, gradient = clips(2, 8, 3, 6, 5), torch.randn(24, 8, 1, 1, 1), clips(2, 24, 3, 3, 3)
    by, norm = torch.randn(24, 1, 3, 3, 3), Running(*(torch.rand(24) + 0.1 for _ in range(4)), 1e-5)
    images, spatial, temporal = clips(2, 3, 3, 6, 5), torch.randn(24, 3, 1, 3, 3), torch.randn(24, 1, 3, 1, 1)

    def computed():
        wide = kernels.project_running(x, product, norm, RELU)
        return (
            kernels.project_input_gradient(gradient, product),
            kernels.weight_gradient(gradient, wide, by, 2),
            *kernels.convolve_averaged(wide, by, 2),
            *kernels.convolve_averaged(x, by, 2, Widening(product, norm)),
            kernels.thin(wide),
            kernels.convolve_images(images, spatial, temporal, norm, RELU),
        )

    expected = computed()
    try:
        torch.set_default_dtype(torch.float64)
        found = computed()
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_what_is_no_number_stays_so(kernels):
    x = clips(4, 20, 2, 5, 5)
    x[1, 3, 0, 2, 2] = float("nan")
    for act in (nn.ReLU(), nn.SiLU()):
        out = normalised(GroupedBatchNorm3d(20).train(), x, act).value
        assert out[:, 3].isnan().all()
        assert out[:, :3].isfinite().all()


# The whole network


def gradients(model, batch, sizes):
    with GroupStatistics(model, torch.device("cpu")).of(sizes):
        return of_the_loss(model, batch)


def of_the_loss(model, batch):
    logits = model(batch)
    F.cross_entropy(logits, torch.arange(len(batch)) % logits.shape[1]).backward()
    return logits.detach(), torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def exact_gradients(model, batch):
    reference = copy.deepcopy(model).double()
    with plain_paths(reference):
        return of_the_loss(reference, batch)


# With gains at random a single ReLU of X2D that rounding turns leaves float32, PyTorch's own too, 1e-6 to 1e-2 from
# float64: it is compared as a training begins, where the insides of blocks have no gradient; a small one has it all.
@pytest.mark.parametrize(("geometry", "gain"), [(realise(Factors(), Basis()), 0.0), (SMALL, 1.0)], ids=["X2D", "small"])
def test_logits_and_all_gradients_are_those_of_float64(geometry, gain, kernels):
    model = X3D(geometry).train()
    for module in model.modules():
        if isinstance(module, Block):
            nn.init.uniform_(module.project_norm.weight, gain / 2, gain)
    batch = torch.randn(4, 3, geometry.frames, geometry.crop, geometry.crop)
    wanted, before = exact_gradients(model, batch.double()), torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            model.zero_grad()
            assert close(of_the_loss(model, batch), wanted)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "geometry", [SMALL, replace(SMALL, frames=1, channelwise=False, swish=False)], ids=["3D", "dense"]
)
def test_evaluation_is_that_of_float64_and_leaves_the_network_alone(geometry, kernels):
    model = X3D(geometry).train()
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm3d)):
        nn.init.uniform_(norm.weight, 0.5, 1)
        nn.init.normal_(norm.bias, std=0.1)
    batch = torch.randn(4, 3, geometry.frames, 32, 32)
    with torch.no_grad():
        model(batch)
    model.eval()
    before, exact = copy.deepcopy(model.state_dict()), copy.deepcopy(model).double()(batch.double())
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert close([model(batch)], [exact])
    assert close([model(batch)], [exact]), "with gradients"
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_half_of_the_activations_are_computed_again_instead_of_held(kernels):
    batch = torch.randn(4, 3, 4, 64, 64)

    def peak(again):
        model = X3D(SMALL).train()
        with pytest.MonkeyPatch.context() as patch:
            if not again:
                patch.setattr(Activated, "through", lambda self, layer, *, keep: layer(self.value))
            return peak_on_cpu(lambda: of_the_loss(model, batch))

    assert peak(again=True) < 0.75 * peak(again=False)


def test_the_number_of_threads_does_not_change_a_bit(kernels):
    layer, x = ChannelwiseConv3d(54, (3, 3, 3)), clips(2, 54, 3, 40, 40)
    following, gradient = Following(*FOLLOWING["SE and swish"]).train(), clips(2, 54, 3, 40, 40)
    project, of_product = PointwiseConv3d(54, 24), clips(2, 24, 3, 40, 40)
    y, of_y = clips(2, 20, 3, 60, 60), clips(2, 20, 3, 60, 60)
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = following(y.requires_grad_(), None)
            convolved = torch.autograd.grad(layer(x.requires_grad_()), [x, layer.weight], gradient)
            product = torch.autograd.grad(project(x), [x, project.weight], of_product)
            results.append(
                [
                    *convolved,
                    *product,
                    project(x),
                    out,
                    *torch.autograd.grad(out, [y, *following.norm.parameters()], of_y),
                ]
            )
    finally:
        torch.set_num_threads(before)
    for others in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(results[0], others, strict=True))


def test_blocks_that_are_computed_again_give_the_same_gradients(kernels):
    model = X3D(SMALL, drop_connect=0.3).train()
    batch, found = torch.randn(4, 3, 4, 32, 32), []
    for recompute in (False, True):
        recompute_blocks(model, recompute)
        with drawn(model, [np.random.default_rng(1), np.random.default_rng(2)], [2, 2]):
            found.append(gradients(model, batch, [2, 2]))
        model.zero_grad()
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


# Where they come from

CODE = (
    "import logging, sys, torch\n"
    "logging.basicConfig(stream=sys.stdout, format='%(message)s')\n"
    "from trainers.networks.channelwise import ChannelwiseConv3d\n"
    "layer = ChannelwiseConv3d(16, (3, 3, 3))\n"
    "for _ in range(2): name = layer(torch.ones(1, 16, 2, 4, 4)).grad_fn.name()\n"
    "print(name)\n"
)


def run(cache, **environment):
    values = {**os.environ, "XDG_CACHE_HOME": str(cache), **environment}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=values, capture_output=True, text=True, timeout=300, check=True
    )
    return done.stdout.splitlines()


def compiler_that(path: Path, does: str) -> str:
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


def test_two_processes_compile_once_and_the_next_does_not(tmp_path, kernels):
    count = tmp_path / "compiled"
    compiler = compiler_that(
        tmp_path / "counting", f'[ "$1" = --version ] || echo once >> {count}\nexec {library.find_compiler()} "$@"'
    )
    values = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "CC": compiler}
    both = [subprocess.Popen([sys.executable, "-c", CODE], env=values, stdout=subprocess.PIPE, text=True) for _ in "12"]
    assert [process.communicate(timeout=300)[0] for process in both] == ["_CompiledBackward\n"] * 2
    assert run(tmp_path, CC=compiler) == ["_CompiledBackward"]
    assert count.read_text() == "once\n"
    made = list((tmp_path / "x3d-expander" / "kernels").iterdir())
    assert sorted(path.suffix for path in made) == [".lock", ".sha256", ".so"]
    assert stat.S_IMODE(made[0].parent.stat().st_mode) == 0o700


def test_without_a_compiler_pytorch_computes_and_one_line_says_so(tmp_path):
    *lines, path = run(tmp_path, CC="there-is-none")
    assert path == "_ChannelwiseOnCpuBackward"
    (line,) = lines
    assert "there is no C compiler (there-is-none); install gcc, or set EXPANDER_KERNELS=off" in line


def test_a_compiler_that_fails_is_told_by_its_first_error(tmp_path):
    failing = compiler_that(tmp_path / "cc", '[ "$1" = --version ] || { echo "a.c: error: no room" >&2; exit 1; }')
    (line, path) = run(tmp_path, CC=failing)
    assert path == "_ChannelwiseOnCpuBackward"
    assert line.endswith("cc does not compile them: a.c: error: no room")
    assert not list(tmp_path.rglob("*.so"))


def test_a_damaged_library_is_made_anew(tmp_path, kernels):
    source = library.compiled(library.folder())
    (tmp_path / "kernels").mkdir()
    for suffix in (".so", ".sha256"):
        shutil.copy(source.with_suffix(suffix), tmp_path / "kernels")
    damaged = tmp_path / "kernels" / source.name
    content = damaged.read_bytes()
    assert library.compiled(tmp_path / "kernels") == damaged
    assert damaged.read_bytes() == content
    damaged.write_bytes(content[: len(content) // 2])
    assert library.compiled(tmp_path / "kernels") == damaged
    assert damaged.read_bytes() == content


def test_where_nothing_can_be_kept_pytorch_computes_and_one_line_says_so(tmp_path):
    (tmp_path / "file").touch()
    line, path = run(tmp_path / "file")
    assert path == "_ChannelwiseOnCpuBackward"
    assert f"{tmp_path}/file" in line


def test_they_can_be_switched_off(tmp_path):
    assert run(tmp_path, EXPANDER_KERNELS="off") == ["_ChannelwiseOnCpuBackward"]
    assert not (tmp_path / "x3d-expander").exists()


def test_a_library_that_computes_something_else_is_not_used(kernels, caplog):
    class Off(type(kernels)):
        def weight_gradient(self, *arguments):
            return super().weight_gradient(*arguments) * 1.001

    with caplog.at_level(logging.WARNING):
        assert not sound(Off(kernels.library))
    assert "its weight's gradient at 1 by 1e-03" in caplog.text
    assert sound(kernels)
    with torch.inference_mode():
        assert sound(kernels)
