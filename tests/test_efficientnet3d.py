"""EfficientNet3D (Table 7): derived, counted, built, trained, and used by the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import pytest
import torch
import yaml
from conftest import Expander, Videos
from hypothesis import given, settings
from hypothesis import strategies as st

from expander.complexity import measure
from expander.efficientnet3d import EFFICIENTNET3D, EfficientNet3D, MobileStage, extend, read_geometry
from expander.plan import inference_flops
from expander.recipe import Recipe
from expander.trial import Trial, Views, shorter_side
from trainers.data.clips import Clip
from trainers.data.damage import Ledger
from trainers.learner import Learner
from trainers.networks.build import build
from trainers.networks.efficientnet3d import EfficientNet3DNetwork, InvertedBottleneck
from trainers.networks.layers import SqueezeExcitation, plain_paths
from trainers.networks.trace import trace

B0 = EFFICIENTNET3D["EfficientNet3D-B0"]
STAGES = (MobileStage(2, 1, 8, 1), MobileStage(3, 2, 16, 6), MobileStage(1, 1, 24, 6))
SMALL = EfficientNet3D(3, 2, 32, 8, STAGES, head_width=20, classes=3)


@pytest.fixture(autouse=True)
def settled():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def blocks_of(model):
    return [module for module in model.modules() if isinstance(module, InvertedBottleneck)]


# fmt: off
#   the public 2D networks: width of the stem, widths and blocks of the stages, width of the head
PUBLIC = {
    "EfficientNet3D-B0": (32, (16, 24, 40,  80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), 1280),
    "EfficientNet3D-B3": (40, (24, 32, 48,  96, 136, 232, 384), (2, 3, 3, 5, 5, 6, 2), 1536),
    "EfficientNet3D-B4": (48, (24, 32, 56, 112, 160, 272, 448), (2, 4, 4, 6, 6, 8, 2), 1792),
}
# fmt: on


@pytest.mark.parametrize("name", PUBLIC)
def test_widths_and_blocks_are_those_of_the_2d_network(name):
    found = EFFICIENTNET3D[name]
    assert (found.stem_width, found.widths, found.blocks, found.head_width) == PUBLIC[name]


def test_crops_and_frames_grow_by_one_rule_from_b0s():
    assert extend(1.0, 1.0, 224) == B0
    clips = [(network.frames, network.stride, network.crop) for network in EFFICIENTNET3D.values()]
    assert clips == [(4, 12, 144), (8, 6, 192), (12, 4, 248)]


def test_the_first_stage_does_not_expand_and_the_others_expand_what_enters_sixfold():
    first, second, *_ = B0.mobile_blocks()
    assert [(block.inner_width, block.expands) for block in first] == [(32, False)]
    assert [(block.entering, block.inner_width) for block in second] == [(16, 96), (24, 144)]


def test_every_other_block_of_a_stage_squeezes_to_a_sixteenth_of_its_inner_width():
    squeezes = [[block.squeeze_width for block in stage] for stage in B0.mobile_blocks()]
    assert squeezes == [[8], [8, None], [16, None], [16, None, 32], [32, None, 40], [40, None, 72, None], [72]]


@pytest.mark.parametrize(
    "geometry",
    [
        replace(B0, frames=2, crop=48),
        replace(EFFICIENTNET3D["EfficientNet3D-B3"], frames=1, stride=None, crop=35),
        replace(EFFICIENTNET3D["EfficientNet3D-B4"], frames=2, crop=33, classes=7),
        SMALL,
        replace(SMALL, crop=1),
        replace(SMALL, stem_kernel=3, frames=5),
    ],
    ids=["B0", "B3", "B4", "small", "one pixel", "stem kernel 3"],
)
def test_a_network_traces_to_its_closed_form(geometry):
    assert trace(geometry) == measure(geometry)


@pytest.mark.slow
def test_b0_itself_traces_to_its_closed_form():
    assert trace(B0) == measure(B0)


stage = st.builds(MobileStage, st.integers(1, 3), st.integers(1, 3), st.integers(1, 24), st.integers(1, 6))


@settings(max_examples=10, deadline=None)
@given(
    st.builds(
        EfficientNet3D,
        frames=st.integers(1, 3),
        stride=st.just(2),
        crop=st.integers(1, 40),
        stem_width=st.integers(1, 16),
        stages=st.lists(stage, min_size=1, max_size=3).map(tuple),
        head_width=st.integers(1, 32),
        classes=st.integers(1, 9),
        stem_kernel=st.sampled_from((1, 3, 5)),
    )
)
def test_any_network_traces_to_its_closed_form_and_survives_its_dict(geometry):
    assert trace(geometry) == measure(geometry)
    assert read_geometry(json.loads(json.dumps(geometry.as_dict()))) == geometry


def test_inference_costs_every_view():
    assert inference_flops(B0, Views(10)) == 10 * measure(B0).flops
    wider = measure(replace(B0, crop=shorter_side(B0.crop))).flops
    assert inference_flops(B0, Views(10, "left-center-right")) == 30 * wider


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 33, 17), (7, 8, 8)])
def test_it_takes_any_number_of_frames_and_any_size(shape, training):
    logits = build(SMALL).train(training)(torch.randn(2, 3, *shape))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()


def test_shortcuts_are_where_the_shape_stays_and_a_new_block_is_its_shortcut():
    model = build(SMALL).train()
    blocks = blocks_of(model)
    assert [block.residual for block in blocks] == [True, True, False, True, True, False]
    x = torch.rand(4, 8, 3, 6, 6)
    torch.testing.assert_close(blocks[0](x), x, rtol=0, atol=0)
    assert blocks[2](x).any(), "a block without a shortcut lets its input through"
    assert [isinstance(block.excitation, SqueezeExcitation) for block in blocks] == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def test_a_block_ends_in_relu():
    (block, *_) = blocks_of(build(SMALL))
    torch.nn.init.normal_(block.project_norm.bias)
    assert (block(torch.randn(4, 8, 3, 6, 6)) >= 0).all(), "the linear bottleneck of 2D is not used (Sec. A.2)"


@pytest.mark.parametrize("number", range(6))
def test_a_block_computes_what_sec_a2_says(number):
    block = blocks_of(build(SMALL).double())[number].eval()
    for norm in (module for module in block.modules() if isinstance(module, torch.nn.BatchNorm3d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.normal_(norm.running_mean)
    geometry = list(chain(*SMALL.mobile_blocks()))[number]
    x = torch.randn(2, geometry.entering, 3, 6, 6, dtype=torch.float64)
    y = block.expand.norm(block.expand.conv(x)).relu() if geometry.expands else x
    y = block.channelwise_norm(block.channelwise(y))
    if geometry.squeeze_width:
        y = block.excitation(y)
    y = block.project_norm(block.project(y * y.sigmoid()))  # swish
    torch.testing.assert_close(block(x), (y + x if geometry.residual else y).relu())


def test_the_recipe_sets_dropout_and_drop_connect_of_what_has_a_shortcut():
    model = build(SMALL, Recipe(dropout=0.3, drop_connect=0.2))
    assert isinstance(model, EfficientNet3DNetwork)
    assert model.head.dropout.rate == 0.3
    rates = [block.drop_connect.rate for block in blocks_of(model)]
    assert rates == pytest.approx([0, 0.04, 0, 0.12, 0.16, 0])


def test_the_fast_paths_give_the_plain_outputs_and_gradients():
    model = build(SMALL).double().train()
    for block in blocks_of(model):
        torch.nn.init.ones_(block.project_norm.weight)
    clips = torch.randn(3, 3, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    inputs = [clips, *model.parameters()]
    fast = torch.autograd.grad(model(clips).square().sum(), inputs)
    with plain_paths(model):
        plain = torch.autograd.grad(model(clips).square().sum(), inputs)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9 * max(1.0, theirs.abs().max().item()))


def test_it_learns_and_every_parameter_moves():
    recipe = Recipe(epochs=40, batch=6, base_rate=0.3, reference_batch=6, batchnorm_group=6, dropout=0.0)
    learner = Learner(Trial(SMALL, recipe, "noise", Views(1), seed=0), torch.device("cpu"), Ledger(6, 0.0))
    before = {name: tensor.clone() for name, tensor in learner.model.named_parameters()}
    pixels = torch.randint(0, 256, (6, 3, 32, 32, 3), dtype=torch.uint8)
    clips = [Clip(clip, index % 3, index) for index, clip in enumerate(pixels)]
    losses = [learner.learn(clips, videos=6).loss for _ in range(40)]
    assert losses[-1] < losses[0] / 2
    still = [name for name, tensor in learner.model.named_parameters() if torch.equal(tensor, before[name])]
    assert still == []


def test_the_commands_cost_train_and_test_it_by_its_name(expander: Expander, videos: Videos, tmp_path) -> None:
    cost = json.loads(expander("cost", "EfficientNet3D-B3", "--json").stdout)
    assert (cost["geometry"]["network"], cost["flops"]) == ("efficientnet3d", 6_008_346_496)
    assert "expansions [1, 6, 6, 6, 6, 6, 6]" in " ".join(expander("cost", "EfficientNet3D-B0").stdout.split())

    small = ("geometry.crop=32", "geometry.frames=2", "geometry.classes=6", "geometry.blocks=[1, 1, 1, 1, 1, 1, 1]")
    small += ("recipe.epochs=1", "recipe.batch=12", "recipe.batchnorm_group=12", "views.clips=1")
    manifests = ("--train", videos.train, "--val", videos.val, "--out", "out", "--threads", 1, "--json")
    trained = expander("train", "EfficientNet3D-B0", *manifests, *(f"--set={key}" for key in small))
    document = json.loads(trained.stdout)
    assert document["videos"] == 12
    config = tmp_path / "out" / "EfficientNet3D-B0.yaml"
    assert yaml.safe_load(config.read_text())["geometry"]["blocks"] == [1] * 7
    weights = ("--weights", config.with_suffix(".safetensors"), "--val", videos.val, "--json")
    tested = json.loads(expander("test", config, *weights).stdout)
    assert tested["top1"] == document["top1"]
