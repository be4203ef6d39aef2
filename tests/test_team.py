"""A trial on several processes: the same training, whatever their number."""

from __future__ import annotations

import contextlib
import json
import pickle
import signal
import subprocess
import sys
import uuid
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from expander.errors import DeviceMemoryError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from expander.trial import Epoch, Trial, Views
from trainers.batches import batches, own_groups, own_places
from trainers.data.clips import Clip
from trainers.data.damage import Ledger
from trainers.data.manifest import ManifestSource
from trainers.data.synthetic import write_videos
from trainers.evaluate import own_videos
from trainers.learner import Learner
from trainers.micro_batch import FILE, MicroBatch, MicroBatches, largest, remember, remembered
from trainers.networks.batchnorm import GroupedBatchNorm3d, GroupStatistics
from trainers.team import Alone
from trainers.training import VideoTraining

GEOMETRY = Geometry(2, 4, 24, (Stage(1, 8, 12, 8), Stage(2, 16, 24, 8)), classes=6, head_width=16)
# 19 videos: batches of 12 and 7, groups of 4 4 4 and 4 3, which three members share unevenly.
RECIPE = Recipe(epochs=3, batch=12, base_rate=0.05, reference_batch=12, batchnorm_group=4, drop_connect=0.2)
TRIAL = Trial(GEOMETRY, RECIPE, data="test", views=Views(clips=2), seed=3)
CPU = torch.device("cpu")


class Seat(Alone):
    """The arithmetic of a team without its processes."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


# Who computes what


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("videos", [2, 3, 12, 13, 19, 40])
def test_every_video_of_an_epoch_is_one_members(videos, size):
    order = list(range(100, 100 + videos))
    shares = [list(own_places(order, RECIPE, Seat(rank, size))) for rank in range(size)]
    assert sorted(place for share in shares for place in share) == order
    for sizes in batches(videos, RECIPE):
        dealt = [own_groups(len(sizes), Seat(rank, size)) for rank in range(size)]
        assert [place for own in dealt for place in own] == list(range(len(sizes)))


@pytest.mark.parametrize(("videos", "size"), [(1, 3), (6, 1), (6, 4), (7, 2)])
def test_every_video_of_a_validation_is_one_members(videos, size):
    places = [place for rank in range(size) for place in own_videos(videos, Seat(rank, size))]
    assert sorted(places) == list(range(videos))


# BN in groups


def test_groups_that_are_held_together_are_normalised_apart():
    layer = GroupedBatchNorm3d(3).train()
    x = torch.randn(9, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    statistics = GroupStatistics(layer, CPU)
    with statistics.of([4, 5]):
        together = layer(x)
    apart = [torch.nn.BatchNorm3d(3).train()(part) for part in (x[:4], x[4:])]
    assert torch.equal(together, torch.cat(apart))


def test_the_running_statistics_are_those_of_the_whole_batch_whatever_its_groups():
    x = torch.randn(9, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * 3 + 5
    whole = torch.nn.BatchNorm3d(3).train()
    whole(x)
    layer = GroupedBatchNorm3d(3).train()
    statistics = GroupStatistics(layer, CPU)
    for sizes, part in (([4, 2], x[:6]), ([3], x[6:])):
        with statistics.of(sizes):
            layer(part)
        statistics.add(sizes)
    statistics.enter(9)
    torch.testing.assert_close(layer.running_mean, whole.running_mean)
    torch.testing.assert_close(layer.running_var, whole.running_var)
    assert layer.num_batches_tracked == 1


def noise(count):
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 2, 24, 24, 3), dtype=torch.uint8, generator=random)
    return [Clip(clip, index % 6, index) for index, clip in enumerate(pixels)]


@pytest.mark.parametrize(
    "micro", [MicroBatch(3), MicroBatch(2), MicroBatch(1, recompute=True), MicroBatch(2, recompute=True)], ids=str
)
def test_what_is_computed_at_once_changes_only_the_order_of_sums(micro):
    one, other = (Learner(TRIAL, CPU, Ledger(19, 0), micro=each) for each in (MicroBatch(1), micro))
    clips = noise(19)
    for _ in range(2):
        assert one.learn(clips, 19).loss == pytest.approx(other.learn(clips, 19).loss, rel=1e-6)
    for (name, ours), theirs in zip(one.model.state_dict().items(), other.model.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6, msg=name)


def test_blocks_that_are_computed_again_give_the_very_same_weights():
    one, other = (Learner(TRIAL, CPU, Ledger(19, 0), micro=MicroBatch(1, again)) for again in (False, True))
    for learner in (one, other):
        learner.learn(noise(19), 19)
    for ours, theirs in zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_precise_statistics_are_those_of_the_clips_under_the_final_weights():
    trial = replace(TRIAL, recipe=replace(RECIPE, drop_connect=0.0, batchnorm_group=12))
    learner = Learner(trial, CPU, Ledger(24, 0))
    learner.learn(noise(24), 24)
    before = learner.model.stem.norm.running_mean.clone()
    learner.refine(noise(12), 12)
    again = Learner(trial, CPU, Ledger(24, 0))
    again.go_on_from(learner.state())
    for layer in again.model.modules():
        if isinstance(layer, GroupedBatchNorm3d):
            layer.momentum = 1.0
    again.model.train()
    from trainers.data.clips import normalise

    again.model(normalise(torch.stack([clip.pixels for clip in noise(12)])))
    assert not torch.allclose(before, learner.model.stem.norm.running_mean)
    for name, tensor in again.model.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(learner.model.state_dict()[name], tensor, rtol=1e-4, atol=1e-6, msg=name)


# How many groups fit


@pytest.mark.parametrize(
    ("room", "most", "found"),
    [
        (100, 16, MicroBatch(16)),
        (5, 16, MicroBatch(4)),
        (1, 16, MicroBatch(1)),
        (0.5, 16, MicroBatch(2, recompute=True)),
        (0.01, 16, None),
        (100, 12, MicroBatch(8)),
    ],
)
def test_the_largest_micro_batch_that_fits_is_found_by_doubling(room, most, found):
    def fits(micro):
        return micro.groups * (0.25 if micro.recompute else 1) <= room

    assert largest(fits, most, recompute=False, may_recompute=True) == found


def test_without_gradient_checkpointing_a_group_that_does_not_fit_is_refused():
    assert largest(lambda micro: micro.recompute, 4, recompute=False, may_recompute=False) is None


def test_what_fits_is_remembered_and_a_damaged_file_is_as_good_as_none(tmp_path):
    remember(tmp_path, "a", MicroBatch(4))
    remember(tmp_path, "b", MicroBatch(1, recompute=True))
    assert remembered(tmp_path, "a") == MicroBatch(4)
    assert remembered(tmp_path, "b") == MicroBatch(1, recompute=True)
    assert remembered(tmp_path, "c") is None
    (tmp_path / FILE).write_text("{torn")
    assert remembered(tmp_path, "a") is None
    remember(tmp_path, "a", MicroBatch(2))
    assert remembered(tmp_path, "a") == MicroBatch(2)


def test_a_micro_batch_is_of_whole_groups_and_no_larger_than_the_batch(tmp_path):
    assert MicroBatches(11).first(TRIAL, CPU, tmp_path, most=3) == MicroBatch(2)
    assert MicroBatches(1).first(TRIAL, CPU, tmp_path, most=3) == MicroBatch(1)
    assert MicroBatches(400).first(TRIAL, CPU, tmp_path, most=3) == MicroBatch(3)
    assert MicroBatches(recompute=True).first(TRIAL, CPU, tmp_path, most=3) == MicroBatch(1, recompute=True)


# A whole training, each member a process


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """19 videos to train on, one of them torn, and 6 to validate on."""
    folder = tmp_path_factory.mktemp("team")
    train, val = write_videos(folder, train_per_class=4, val_per_class=1)
    lines = train.read_text().splitlines()[:19]
    torn = folder / lines[4].split()[0]
    torn.write_bytes(torn.read_bytes()[:500])
    train.write_text("\n".join(lines) + "\n")
    return VideoTraining(ManifestSource(train), ManifestSource(val), folder, 0.1, threads=1, device="cpu")


class Members:
    """A team of processes that trains `trial`, with what the leader says."""

    def __init__(self, training, size, folder, trial=TRIAL):
        folder.mkdir(parents=True, exist_ok=True)
        (training.runs / "trials").mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        (folder / f"{name}.job").write_bytes(pickle.dumps((training, trial)))
        script = Path(__file__).with_name("team_member.py")
        self.processes = [
            subprocess.Popen(
                [sys.executable, script, str(rank), str(size), folder / f"{name}.meeting", folder / f"{name}.job"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]

    def killed(self):
        """The epochs that were reported before every member was killed, which was after the first."""
        with contextlib.ExitStack() as ended:
            for process in self.processes:
                ended.enter_context(process)
            first = self.processes[0].stdout.readline()
            for process in self.processes:
                process.send_signal(signal.SIGKILL)
            return [json.loads(line) for line in (first, *self.processes[0].stdout)]

    def ends(self):
        """(epochs, outcome of each member)."""
        texts = [process.communicate(timeout=120) for process in self.processes]
        assert [process.returncode for process in self.processes] == [0] * len(texts), texts
        lines = [[json.loads(line) for line in out.splitlines()] for out, _ in texts]
        assert all(len(own) == 1 for own in lines[1:])  # only the leader reports
        return lines[0][:-1], [own[-1] for own in lines]


def trained(training, size, folder, trial=TRIAL):
    return Members(replace(training, runs=folder / "runs"), size, folder, trial).ends()


@pytest.fixture(scope="module")
def alone(training, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    (folder / "trials").mkdir()
    epochs = []
    completed = replace(training, runs=folder)(TRIAL, epochs.append)
    return epochs, completed


@pytest.mark.parametrize("size", [2, 3])
def test_a_team_trains_as_one_process_does(size, training, alone, tmp_path):
    straight, outcome = alone
    epochs, outcomes = trained(training, size, tmp_path)
    assert [epoch["loss"] for epoch in epochs] == pytest.approx([epoch.loss for epoch in straight], abs=1e-12)
    assert [epoch["top1"] for epoch in epochs] == [epoch.top1 for epoch in straight]
    assert Path(outcomes[0]["weights"]).read_bytes() == Path(outcome.weights).read_bytes()
    assert all(member == outcomes[0] for member in outcomes)
    assert outcomes[0]["metrics"] == asdict(outcome.metrics)
    assert outcome.metrics.videos == 6
    assert outcomes[0]["damaged"] == list(outcome.damaged)
    assert len(outcome.damaged) == 1


def test_a_team_that_is_killed_goes_on_with_fewer_and_ends_the_same(training, alone, tmp_path):
    straight, _ = alone
    seen = Members(replace(training, runs=tmp_path / "runs"), 3, tmp_path).killed()
    (behind, *epochs), _ = trained(training, 2, tmp_path)
    assert [epoch["number"] for epoch in behind["epochs"]] == list(range(1, 4 - len(epochs)))
    # An epoch whose checkpoint was on disk when the leader died is not reported again.
    assert len(epochs) in (3 - len(seen), 2 - len(seen))
    for epoch in [*seen, *epochs]:
        assert epoch["loss"] == pytest.approx(straight[epoch["number"] - 1].loss, abs=1e-12)
    assert not epochs or epochs[-1]["number"] == 3


def test_the_same_team_leaves_the_same_bits_after_a_kill(training, tmp_path):
    _, outcomes = trained(training, 2, tmp_path / "straight")
    Members(replace(training, runs=tmp_path / "killed" / "runs"), 2, tmp_path / "killed").killed()
    _, again = trained(training, 2, tmp_path / "killed")
    weights = [Path(each[0]["weights"]).read_bytes() for each in (outcomes, again)]
    assert weights[0] == weights[1]


def test_a_mistake_ends_every_member(training, tmp_path):
    wild = replace(TRIAL, recipe=replace(RECIPE, base_rate=1e25, warmup=0.0))
    members = Members(replace(training, runs=tmp_path / "runs"), 2, tmp_path, wild)
    texts = [process.communicate(timeout=120)[1] for process in members.processes]
    assert all(process.returncode == 1 for process in members.processes)
    assert all("the loss is nan" in text or "the loss is inf" in text for text in texts)


def test_what_the_leader_alone_meets_every_member_says(training, tmp_path):
    taken = tmp_path / "runs" / "trials" / TRIAL.id / "weights.safetensors" / "taken"
    taken.mkdir(parents=True)
    members = Members(replace(training, runs=tmp_path / "runs"), 2, tmp_path)
    texts = [process.communicate(timeout=120)[1] for process in members.processes]
    assert all(process.returncode == 1 for process in members.processes)
    assert all(f"FileError: {taken.parent} cannot be written: Is a directory" in text for text in texts)


def test_too_much_damage_ends_every_member(training, tmp_path):
    members = Members(replace(training, runs=tmp_path / "runs", damage_share=0.01), 2, tmp_path)
    texts = [process.communicate(timeout=120)[1] for process in members.processes]
    assert all("1 of 19 videos cannot be read" in text for text in texts)


def test_a_step_that_runs_out_of_memory_is_taken_again_in_smaller_pieces(
    training, alone, tmp_path, monkeypatch, caplog
):
    straight, _ = alone
    real, sizes = Learner._compute, []

    def compute(self, batch, held):
        sizes.append(len(held))
        if len(held) > 1 and self.epoch == 1:
            raise torch.OutOfMemoryError("made up")
        return real(self, batch, held)

    monkeypatch.setattr(Learner, "_compute", compute)
    (tmp_path / "trials").mkdir()
    large = replace(training, runs=tmp_path, micro_batches=MicroBatches(8))
    told = []
    completed = large(TRIAL, told.append)
    epochs = [each for each in told if isinstance(each, Epoch)]
    assert len(epochs) == len(told) - 2  # the warning, and what it goes on behind
    assert [epoch.loss for epoch in epochs] == pytest.approx([epoch.loss for epoch in straight], abs=1e-5)
    (note,) = completed.notes
    assert note in (tmp_path / "trials" / TRIAL.id / "log.txt").read_text()
    assert large(TRIAL, epochs.append).notes == (note,)  # also as it is read back
    assert sizes[0] == 2
    assert sizes[-1] == 1
    assert "does not hold micro-batches of 8 clips: trained with 4 clips" in caplog.text
    assert "the same batch of 12 clips; the recipe is unchanged" in caplog.text


def test_a_group_that_never_fits_says_what_would_help(training, tmp_path, monkeypatch):
    (tmp_path / "trials").mkdir()

    def compute(self, batch, held):
        raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(Learner, "_compute", compute)
    with pytest.raises(
        DeviceMemoryError, match=r"a single BN group of 4 clips does not fit .* smaller recipe.batchnorm_group"
    ):
        replace(training, runs=tmp_path)(TRIAL, lambda epoch: None)
