"""A trunk in evaluation by its kernel calls alone: the same bits, whatever happens to the network in between."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import subprocess
import sys
import threading
import weakref
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from expander.efficientnet3d import EfficientNet3D, MobileStage
from expander.geometry import Geometry, Stage
from trainers.measure import peak_on_cpu
from trainers.networks import paths, replay
from trainers.networks.arena import ALIGNMENT, Span, places
from trainers.networks.build import build
from trainers.networks.fold import fold_batchnorm
from trainers.networks.kernels.calls import RELU, Running, watched
from trainers.networks.layers import plain_paths
from trainers.networks.pointwise import PointwiseConv3d
from trainers.networks.stem import Stem
from trainers.networks.tape import Recorder, Tape

pytestmark = pytest.mark.usefixtures("kernels")

SMALL = Geometry(4, 2, 32, (Stage(2, 8, 18, 8), Stage(2, 16, 36, 8)), classes=5, head_width=20, stem_kernel=3)
GEOMETRIES = {
    "X3D": SMALL,
    "without SE": Geometry(2, 2, 24, (Stage(3, 12, 20, 8),), classes=3, head_width=9, squeeze_excitation=False),
    "EfficientNet3D": EfficientNet3D(3, 2, 32, 8, (MobileStage(2, 1, 8, 1), MobileStage(2, 2, 12, 6)), 20, 3),
}


@pytest.fixture(autouse=True)
def settled():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def passes(monkeypatch):
    """How often a trunk was computed by its modules, and by a tape."""
    counts = Counter()

    def counted(of, name, what):
        whole = getattr(of, name)
        monkeypatch.setattr(of, name, lambda *given: counts.update([what]) or whole(*given))

    counted(Stem, "activated", "modules")
    counted(Tape, "played", "tape")
    return counts


def network(geometry=SMALL):
    model = build(geometry).eval()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm3d):
            with torch.no_grad():
                norm.weight.normal_()
                norm.bias.normal_()
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2)
    return model


def clips(count=2, frames=4, side=32):
    return torch.randn(count, 3, frames, side, side)


def by_modules(model, x):
    return model.head(model.stages(model.stem.activated(x)))


def known(model):
    """A network whose tape plays for `clips()`."""
    for _ in range(3):
        model(clips())
    return model


def same(model, passes=1, **shape):
    """Whether so many passes are those of the modules, to the bit."""
    apart = 0
    for _ in range(passes):
        x = clips(**shape)
        apart += not torch.equal(model(x), by_modules(model, x))
    return not apart


# The same bits


@pytest.mark.parametrize("cache", [0, 1 << 40], ids=["held by rows", "held whole"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_pass_is_that_of_the_modules_to_the_bit(name, cache, passes, monkeypatch):
    monkeypatch.setattr(paths, "CORE_CACHE", cache)
    model = network(GEOMETRIES[name])
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        for count, frames, side in ((2, 4, 32), (1, 1, 33), (3, 2, 17)):
            passes.clear()
            assert same(model, 4, count=count, frames=frames, side=side)
            # Of four passes the first is by the modules, and the second, which is recorded; and those compared with.
            assert passes == {"modules": 2 + 4, "tape": 2}


def test_clips_may_lie_in_memory_in_any_way(passes):
    model, x = network(), torch.randn(6, 4, 32, 32, 3)
    for some in (x[:2], x[::3], x[:1]):
        batch = some.permute(0, 4, 1, 2, 3)
        expected = by_modules(model, batch)
        assert all(torch.equal(model(batch), expected) for _ in range(4))
    assert passes["tape"] == 6


def test_a_result_is_not_written_to_by_the_next_pass():
    model = known(network())
    x = clips()
    first = replay.replayed(model, x)
    expected = first.clone()
    replay.replayed(model, clips())
    assert torch.equal(first, expected)


def test_two_threads_at_once_each_get_their_own(passes):
    model = network()
    batches = [[clips() for _ in range(15)] for _ in range(2)]
    expected = [[by_modules(model, x) for x in own] for own in batches]
    found = [[], []]

    def work(number):
        torch.set_num_threads(1)
        with torch.inference_mode():
            found[number] += [model(x) for x in batches[number]]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(*pair) for own in zip(found, expected, strict=True) for pair in zip(*own, strict=True))
    assert passes["tape"] >= 20


def test_without_inference_mode_too(passes):
    with torch.inference_mode(mode=False), torch.no_grad():
        assert same(network(), 4)
    assert passes["tape"] == 2


# What happens to a network


def trains_a_step(model):
    with torch.inference_mode(mode=False), torch.enable_grad():
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        model.train()(clips()).square().sum().backward()
        optimiser.step()
    model.eval()


def changes_in_place(model):
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data.mul_(1.1)


def loads(model):
    model.load_state_dict({name: value * 1.1 for name, value in model.state_dict().items()})


def has_another_tensor(model):
    model.stages.res2[0].expand.weight.data = torch.randn_like(model.stages.res2[0].expand.weight)


def has_another_parameter(model):
    model.stages.res2[0].expand.weight = nn.Parameter(torch.randn_like(model.stages.res2[0].expand.weight))


def has_another_buffer(model):
    norm = model.stages.res3[1].project_norm
    norm.running_mean = norm.running_mean + 1


def is_converted(model):
    model.double().float()


def has_a_part_converted(model):
    model.stages.res3.double().float()


def has_another_layer(model):
    model.stages.res3[1].project = PointwiseConv3d(36, 16)


def has_a_block_more(model):
    model.stages.res3.append(copy.deepcopy(model.stages.res3[1]))


def has_a_block_less(model):
    del model.stages.res3[1]


def has_another_eps(model):
    model.stages.res2[1].channelwise_norm.eps = 0.5


def is_plain(model):
    plain_paths(model).__enter__()


def has_another_forward(model):
    block = model.stages.res2[1]
    block.forward = lambda x: nn.functional.relu(type(block).forward(block, x) - 1)


CHANGES = [
    *(trains_a_step, changes_in_place, loads, has_another_tensor, has_another_parameter, has_another_buffer),
    *(is_converted, has_a_part_converted, has_another_layer, has_a_block_more, has_a_block_less, has_another_eps),
    *(is_plain, has_another_forward),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_seen_by_the_next_pass(change):
    with torch.inference_mode(mode=False), torch.no_grad():
        model = known(network())
        x = clips()
        before = model(x)
        change(model)
        expected = by_modules(model, x)
        assert not torch.equal(before, expected) or change in (is_converted, has_a_part_converted, is_plain)
        assert torch.equal(model(x), expected)
        assert same(model, 3)


@pytest.mark.parametrize("change", [changes_in_place, loads], ids=lambda change: change.__name__)
def test_weights_that_change_in_place_are_read_where_they_lie(change, passes):
    with torch.inference_mode(mode=False), torch.no_grad():
        model = known(network())
        passes.clear()
        for _ in range(2):
            change(model)
            assert same(model)
    assert passes["tape"] == 2


@pytest.mark.parametrize("change", [has_another_tensor, is_converted, has_another_layer, trains_a_step])
def test_after_a_change_a_tape_plays_again(change, passes):
    with torch.inference_mode(mode=False), torch.no_grad():
        model = known(network())
        change(model)
        passes.clear()
        for _ in range(4):
            model(clips())
    assert passes == {"modules": 2, "tape": 2}


@pytest.mark.parametrize("registered", ["register_forward_hook", "register_forward_pre_hook"])
@pytest.mark.parametrize("where", ["stages.res2.0", "head"])
def test_a_hook_runs_in_every_pass(where, registered, passes):
    model, seen = known(network()), []
    passes.clear()
    handle = getattr(model.get_submodule(where), registered)(lambda *given: seen.append(given[0]))
    for _ in range(4):
        model(clips())
    assert len(seen) == 4
    assert not passes["tape"]
    handle.remove()
    for _ in range(4):
        model(clips())
    assert len(seen) == 4
    assert passes["tape"] == 2


def test_hooks_of_all_modules_run_in_every_pass(passes):
    model, seen = known(network()), set()
    passes.clear()
    with nn.modules.module.register_module_forward_hook(lambda module, *_: seen.add(module)):
        model(clips())
    assert model.stages.res2[1] in seen
    assert not passes["tape"]


# Where the modules run


class Watching(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def with_gradients(model):
    with torch.inference_mode(mode=False), torch.enable_grad():
        assert model(clips()).grad_fn is not None


def in_autocast(model):
    with torch.autocast("cpu"):
        model(clips())


def watched_by_another(model):
    with Watching():
        model(clips())


def in_training(model):
    model.train()(clips())
    model.eval()


def traced(model):
    with torch.inference_mode(mode=False), torch.no_grad():
        torch.jit.trace(model, clips(), check_trace=False)


def in_float64(model):
    copied = copy.deepcopy(model).double()
    copied(clips().double())


@pytest.mark.parametrize("how", [with_gradients, in_autocast, watched_by_another, in_training, traced, in_float64])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore:.*jit.*")
def test_neither_recorded_nor_played(how, passes, monkeypatch):
    with torch.inference_mode(mode=False), torch.no_grad():
        model = known(network())
    recorded = Counter()
    monkeypatch.setattr(replay, "_record", lambda *given: recorded.update(["record"]))
    passes.clear()
    for _ in range(3):
        how(model)
    assert passes["modules"] >= 3
    assert not passes["tape"]
    assert not recorded


def test_kernels_that_are_switched_off_stay_so(passes, monkeypatch):
    model = known(network())
    passes.clear()
    monkeypatch.setattr(paths, "compiled", lambda: None)
    assert same(model, 3)
    assert not passes["tape"]


def test_a_trunk_with_an_operator_of_pytorchs_runs_by_its_modules(passes):
    model = network()
    model.stages.res2.append(nn.Tanh())
    assert same(model, 4)
    assert passes == {"modules": 8}
    del model.stages.res2[2]
    assert same(model, 4)
    assert passes["tape"] == 2, "it is asked again where the network is another"


def test_modules_of_others_run_in_every_pass(passes):
    class Seeing(nn.Identity):
        seen = 0

        def forward(self, x):
            self.seen += 1
            return x

    model = network()
    model.stages.res2.append(Seeing())
    for _ in range(4):
        model(clips())
    assert model.stages.res2[2].seen == 4
    assert not passes["tape"]


def test_a_folded_network_is_left_alone(passes):
    model = known(network())
    with torch.inference_mode(mode=False), torch.no_grad():
        folded = fold_batchnorm(model)
    passes.clear()
    assert same(folded, 4)
    assert not passes["tape"]


# What is held


def held(step):
    """Bytes of PyTorch's allocator that `step` takes and does not give back."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = step()
    events = profiler.profiler.kineto_results.events()
    del kept
    return sum(event.nbytes() for event in events if event.name() == "[memory]")


def test_a_pass_leaves_only_its_result_and_holds_no_more_than_the_modules_do():
    model, x = network(), clips(8)
    for _ in range(3):
        model(x)
    (of_shape,) = replay._shapes[model].values()
    result = 4 * model.trunk(x).numel()
    assert held(lambda: replay.replayed(model, x)) == result
    assert of_shape.tape.room > 4 * 8 * 8 * 4 * 16 * 16, "of the stem alone"
    assert peak_on_cpu(lambda: replay.replayed(model, x)) <= 1.01 * peak_on_cpu(lambda: model.trunk(x)) + result


def test_a_recording_holds_no_more_than_a_pass():
    model, x = network(), clips(8)
    peak = peak_on_cpu(lambda: model(x))
    assert peak_on_cpu(lambda: model(x)) <= 1.02 * peak
    assert next(iter(replay._shapes[model].values())).tape


def test_copies_and_files_have_nothing_of_it():
    with torch.inference_mode(mode=False), torch.no_grad():
        model = network()
        before, names = pickle.dumps(model), list(model.state_dict())
        known(model)
        assert pickle.dumps(model) == before
        assert list(model.state_dict()) == names
        torch.save(model, file := io.BytesIO())
        file.seek(0)
        for other in (copy.deepcopy(model), torch.load(file, weights_only=False)):
            assert other not in replay._shapes
            assert same(other, 4)


def test_a_network_that_is_gone_is_held_by_nothing():
    with torch.inference_mode(mode=False), torch.no_grad():
        model = known(network())
    gone = weakref.ref(model), weakref.ref(model.stages.res2[0].expand.weight.untyped_storage())
    assert len(replay._shapes[model]) == 1
    del model
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_weights_that_were_replaced_are_held_by_no_other_shape():
    with torch.inference_mode(mode=False), torch.no_grad():
        model = known(network())
        for _ in range(3):
            model(clips(side=16))
        gone = weakref.ref(model.stages.res2[0].expand.weight)
        model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()}, assign=True)
        assert same(model, side=16)
    gc.collect()
    assert gone() is None


def test_training_ends_what_is_known():
    model = known(network())
    model.train()
    assert model not in replay._shapes


def test_the_shapes_that_are_known_are_few(passes):
    model = network()
    for side in range(8, 8 + 2 * replay.SHAPES):
        assert same(model, 3, side=side)
        assert len(replay._shapes[model]) <= replay.SHAPES
    assert passes["tape"] == 2 * replay.SHAPES


def test_nothing_of_pytorchs_compiler_is_imported_for_it():
    code = (
        "import sys, torch\n"
        "from expander.geometry import Geometry, Stage\n"
        "from trainers.networks import replay\n"
        "from trainers.networks.x3d import X3D\n"
        "model = X3D(Geometry(2, 2, 24, (Stage(3, 12, 20, 8),), classes=3, head_width=9)).eval()\n"
        "with torch.inference_mode():\n"
        "    for _ in range(3): model(torch.randn(2, 3, 2, 24, 24))\n"
        "print(*[known.tape is not None for known in replay._shapes[model].values()], 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["True", "False"]


# The tape itself


def product(kernels, recorder, x, weights, norm):
    with recorder, watched(recorder.called):
        for weight in weights:
            x = kernels.project_running(x, weight, norm, RELU)
    return x, recorder.tape(x)


def parts(layers=6):
    x = torch.randn(2, 16, 2, 5, 7).contiguous(memory_format=torch.channels_last_3d)
    return x, [torch.randn(16, 16, 1, 1, 1) for _ in range(layers)], [torch.rand(16) + 0.1 for _ in range(4)]


def test_memory_that_is_used_again_while_it_is_recorded_is_told_apart(kernels):
    x, weights, norm = parts()
    recorder = Recorder([*weights, *norm], x)
    expected, tape = product(kernels, recorder, x, weights, Running(*norm, 1e-5))
    assert torch.equal(tape.played(x), expected)
    assert tape.room < 4 * 4 * x.numel(), "two at once, and room for weights"


def test_what_lies_where_nobody_knows_is_not_recorded(kernels):
    x, weights, norm = parts()
    for fixed in ([*weights[1:], *norm], [*weights, *norm[1:]], [*weights, *norm, x]):
        assert product(kernels, Recorder(fixed, x), x, weights, Running(*norm, 1e-5))[1] is None
    elsewhere = x.clone(memory_format=torch.channels_last_3d)
    assert product(kernels, Recorder([*weights, *norm], x), elsewhere, weights, Running(*norm, 1e-5))[1] is None


@pytest.mark.parametrize("operator", [torch.relu, torch.clone, torch.relu_, lambda x: x.sum().item() and x])
def test_a_recording_with_an_operator_is_none(operator, kernels):
    x, weights, norm = parts()
    recorder = Recorder([*weights, *norm], x)
    with recorder, watched(recorder.called):
        found = kernels.project_running(x, weights[0], Running(*norm, 1e-5), RELU)
        operator(found)
        found = kernels.project_running(found, weights[1], Running(*norm, 1e-5), RELU)
    assert recorder.tape(found) is None


spans = st.builds(
    lambda size, first, length: Span(size, first, first + length), *[st.integers(1, 5000), *[st.integers(0, 9)] * 2]
)


@given(st.lists(spans, max_size=30))
def test_no_two_of_a_time_overlap(spans):
    offsets, room = places(spans)
    for number, (at, span) in enumerate(zip(offsets, spans, strict=True)):
        assert at % ALIGNMENT == 0
        assert 0 <= at <= at + span.size <= room
        for other_at, other in list(zip(offsets, spans, strict=True))[:number]:
            apart = other.last < span.first or span.last < other.first
            assert apart or at + span.size <= other_at or other_at + other.size <= at


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_of_a_chain_no_more_is_held_than_two_neighbours(sizes):
    whole = [-(-size // ALIGNMENT) * ALIGNMENT for size in sizes]
    _, room = places([Span(size, step, step + 1) for step, size in enumerate(sizes)])
    most = max(a + b for a, b in zip([0, *whole], whole, strict=False))
    assert room <= 1.5 * most
