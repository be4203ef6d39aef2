import copy
import json
import math
import multiprocessing
import os
import pickle
import platform
import resource
import signal
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from expander.errors import DataError, Diverged, UsageError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Failed, GoesOn, Trial, Views
from trainers import checkpoint
from trainers.batches import epoch_order, groups
from trainers.data.clips import Clip, Damaged, normalise
from trainers.data.damage import Ledger
from trainers.data.manifest import ManifestSource
from trainers.data.synthetic import write_videos
from trainers.dispatch.attempt import attempt
from trainers.learner import Learner, sgd
from trainers.networks.x3d import X3D
from trainers.processor import cpu_name
from trainers.training import VideoTraining

CLASSES = 6
GEOMETRY = Geometry(2, 4, 24, (Stage(1, 8, 12, 8), Stage(2, 16, 24, 8)), classes=CLASSES, head_width=16)
RECIPE = Recipe(epochs=3, batch=8, base_rate=0.05, reference_batch=8, batchnorm_group=4, drop_connect=0.2)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trial(**changes):
    recipe = replace(RECIPE, **changes)
    return Trial(GEOMETRY, recipe, data="test", views=Views(clips=2), seed=3)


def learner(ledger=None, **changes):
    return Learner(trial(**changes), CPU, ledger or Ledger(1000, 0.01))


def noise(count, seed=0, frames=2):
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, frames, 24, 24, 3), dtype=torch.uint8, generator=random)
    return [Clip(clip, index % CLASSES, index) for index, clip in enumerate(pixels)]


# What is computed together


@given(st.integers(0, 70), st.integers(1, 20), st.integers(1, 9))
def test_groups_keep_every_clip_in_order_and_leave_none_alone(clips, batch, group):
    split = list(groups(range(clips), batch, group))
    assert [clip for together, _ in split for clip in together] == list(range(clips))
    assert all(len(together) <= group + 2 for together, _ in split)
    if split:
        assert split[-1][1]
    if min(clips, batch, group) > 1:
        assert min(len(together) for together, _ in split) > 1


@given(st.integers(1, 70), st.integers(1, 20), st.integers(2, 9))
def test_a_step_follows_every_full_batch(clips, batch, group):
    sizes, current = [], 0
    for together, ends in groups(range(clips), batch, group):
        current += len(together)
        if ends:
            sizes.append(current)
            current = 0
    full, rest = divmod(clips, batch)
    if rest == 1 and full and batch > 1:
        assert sizes == [batch] * (full - 1) + [batch + 1]
    else:
        assert sizes == [batch] * full + [rest] * (rest > 0)


@pytest.mark.parametrize(
    ("clips", "sizes"),
    [(16, [4, 4, 4, 4]), (10, [4, 4, 2]), (9, [4, 5]), (12, [4, 4, 4]), (13, [4, 4, 5]), (3, [3]), (1, [1])],
)
def test_the_last_batch_of_an_epoch_may_be_short(clips, sizes):
    assert [len(together) for together, _ in groups(range(clips), batch=8, group=4)] == sizes


def test_every_epoch_has_its_own_order_of_all_videos():
    orders = [epoch_order(seed, epoch, 50) for seed in (0, 1) for epoch in (1, 2)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert epoch_order(1, 2, 50) == orders[-1]


# One step of SGD


def test_the_gradient_is_the_mean_over_the_batch_of_groups_normalised_apart():
    taught = learner(epochs=1, batch=8, batchnorm_group=4, dropout=0.0, drop_connect=0.0, warmup=0.0, weight_decay=0.01)
    by_hand, clips = copy.deepcopy(taught.model).train(), noise(8)
    losses = []
    for together in (clips[:4], clips[4:]):
        logits = by_hand(normalise(torch.stack([clip.pixels for clip in together])))
        losses.append(F.cross_entropy(logits, torch.tensor([clip.label for clip in together]), reduction="none"))
    torch.cat(losses).mean().backward()
    epoch = taught.learn(clips, 8)
    assert epoch.loss == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
    assert epoch.rate == pytest.approx(0.5 * 0.05)  # half way through the only step
    for (name, ours), theirs in zip(taught.model.named_parameters(), by_hand.parameters(), strict=True):
        decay = 0 if "norm" in name else 0.01
        wanted = theirs.detach() - epoch.rate * (theirs.grad + decay * theirs.detach())
        torch.testing.assert_close(ours.detach(), wanted, rtol=1e-4, atol=1e-6)


def test_weight_decay_spares_batchnorm_and_nothing_else():
    model = X3D(GEOMETRY)
    decayed, spared = sgd(model, replace(RECIPE, weight_decay=0.1)).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert all("norm" in names[id(parameter)] for parameter in spared["params"])
    assert not any("norm" in names[id(parameter)] for parameter in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_a_network_learns_what_it_is_shown():
    clips = [Clip(torch.full((2, 24, 24, 3), 40 * label, dtype=torch.uint8), label, 0) for label in range(CLASSES)] * 4
    taught = learner(epochs=12, batch=24, batchnorm_group=24, drop_connect=0.0, base_rate=0.3, dropout=0.0)
    first, *_, last = [taught.learn(clips, len(clips)) for _ in range(12)]
    assert first.loss == pytest.approx(math.log(CLASSES), abs=0.1)
    assert last.loss < 0.5 * first.loss
    assert last.top1 > 0.8


def test_a_loss_that_is_not_a_number_names_epoch_iteration_and_rate():
    taught = learner(base_rate=1e25, warmup=0.0)
    with pytest.raises(Diverged, match=r"loss is (nan|inf) in epoch 1, iteration 2, at learning rate 8\.54e\+24"):
        taught.learn(noise(16), 16)


def test_a_gradient_that_is_not_a_number_ends_the_training_before_it_is_taken():
    taught = learner()
    first = next(taught.model.parameters())
    first.register_hook(lambda gradient: gradient * math.nan)
    before = first.detach().clone()
    with pytest.raises(Diverged, match=r"its gradient is not a number in epoch 1, iteration 1"):
        taught.learn(noise(16), 16)
    assert torch.equal(first, before)


@pytest.mark.parametrize(("steps", "diverges"), [(19, False), (20, True)])
def test_a_loss_far_beyond_guessing_for_twenty_iterations_of_an_epoch_has_diverged(steps, diverges):
    taught = learner(base_rate=1e-12, batchnorm_group=2, batch=2)
    with torch.no_grad():
        *_, classifier = taught.model.parameters()
        classifier[0] = 1e4  # sure of one class, and wrong for five of six
    clips = [replace(clip, label=1) for clip in noise(2 * steps)]
    if diverges:
        with pytest.raises(Diverged, match=r"the loss is 1e\+04, and for 20 iterations was over 10 times that of"):
            taught.learn(clips, len(clips))
        return
    # Two epochs, so that more than twenty follow each other, but not within one.
    assert [taught.learn(clips, len(clips)).number for _ in range(2)] == [1, 2]


def test_an_epoch_without_a_clip_is_an_error():
    with pytest.raises(DataError, match="no video to train on"):
        learner(Ledger(1, 1.0)).learn([Damaged("a.mp4", "torn", 0)], 1)


def test_damaged_videos_are_remembered_by_the_checkpoint():
    taught = learner(Ledger(10, 0.2))
    taught.learn([*noise(8), Damaged("b.mp4", "torn", 8), Damaged("a.mp4", "empty", 9)], 10)
    again = learner(Ledger(10, 0.2))
    again.go_on_from(taught.state())
    assert again.ledger.videos == ("a.mp4: empty", "b.mp4: torn")
    with pytest.raises(DataError, match="3 of 10"):
        again.learn([*noise(7), Damaged("c.mp4", "torn", 7)], 10)


def test_going_on_from_a_state_is_the_same_as_never_having_stopped():
    with torch.random.fork_rng():
        straight = learner()
        for epoch in range(3):
            straight.learn(noise(12, epoch), 12)
        first = learner()
        first.learn(noise(12, 0), 12)
        state = first.state()
        torch.manual_seed(99)
        second = learner()
        second.go_on_from(state)
        for epoch in (1, 2):
            second.learn(noise(12, epoch), 12)
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert [epoch.loss for epoch in straight.epochs] == [epoch.loss for epoch in second.epochs]


# A whole training, on real video


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    train, val = write_videos(folder, train_per_class=3, val_per_class=1)
    return ManifestSource(train), ManifestSource(val)


@pytest.fixture
def training(videos, tmp_path):
    (tmp_path / "runs" / "trials").mkdir(parents=True)
    return VideoTraining(*videos, runs=tmp_path / "runs", threads=1, device="cpu")


@pytest.fixture(scope="session")
def uninterrupted(videos, tmp_path_factory):
    """The trial's outcome, its epochs and its folder."""
    (runs := tmp_path_factory.mktemp("uninterrupted")).joinpath("trials").mkdir()
    training = VideoTraining(*videos, runs=runs, threads=1, device="cpu")
    epochs = []
    return training(trial(), epochs.append), epochs, training.runs / "trials" / trial().id


def test_a_trial_is_trained_scored_and_leaves_its_files(uninterrupted):
    completed, epochs, folder = uninterrupted
    assert completed.trial == trial().id
    assert completed.metrics.videos == CLASSES
    assert 0 <= completed.metrics.top1 <= completed.metrics.top5 <= 1
    assert completed.damaged == ()
    assert set(completed.versions) >= {"python", "torch", "av", "numpy", "x3d-expander", "trainer", "code"}
    assert (completed.train_top1, completed.device, completed.gpus) == (epochs[-1].top1, cpu_name(), None)
    assert [(epoch.number, epoch.epochs, epoch.trial) for epoch in epochs] == [(n, 3, trial().id) for n in (1, 2, 3)]
    assert completed.weights == str(folder / "weights.safetensors")
    assert sorted(path.name for path in folder.iterdir()) == [
        "completed.json",
        "epoch-00002.checkpoint",
        "epoch-00003.checkpoint",
        "events",
        "log.txt",
        "weights.safetensors",
    ]


def test_its_weights_are_those_of_the_last_checkpoint(uninterrupted):
    completed, epochs, folder = uninterrupted
    state = checkpoint.latest(folder, trial().id)
    model = X3D(GEOMETRY)
    checkpoint.load_weights(Path(completed.weights), model)
    assert all(torch.equal(tensor, state.model[name]) for name, tensor in model.state_dict().items())
    assert state.epochs == tuple(epochs)


def test_a_finished_trial_is_returned_and_not_trained_again(uninterrupted, videos):
    completed, epochs, folder = uninterrupted
    told = []
    training = VideoTraining(*videos, runs=folder.parents[1], threads=1, device="cpu")
    assert training(trial(), told.append) == completed
    assert told == [GoesOn(trial().id, tuple(epochs))]


def test_a_trial_without_its_outcome_is_only_scored_again(uninterrupted, training):
    completed, epochs, folder = uninterrupted
    again = training.runs / "trials" / trial().id
    again.mkdir()
    last = folder / "epoch-00003.checkpoint"
    (again / last.name).write_bytes(last.read_bytes())
    told = []
    rescored = training(trial(), told.append)
    assert told == [GoesOn(trial().id, tuple(epochs))]
    assert rescored.metrics == completed.metrics
    assert Path(rescored.weights).read_bytes() == Path(completed.weights).read_bytes()


CHILD = """
import json, pickle, signal, sys
training, trial, waits = pickle.load(sys.stdin.buffer)

def report(epoch):
    print(json.dumps(epoch.number), flush=True)
    if waits:
        signal.pause()

training(trial, report)
"""


@pytest.mark.parametrize("waits", [True, False], ids=["between two epochs", "within an epoch"])
def test_a_killed_trial_goes_on_and_ends_with_the_same_weights(waits, uninterrupted, training):
    completed, straight, _ = uninterrupted
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        child.stdin.write(pickle.dumps((training, trial(), waits)))
        child.stdin.close()
        assert json.loads(child.stdout.readline()) == 1
        os.kill(child.pid, signal.SIGKILL)
        reported = [1, *map(json.loads, child.stdout.read().splitlines())]
    assert child.returncode == -signal.SIGKILL
    told = []
    resumed = training(trial(), told.append)
    behind, *epochs = told
    # An epoch whose checkpoint was written just before the kill is one that the attempt goes on behind.
    assert [epoch.number for epoch in behind.epochs] == list(range(1, 4 - len(epochs)))
    assert len(epochs) == 2 if waits else len(epochs) <= 3 - len(reported)
    learned = [(epoch.number, epoch.loss, epoch.top1, epoch.rate) for epoch in straight]
    assert [(epoch.number, epoch.loss, epoch.top1, epoch.rate) for epoch in epochs] == learned[3 - len(epochs) :]
    assert resumed.metrics == completed.metrics
    assert Path(resumed.weights).read_bytes() == Path(completed.weights).read_bytes()


def test_a_report_that_raises_leaves_the_epoch_on_disk(training):
    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(trial(), stop)
    assert checkpoint.latest(training.runs / "trials" / trial().id, trial().id).epoch == 1


def test_loader_workers_change_nothing_but_the_speed(uninterrupted, training):
    completed, _, _ = uninterrupted
    with_workers = replace(training, loader_workers=2)(trial(), lambda epoch: None)
    assert Path(with_workers.weights).read_bytes() == Path(completed.weights).read_bytes()
    assert with_workers.metrics == completed.metrics


def test_loader_processes_start_once_and_none_is_left(training):
    decoding = []

    def report(epoch):
        decoding.append({child.pid for child in multiprocessing.active_children()})
        if len(decoding) == 4:
            raise KeyboardInterrupt

    training = replace(training, loader_workers=1)
    training(trial(epochs=2), report)
    assert multiprocessing.active_children() == []
    with pytest.raises(KeyboardInterrupt):
        training(trial(epochs=3), report)
    assert multiprocessing.active_children() == []
    assert [len(pids) for pids in decoding] == [1, 1, 1, 1]
    assert decoding[0] == decoding[1] != decoding[2] == decoding[3]


def test_an_outcome_does_not_outlive_the_weights_that_it_was_measured_on(uninterrupted, videos, training, tmp_path):
    _, _, finished = uninterrupted
    folder = training.runs / "trials" / trial().id
    folder.mkdir(parents=True)
    for name in ("completed.json", "epoch-00003.checkpoint"):  # without the weights
        (folder / name).write_bytes((finished / name).read_bytes())
    with pytest.raises(DataError):
        replace(training, val=with_a_torn_video(videos[1], tmp_path))(trial(), lambda epoch: None)
    assert (folder / "weights.safetensors").exists()
    assert checkpoint.load_completed(folder, trial().id) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_the_users_mistake(training):
    with pytest.raises(UsageError, match="device cuda: PyTorch finds no GPU"):
        replace(training, device="cuda")(trial(), lambda epoch: None)


def test_the_callers_threads_and_random_state_are_left_as_they_were(training):
    torch.set_num_threads(2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    replace(training, threads=1)(trial(epochs=1), lambda epoch: None)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
@pytest.mark.parametrize(("kept", "pages"), [("on", 0), ("off", 2**26 // resource.getpagesize())])
def test_memory_that_is_freed_is_kept_for_the_next_step(kept, pages):
    code = (
        "import resource, torch\n"
        "from trainers.allocator import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "faults = []\n"
        "for _ in range(60):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    torch.ones(2**24)\n"
        "    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
        "print(*faults)\n"
    )
    environment = os.environ | {"EXPANDER_KEEP_MEMORY": kept}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    # The first steps may each fault all pages in, until a freed piece is found that nothing small has been cut from.
    assert statistics.median(map(int, done.stdout.split()[30:])) == pytest.approx(pages, abs=30)


def with_a_torn_video(source, folder):
    lines = source.path.read_text().splitlines()
    torn = folder / "torn.mp4"
    torn.write_bytes((source.path.parent / lines[0].split()[0]).read_bytes()[:500])
    manifest = folder / source.path.name
    moved = [f"{source.path.parent / line}" for line in lines[1:]]
    manifest.write_text("\n".join([f"{torn} {lines[0].split()[1]}", *moved]) + "\n")
    return ManifestSource(manifest, outside_root=True)


def test_a_damaged_video_is_skipped_and_named(videos, training, tmp_path):
    train, val = (with_a_torn_video(source, tmp_path) for source in videos)
    completed = replace(training, train=train, val=val, damage_share=0.2)(trial(epochs=1), lambda epoch: None)
    assert completed.metrics.videos == CLASSES - 1
    assert len(completed.damaged) == 2
    assert all(line.startswith(f"{tmp_path / 'torn.mp4'}: ") for line in completed.damaged)
    assert [(damage.manifest, damage.video) for damage in completed.ledger] == [
        ("train", str(tmp_path / "torn.mp4")),
        ("val", str(tmp_path / "torn.mp4")),
    ]
    again = replace(training, train=train, val=val, damage_share=0.2)(trial(epochs=1), lambda epoch: None)
    assert again.ledger == completed.ledger


def test_a_trial_that_fails_for_damage_in_validation_leaves_that_of_training_in_its_ledger_too(
    videos, training, tmp_path
):
    train, val = (with_a_torn_video(source, tmp_path) for source in videos)
    events = []
    share = 1 / CLASSES / 3 + 0.01  # one of the training videos, and none of the validation videos
    assert not attempt(replace(training, train=train, val=val, damage_share=share), trial(epochs=1), events.append)
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert [damage.manifest for damage in failed.ledger] == ["train", "val"]
    assert {damage.video for damage in failed.ledger} == {str(tmp_path / "torn.mp4")}


def test_more_damaged_videos_than_allowed_stop_the_trial(videos, training, tmp_path):
    train = with_a_torn_video(videos[0], tmp_path)
    with pytest.raises(DataError, match=r"1 of 18 videos cannot be read, more than the 1\.00% allowed"):
        replace(training, train=train)(trial(epochs=1), lambda epoch: None)


def test_labels_that_the_network_has_no_class_for_are_refused(training):
    small = replace(trial(), geometry=replace(GEOMETRY, classes=4))
    with pytest.raises(DataError, match="4 classes"):
        training(small, lambda epoch: None)
