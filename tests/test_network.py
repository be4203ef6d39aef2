import subprocess
import sys

import pytest
import torch
from torch import nn

from expander.axis import Factors
from expander.geometry import Basis, Geometry, Stage, realise
from expander.recipe import Recipe
from trainers.networks import paths
from trainers.networks.build import build
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.layers import DropConnect, SqueezeExcitation, plain_paths
from trainers.networks.pointwise import PointwiseConv3d
from trainers.networks.x3d import X3D, Block

SMALL = Geometry(4, 2, 32, (Stage(2, 8, 12, 8), Stage(3, 16, 24, 8)), classes=3, head_width=20, stem_kernel=5)


@pytest.fixture(autouse=True)
def settled():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def blocks(model):
    return [module for module in model.modules() if isinstance(module, Block)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 32, 32), (1, 32, 32), (2, 33, 33), (5, 17, 40), (16, 7, 7)])
def test_it_takes_any_number_of_frames_and_any_size(shape, training):
    logits = X3D(SMALL).train(training)(torch.randn(2, 3, *shape))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()


def test_one_published_network_is_its_geometry():
    geometry = realise(Factors(12, 4, 160 / 112, 1, 2.25, 2.2), Basis())
    model = X3D(geometry)
    assert [len(stage) for stage in model.stages] == [3, 5, 11, 7]
    assert [name for name, _ in model.stages.named_children()] == ["res2", "res3", "res4", "res5"]
    assert [stage[0].expand.out_channels for stage in model.stages] == [54, 108, 216, 432]
    assert [stage[0].excitation.reduce.out_channels for stage in model.stages] == [8, 8, 16, 32]
    assert model.stem.temporal.kernel_size == (5, 1, 1)
    assert sum(p.numel() for p in model.parameters()) == 3_794_322


def test_the_first_block_of_a_stage_halves_the_picture_and_keeps_the_frames():
    x = torch.randn(2, 8, 3, 9, 13)
    assert X3D(SMALL).stages.res3(x).shape == (2, 16, 3, 5, 7)


def test_every_other_block_squeezes_and_excites_beginning_with_each_stages_first():
    excited = [isinstance(block.excitation, SqueezeExcitation) for block in blocks(X3D(SMALL))]
    assert excited == [True, False, True, False, True]


def test_a_new_block_is_its_shortcut():
    block = X3D(SMALL).stages.res2[1].train()
    x = torch.rand(4, 8, 3, 6, 6)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)


def test_the_shortcut_of_a_first_block_has_a_convolution_and_batchnorm():
    conv, norm = X3D(SMALL).stages.res2[0].shortcut
    assert (conv.in_channels, conv.out_channels, conv.stride) == (8, 8, (1, 2, 2))
    assert isinstance(norm, nn.BatchNorm3d)


def test_weights_start_as_he_has_it():
    model = X3D(Geometry(1, None, 32, (Stage(2, 256, 512, 32),), classes=200, head_width=512))
    block = model.stages.res2[1]
    assert block.expand.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    # A channel-wise filter has 27 connections, not 27 for each channel.
    assert block.channelwise.weight.std().item() == pytest.approx((2 / 27) ** 0.5, rel=0.05)
    assert model.head.linear.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert model.head.classifier.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.head.classifier.bias.any()
    assert not block.project_norm.weight.any()
    assert (block.expand_norm.weight == 1).all()


def test_the_same_random_state_builds_the_same_network():
    networks = []
    for _ in range(2):
        torch.manual_seed(7)
        networks.append(build(SMALL, Recipe()).state_dict())
    assert all(torch.equal(tensor, networks[1][name]) for name, tensor in networks[0].items())


def test_the_recipe_sets_dropout_and_drop_connect():
    model = build(SMALL, Recipe(dropout=0.3, drop_connect=0.2))
    assert model.head.dropout.rate == 0.3
    assert [block.drop_connect.rate for block in blocks(model)] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])


def test_drop_connect_drops_whole_clips_and_keeps_the_mean():
    dropped = DropConnect(0.2).train()(torch.ones(20_000, 1, 2, 1, 1))
    per_clip = dropped.flatten(1)
    assert (per_clip[:, 0] == per_clip[:, 1]).all()
    assert sorted(per_clip.unique().tolist()) == pytest.approx([0, 1.25])
    assert per_clip.mean().item() == pytest.approx(1, abs=0.02)


def test_drop_connect_does_nothing_in_evaluation():
    x = torch.randn(8, 2, 1, 1, 1)
    assert DropConnect(0.9).eval()(x) is x


def test_names_in_the_state_dict_stay_as_saved_weights_have_them():
    one_block = Geometry(2, 1, 16, (Stage(1, 8, 8, 8),), classes=2, head_width=4)
    names = [name for name, _ in X3D(one_block).named_parameters()]
    block = "stages.res2.0."
    assert names == [
        *("stem.spatial.weight", "stem.temporal.weight", "stem.norm.weight", "stem.norm.bias"),
        *(block + "expand.weight", block + "expand_norm.weight", block + "expand_norm.bias"),
        *(block + "channelwise.weight", block + "channelwise_norm.weight", block + "channelwise_norm.bias"),
        *(block + "excitation.reduce.weight", block + "excitation.reduce.bias"),
        *(block + "excitation.restore.weight", block + "excitation.restore.bias"),
        *(block + "project.weight", block + "project_norm.weight", block + "project_norm.bias"),
        *(block + "shortcut.conv.weight", block + "shortcut.norm.weight", block + "shortcut.norm.bias"),
        *("head.expand.weight", "head.norm.weight", "head.norm.bias"),
        *("head.linear.weight", "head.classifier.weight", "head.classifier.bias"),
    ]


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
@pytest.mark.parametrize("crop", [32, 33])
def test_the_fast_paths_give_the_plain_outputs_and_gradients(frames, crop):
    model = X3D(SMALL).double().train()
    for block in blocks(model):
        nn.init.ones_(block.project_norm.weight)  # at zero gain a block's inside would not show
    clips = torch.randn(3, 3, frames, crop, crop, dtype=torch.float64, requires_grad=True)
    wanted = model(clips).square().sum()
    inputs = [clips, *model.parameters()]
    fast = torch.autograd.grad(wanted, inputs)
    with plain_paths(model):
        plain_loss = model(clips).square().sum()
        plain = torch.autograd.grad(plain_loss, inputs)
    torch.testing.assert_close(wanted, plain_loss, rtol=1e-10, atol=0)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9 * max(1.0, theirs.abs().max().item()))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (5, 1, 1)])
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_the_channelwise_gradients_are_exact(frames, kernel, stride):
    layer = ChannelwiseConv3d(2, kernel, stride).double()
    x = torch.randn(2, 2, frames, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, weight: torch.func.functional_call(layer, {"weight": weight}, x), (x, layer.weight)
    )


def operators(layer, x):
    with torch.profiler.profile() as profile:
        layer(x).sum().backward()
    return {event.key for event in profile.key_averages()}


def test_without_kernels_one_thread_and_a_small_batch_spare_the_pointwise_convolution_its_im2col(monkeypatch):
    monkeypatch.setattr(paths, "compiled", lambda: None)
    layer, x = PointwiseConv3d(8, 16), torch.randn(8, 8, 4, 6, 6).contiguous(memory_format=torch.channels_last_3d)
    assert not any("slow_conv3d" in name for name in operators(layer, x))
    layer.plain = True
    assert any("slow_conv3d" in name for name in operators(layer, x))


def test_without_kernels_a_large_batch_leaves_the_pointwise_convolution_to_pytorch(monkeypatch):
    monkeypatch.setattr(paths, "compiled", lambda: None)
    assert "aten::conv3d" in operators(PointwiseConv3d(8, 16), torch.randn(16, 8, 1, 6, 6))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_pointwise_paths_agree(threads, stride):
    torch.set_num_threads(threads)
    layer = PointwiseConv3d(8, 16, stride, bias=True)
    x = torch.randn(3, 8, 2, 7, 5)
    fast = layer(x)
    layer.plain = True
    torch.testing.assert_close(fast, layer(x))


def test_plain_paths_are_left_again_even_after_an_error():
    model = X3D(SMALL)
    layers = [module for module in model.modules() if hasattr(module, "plain")]

    def fail_within():
        with plain_paths(model):
            assert all(layer.plain for layer in layers)
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    assert len(layers) == 1 + 5 * 3 + 3 * 2 + 2 + 1  # stem, blocks, their SEs, shortcuts, head
    assert not any(layer.plain for layer in layers)


def test_it_works_with_channels_last_in_memory():
    model = X3D(SMALL)
    seen = []
    for block in blocks(model):
        block.register_forward_hook(lambda module, inputs, output: seen.append(output))
    model(torch.randn(2, 3, 4, 32, 32))
    assert all(x.is_contiguous(memory_format=torch.channels_last_3d) for x in seen)


def test_importing_the_network_needs_neither_ray_nor_video_nor_tables():
    code = (
        "import sys, trainers.networks.x3d\n"
        "print([name for name in ('ray', 'av', 'sqlalchemy', 'fvcore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
