"""What a team adds up, with members that have little or nothing to do: each member a thread, which costs no process."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
import torch

from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Trial, Views
from trainers.batches import own_places
from trainers.data.clips import Clip, Damaged, ViewedVideo
from trainers.data.damage import Ledger
from trainers.evaluate import evaluate, own_videos
from trainers.learner import DoesNotFit, Learner
from trainers.networks.build import build

GEOMETRY = Geometry(2, 4, 24, (Stage(1, 8, 12, 8), Stage(2, 16, 24, 8)), classes=6, head_width=16)
RECIPE = Recipe(epochs=2, batch=8, base_rate=0.05, reference_batch=8, batchnorm_group=4, drop_connect=0.2)
CPU = torch.device("cpu")


class Meeting:
    """Where the members of a team of threads leave their values for each other."""

    def __init__(self, size):
        self.values = [None] * size
        self.barrier = threading.Barrier(size, timeout=60)

    def exchange(self, rank, value):
        self.values[rank] = value
        self.barrier.wait()
        found = list(self.values)
        self.barrier.wait()
        return found


class Threads:
    """One member of a team of threads."""

    def __init__(self, rank, meeting):
        self.rank, self.size, self.meeting = rank, len(meeting.values), meeting

    def sum(self, tensor):
        tensor.copy_(sum(self.meeting.exchange(self.rank, tensor.clone())))

    def gather(self, value):
        return self.meeting.exchange(self.rank, value)

    def share(self, value):
        return self.gather(value)[0]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trial(**changes):
    return Trial(GEOMETRY, replace(RECIPE, **changes), data="test", views=Views(clips=2), seed=3)


def noise(count):
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 2, 24, 24, 3), dtype=torch.uint8, generator=random)
    return [Clip(clip, index % 6, index) for index, clip in enumerate(pixels)]


def together(size, trained, clips, act):
    """The learners of a team of `size` after each has done `act(learner, its own of clips)`."""
    meeting = Meeting(size)
    # One after the other: the weights are drawn from the random state of the process.
    learners = [Learner(trained, CPU, Ledger(len(clips), 0.9), Threads(rank, meeting)) for rank in range(size)]

    def run(learner):
        torch.set_num_threads(1)
        act(learner, [clips[place] for place in own_places(range(len(clips)), trained.recipe, learner.team)])

    with ThreadPoolExecutor(size) as pool:
        list(pool.map(run, learners))
    return learners


def scored(size, model, items, run):
    """What each member of a team of `size` finds of `items`."""
    meeting = Meeting(size)

    def score(rank):
        torch.set_num_threads(1)
        team, ledger = Threads(rank, meeting), Ledger(len(items), 0.5)
        own = [items[place] for place in own_videos(len(items), team, run)]
        # Its own network: of one that several threads use, the first to end would put the mode back.
        return evaluate(copy.deepcopy(model), own, ledger, clips_at_once=8, team=team, run=run), ledger.videos

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(score, range(size)))


def assert_same_network(one, other):
    for (name, ours), theirs in zip(one.model.state_dict().items(), other.model.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("size", [2, 3])
def test_a_member_that_never_has_a_group_holds_the_same_network(size):
    clips = noise(4)  # of one group: a single member computes, and the leader is not the one
    (alone,) = together(1, trial(), clips, lambda learner, own: learner.learn(own, len(clips)))
    for member in together(size, trial(), clips, lambda learner, own: learner.learn(own, len(clips))):
        assert_same_network(member, alone)


def test_a_member_whose_first_clips_are_all_damaged_holds_the_same_network():
    clips = [Damaged(f"{place}.mp4", "torn", place) if place < 4 else clip for place, clip in enumerate(noise(16))]
    (alone,) = together(1, trial(), clips, lambda learner, own: learner.learn(own, len(clips)))
    for member in together(2, trial(), clips, lambda learner, own: learner.learn(own, len(clips))):
        assert_same_network(member, alone)


@pytest.mark.parametrize("size", [2, 3])
def test_precise_statistics_over_several_batches_count_every_clip_once(size):
    clips = noise(20)
    (alone,) = together(1, trial(), clips, lambda learner, own: learner.refine(own, len(clips)))
    for member in together(size, trial(), clips, lambda learner, own: learner.refine(own, len(clips))):
        assert_same_network(member, alone)


@pytest.mark.parametrize("videos", [1, 2, 19])
@pytest.mark.parametrize("size", [2, 3])
def test_validation_has_the_same_bits_whatever_the_team(videos, size):
    model = build(GEOMETRY).eval()
    torch.nn.init.normal_(model.head.classifier.weight)
    clips = noise(videos)
    items = [ViewedVideo((clip.pixels[None],), ((0, torch.tensor([0])),), clip.label, clip.index) for clip in clips]
    if videos > 5:
        items[5] = Damaged("5.mp4", "torn", 5)
    (alone,) = scored(1, model, items, run=8)
    assert scored(size, model, items, run=8) == [alone] * size
    assert alone[0].metrics[0].videos == videos - (videos > 5)


def test_memory_that_ran_out_is_free_before_the_step_is_tried_again(monkeypatch):
    held = []

    def compute(self, batch, clips):
        activations = torch.zeros(10)
        held.append(weakref.ref(activations))
        raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(Learner, "_compute", compute)
    learner = Learner(trial(), CPU, Ledger(8, 0.1))
    gc.disable()  # a GPU's memory does not wait for the collector
    try:
        with suppress(DoesNotFit):
            learner.learn(noise(8), 8)
        assert len(held) == 1
        assert held[0]() is None
    finally:
        gc.enable()
