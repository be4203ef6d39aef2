"""The mobile parts that Table A.1 takes out one by one: built, trained, and searched."""

import math
from dataclasses import replace

import pytest
import torch
from spaces import expansions, searched, space_of
from torch import nn

from expander.axis import Factors
from expander.errors import SpaceError
from expander.geometry import MOBILE_PARTS, Basis, Geometry, Stage, realise
from expander.recipe import Recipe
from expander.trial import Trial, Views
from trainers.data.clips import Clip
from trainers.data.damage import Ledger
from trainers.learner import Learner
from trainers.networks.build import build
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.layers import SqueezeExcitation
from trainers.networks.pointwise import PointwiseConv3d
from trainers.networks.x3d import Block

SMALL = Geometry(3, 2, 24, (Stage(2, 8, 12, 8), Stage(2, 16, 24, 8)), classes=3, head_width=20)
RECIPE = Recipe(epochs=1, batch=4, base_rate=0.1, reference_batch=4, batchnorm_group=4)


@pytest.fixture(autouse=True)
def settled():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def without(*parts):
    return replace(SMALL, **dict.fromkeys(parts, False))


def blocks_of(geometry):
    return [module for module in build(geometry).modules() if isinstance(module, Block)]


def test_without_channelwise_convolution_blocks_have_slowfasts_two_dense_ones():
    for block in blocks_of(without("channelwise")):
        assert (block.expand.kernel_size, block.channelwise.kernel_size) == ((3, 1, 1), (1, 3, 3))
        assert block.expand.groups == block.channelwise.groups == 1
        assert block.expand.stride == (1, 1, 1)
    for block in blocks_of(SMALL):
        assert isinstance(block.expand, PointwiseConv3d)
        assert isinstance(block.channelwise, ChannelwiseConv3d)


@pytest.mark.parametrize(("frames", "size"), [(1, 24), (2, 17), (5, 9)])
def test_without_channelwise_convolution_shapes_are_the_same(frames, size):
    x = torch.randn(2, 8, frames, size, size)
    shapes = [blocks_of(geometry)[2](x).shape for geometry in (SMALL, without("channelwise"))]
    assert shapes == [(2, 16, frames, (size + 1) // 2, (size + 1) // 2)] * 2


def test_without_swish_relu_stands_for_it():
    assert {type(block.swish) for block in blocks_of(SMALL)} == {nn.SiLU}
    assert {type(block.swish) for block in blocks_of(without("swish"))} == {nn.ReLU}


def test_without_squeeze_excitation_no_block_has_any():
    assert any(isinstance(block.excitation, SqueezeExcitation) for block in blocks_of(SMALL))
    assert not any(
        isinstance(block.excitation, SqueezeExcitation) for block in blocks_of(without("squeeze_excitation"))
    )


@pytest.mark.parametrize("parts", [*((part,) for part in MOBILE_PARTS), MOBILE_PARTS], ids=" ".join)
def test_without_a_part_a_network_trains(parts):
    trial = Trial(without(*parts), RECIPE, data="noise", views=Views(1), seed=0)
    learner = Learner(trial, torch.device("cpu"), Ledger(4, 0.0))
    pixels = torch.randint(0, 256, (4, 3, 24, 24, 3), dtype=torch.uint8)
    epoch = learner.learn([Clip(clip, index % 3, index) for index, clip in enumerate(pixels)], videos=4)
    assert math.isfinite(epoch.loss)


@pytest.mark.parametrize("parts", [*((part,) for part in MOBILE_PARTS), MOBILE_PARTS], ids=" ".join)
def test_without_a_part_every_parameter_has_a_gradient(parts):
    model = build(without(*parts)).train()
    for module in model.modules():
        if isinstance(module, Block):
            nn.init.ones_(module.project_norm.weight)  # at zero gain a block's inside has none
    model(torch.randn(4, 3, 3, 24, 24)).square().sum().backward()
    assert [name for name, tensor in model.named_parameters() if tensor.grad is None or not tensor.grad.any()] == []


@pytest.mark.parametrize("part", MOBILE_PARTS)
def test_a_space_without_a_part_has_candidates_without_it(part):
    sections = {
        "basis": {"widths": [8, 16], "blocks": [1, 2], "crop": 16, "classes": 4, "head_width": 16},
        "expansion": {"max_steps": 2, "tolerance": 0.6, "first_stride": 4},
        "grids": {"crop": 2},
        "regimes": {"bounds": {"Tiny": 2e7}},
    }
    space = space_of(**sections | {"basis": sections["basis"] | {part: False}})
    steps, decisions = searched(space)
    found = [c.solution.geometry for step in steps for c in step.candidates if c.solution]
    assert len(expansions(decisions)) == 2
    assert len(found) >= 6
    assert all(not getattr(geometry, part) for geometry in found)
    assert all(getattr(geometry, other) for geometry in found for other in MOBILE_PARTS if other != part)
    whole = {trial.id for step in searched(space_of(**sections))[0] for trial in step.trials}
    assert not whole & {trial.id for step in steps for trial in step.trials}


def test_a_switch_is_true_or_false():
    with pytest.raises(SpaceError, match=r"basis\.swish: found 'no'; expected true or false"):
        space_of(basis={"swish": "no"})


def test_realising_keeps_the_switches():
    basis = Basis(channelwise=False, swish=True, squeeze_excitation=False)
    geometry = realise(Factors(gamma_b=2.25), basis)
    assert (geometry.channelwise, geometry.swish, geometry.squeeze_excitation) == (False, True, False)
