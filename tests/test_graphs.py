"""CUDA graphs of a training's passes, of which everything but CUDA is tested here: a capture stands in for CUDA's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Trial, Views
from trainers.data.clips import Clip, Damaged
from trainers.data.damage import Ledger
from trainers.graphs import Graphs, graphs_for
from trainers.learner import Learner
from trainers.micro_batch import MicroBatch

CPU = torch.device("cpu")
GEOMETRY = Geometry(2, 1, 16, (Stage(1, 8, 9, 8), Stage(1, 8, 12, 8)), classes=6, head_width=8)
RECIPE = Recipe(epochs=4, batch=8, base_rate=0.05, reference_batch=8, batchnorm_group=4, drop_connect=0.3, dropout=0.4)
TRIAL = Trial(GEOMETRY, RECIPE, data="test", views=Views(clips=1), seed=3)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Capture:
    """As CUDA's: a capture computes nothing and returns tensors, which a replay fills from the same inputs' memory."""

    def __init__(self):
        self.captured = self.replayed = 0

    def __call__(self, run):
        self.captured += 1
        results = [torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)]
        owner = self

        class Replay:
            def replay(self):
                owner.replayed += 1
                for result, found in zip(results, run(), strict=True):
                    result.copy_(found)

        return Replay(), results


def learner(capture, micro=1, trial=TRIAL):
    made = Learner(trial, CPU, Ledger(100, 0.5), micro=MicroBatch(micro))
    made.graphs = Graphs(capture)
    return made


def noise(count, damaged=()):
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 2, 16, 16, 3), dtype=torch.uint8, generator=random)
    items = [Clip(clip, index % 6, index) for index, clip in enumerate(pixels)]
    return [Damaged(f"{place}", "rot", place) if place in damaged else item for place, item in enumerate(items)]


def same(one, other):
    pairs = zip(one.model.state_dict().items(), other.model.state_dict().values(), strict=True)
    return [name for (name, ours), theirs in pairs if not torch.equal(ours, theirs)] == []


@pytest.mark.parametrize("micro", [1, 2])
def test_a_training_by_graphs_is_the_same_to_the_bit(micro):
    capture = Capture()
    by_graphs, plain = learner(capture, micro), learner(None, micro)
    # 22 videos: two full batches and one of 6; its rate, draws and moments change with each step.
    for _ in range(3):
        ours, theirs = by_graphs.learn(noise(22), 22), plain.learn(noise(22), 22)
        assert (ours.loss, ours.top1, ours.rate) == (theirs.loss, theirs.top1, theirs.rate)
    assert same(by_graphs, plain)
    assert capture.captured >= 2
    assert capture.replayed > capture.captured


def test_a_training_that_goes_on_is_the_same_whatever_was_captured_before():
    whole, first, plain = (learner(each) for each in (Capture(), Capture(), None))
    for each in (whole, whole, first, plain, plain):
        each.learn(noise(16), 16)
    second = learner(Capture())
    second.go_on_from(first.state())
    second.learn(noise(16), 16)
    assert same(second, whole)
    assert same(second, plain)


def test_more_groups_at_once_later_on_leave_the_earlier_graph_its_memory():
    by_graphs, plain = learner(Capture(), 3), learner(None, 3)
    # The first batches have lost a group to damage: two at once, and then three.
    trial = replace(TRIAL, recipe=replace(RECIPE, batch=12))
    by_graphs, plain = learner(Capture(), 3, trial), learner(None, 3, trial)
    for _ in range(2):
        for each in (by_graphs, plain):
            each.learn(noise(48, damaged=(0, 1, 2, 3, 12, 13, 14, 15)), 48)
    assert same(by_graphs, plain)


def test_gradients_stay_where_the_graph_adds_to_them():
    each = learner(Capture())
    each.learn(noise(16), 16)
    before = [parameter.grad.data_ptr() for parameter in each.model.parameters()]
    each.learn(noise(16), 16)
    assert [parameter.grad.data_ptr() for parameter in each.model.parameters()] == before
    assert all(not parameter.grad.any() for parameter in each.model.parameters())


def test_a_capture_that_fails_is_said_once_and_changes_nothing(caplog):
    def failing(run):
        raise RuntimeError("operation not permitted when stream is capturing")

    by_graphs, plain = learner(failing), learner(None)
    for each in (by_graphs, plain):
        each.learn(noise(22), 22)
    assert same(by_graphs, plain)
    assert len(caplog.messages) == 1
    assert "without CUDA graphs: operation not permitted" in caplog.text
    assert not by_graphs.graphs.active


def test_only_what_came_before_is_captured_and_only_so_many():
    capture, graphs = Capture(), None
    graphs = Graphs(capture)
    for key in (*range(6), *range(6)):
        graphs.compute(key, lambda inputs: (inputs[0].double().sum(), torch.tensor(1)), [torch.ones(3)], CPU)
    assert capture.captured == 4


def test_a_replay_reads_new_inputs_and_its_results_outlast_the_next():
    graphs = Graphs(Capture())
    found = [
        graphs.compute("sum", lambda inputs: (inputs[0].double().sum(), torch.tensor(1)), [torch.full((2,), each)], CPU)
        for each in (1.0, 2.0, 3.0, 4.0)
    ]
    assert [loss.item() for loss, _ in found] == [2, 4, 6, 8]


def test_inputs_of_the_caller_are_not_written_to():
    graphs, given = Graphs(Capture()), [torch.full((2,), each) for each in (1.0, 2.0, 3.0)]
    for each in given:
        graphs.compute("sum", lambda inputs: (inputs[0].double().sum(), torch.tensor(1)), [each], CPU)
    assert [each[0].item() for each in given] == [1, 2, 3]


def test_released_they_are_given_back_for_good():
    capture = Capture()
    each = learner(capture)
    each.learn(noise(16), 16)
    captured = capture.captured
    each.graphs.release()
    each.learn(noise(16), 16)
    assert captured == capture.captured == 1


def test_there_are_none_on_a_cpu_or_where_they_are_not_switched_on(monkeypatch):
    assert not graphs_for(torch.device("cuda")).active
    monkeypatch.setenv("EXPANDER_GRAPHS", "on")
    assert not graphs_for(CPU).active
    assert not graphs_for(torch.device("cuda"), allowed=False).active


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_a_training_by_graphs_is_the_same_to_the_bit(monkeypatch):
    monkeypatch.setenv("EXPANDER_GRAPHS", "on")
    made = []
    for on in (True, False):
        each = Learner(TRIAL, torch.device("cuda"), Ledger(100, 0.5))
        if not on:
            each.graphs = Graphs(None)
        each.learn(noise(22), 22)
        each.learn(noise(22), 22)
        made.append(each)
    assert made[0].graphs.active
    assert same(*made)
    assert np.isfinite(made[0].epochs[-1].loss)
