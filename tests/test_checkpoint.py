import hashlib
import io
import json
import logging
import os
import pickle
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open
from torch import nn

from expander.errors import FileError, TrialError, UsageError
from expander.files import write_whole
from expander.trial import Completed, Epoch, Metrics
from trainers import checkpoint
from trainers.checkpoint import State

TRIAL = "0123456789abcdef"
# What earlier versions did not write of an outcome.
LATER = ("train_top1", "device", "gpus", "sha256", "weights_sha256")


def state(epochs=1, trial=TRIAL):
    torch.manual_seed(epochs)
    return State(
        trial=trial,
        model={"weight": torch.randn(3, 2), "steps": torch.tensor(epochs)},
        optimizer={"state": {0: {"momentum_buffer": torch.randn(3, 2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        epochs=tuple(Epoch(trial, number, 5, 1 / number, 0.5, 0.1, 2.0) for number in range(1, epochs + 1)),
        damaged={"a: b.mp4": "no video stream"},
    )


def assert_same(found, wanted):
    assert (found.trial, found.epochs, found.damaged) == (wanted.trial, wanted.epochs, wanted.damaged)
    assert found.epoch == wanted.epoch
    assert torch.equal(found.model["weight"], wanted.model["weight"])
    momentum = [s.optimizer["state"][0]["momentum_buffer"] for s in (found, wanted)]
    assert torch.equal(*momentum)
    assert found.optimizer["param_groups"] == wanted.optimizer["param_groups"]


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    checkpoint.save(tmp_path, state(2))
    assert_same(checkpoint.latest(tmp_path, TRIAL), state(2))


def test_there_is_no_state_where_nothing_was_saved(tmp_path):
    assert checkpoint.latest(tmp_path / "never", TRIAL) is None


def test_the_newest_two_are_kept(tmp_path):
    paths = [checkpoint.save(tmp_path, state(epochs)) for epochs in (1, 2, 3)]
    assert sorted(tmp_path.iterdir()) == paths[1:]
    assert checkpoint.latest(tmp_path, TRIAL).epoch == 3


def torn(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "torn": torn,
    "flipped": flipped,
    "empty": lambda content: b"",
    "header": lambda content: b"\n" + content,
    "torn in the header": lambda content: content[:40],
    "torn after the header": lambda content: content[: content.index(b"\n") + 1],
    "torn before the last byte": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "another's checksum": lambda content: content.replace(content[35:45], b"0123456789", 1),
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(damage, tmp_path, caplog):
    checkpoint.save(tmp_path, state(1))
    newest = checkpoint.save(tmp_path, state(2))
    newest.write_bytes(damage(newest.read_bytes()))
    assert_same(checkpoint.latest(tmp_path, TRIAL), state(1))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(newest) in caplog.text


def test_with_both_damaged_the_training_starts_over(tmp_path, caplog):
    for epochs in (1, 2):
        path = checkpoint.save(tmp_path, state(epochs))
        path.write_bytes(torn(path.read_bytes()))
    assert checkpoint.latest(tmp_path, TRIAL) is None
    *each, loud = [record.getMessage() for record in caplog.records]
    assert len(each) == 2
    assert loud.startswith(
        f"NO SOUND CHECKPOINT is left in {tmp_path}: epoch-00002.checkpoint and epoch-00001.checkpoint"
    )
    assert "starts again from its beginning" in loud


def test_the_checkpoint_of_another_trial_is_refused(tmp_path):
    checkpoint.save(tmp_path, state(trial="fedcba9876543210"))
    with pytest.raises(TrialError, match=f"belongs to trial fedcba9876543210, not to {TRIAL}"):
        checkpoint.latest(tmp_path, TRIAL)


class Payload:
    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_with_a_valid_checksum_still_runs_no_code(tmp_path, caplog):
    from hashlib import sha256

    payload, buffer = Payload(), io.BytesIO()
    payload.path = tmp_path / "ran"
    torch.save(payload, buffer, pickle_module=pickle)
    header = f"x3d-expander checkpoint 2 sha256 {sha256(buffer.getvalue()).hexdigest()}\n".encode()
    (tmp_path / "epoch-00001.checkpoint").write_bytes(header + buffer.getvalue())
    assert checkpoint.latest(tmp_path, TRIAL) is None
    assert not payload.path.exists()
    assert "weights_only" in caplog.text.lower() or "unsupported" in caplog.text.lower()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(TypeError):
        write_whole(path, b"new", "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_process_killed_while_writing_left_is_cleared_and_never_read(tmp_path):
    litter = tmp_path / ".expander-0123456789abcdef.tmp"
    litter.write_bytes(b"half")
    assert checkpoint.latest(tmp_path, TRIAL) is None
    checkpoint.save(tmp_path, state(2))
    assert not litter.exists()


def network(classes=3):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), nn.Flatten(), nn.Linear(4, classes))


def test_weights_come_back_under_their_names(tmp_path):
    path, saved, loaded = tmp_path / "weights.safetensors", network(), network()
    saved.to(memory_format=torch.channels_last_3d)[1].running_mean.add_(1)
    checkpoint.save_weights(path, saved)
    checkpoint.load_weights(path, loaded)
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in loaded.state_dict().items())
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == set(saved.state_dict())


def test_weights_of_another_network_are_refused_by_name_and_change_nothing(tmp_path):
    path, other = tmp_path / "weights.safetensors", network(5)
    checkpoint.save_weights(path, network(3))
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(UsageError, match=r"3\.weight is \[3, 4\] where the network has \[5, 4\]"):
        checkpoint.load_weights(path, other)
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


def test_missing_and_unknown_tensors_are_named(tmp_path):
    path = tmp_path / "weights.safetensors"
    checkpoint.save_weights(path, nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(UsageError, match=r"1\.weight is missing; 0\.bias is unknown"):
        checkpoint.load_weights(path, nn.Sequential(nn.Linear(2, 2, bias=False), nn.PReLU()))


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_a_file_that_is_no_weights_is_the_users_mistake(content, tmp_path):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"weights\.safetensors: cannot be read"):
        checkpoint.load_weights(path, network())


def completed(folder, trial=TRIAL):
    metrics = Metrics(top1=0.5, top5=0.9, loss=1.25, videos=40)
    weights = str(folder / checkpoint.WEIGHTS)
    ran = {"train_top1": 0.75, "device": "NVIDIA H200", "gpus": 8.0}
    return Completed(trial, metrics, 12.5, weights, ("a.mp4: torn",), {"python": "3.11.0"}, **ran)


def test_an_outcome_comes_back_while_its_weights_are_there(tmp_path):
    checkpoint.save_weights(tmp_path / checkpoint.WEIGHTS, network())
    checkpoint.save_completed(tmp_path, completed(tmp_path))
    weights = (tmp_path / checkpoint.WEIGHTS).rename(tmp_path / "elsewhere")
    assert checkpoint.load_completed(tmp_path, TRIAL) is None
    weights.rename(tmp_path / checkpoint.WEIGHTS)
    checksum = hashlib.sha256((tmp_path / checkpoint.WEIGHTS).read_bytes()).hexdigest()
    expected = replace(completed(tmp_path), weights_sha256=checksum)
    assert asdict(checkpoint.load_completed(tmp_path, TRIAL)) == asdict(expected)


def test_an_outcome_moves_with_its_folder(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    checkpoint.save_weights(before / checkpoint.WEIGHTS, network())
    checkpoint.save_completed(before, completed(before))
    before.rename(after)
    found = checkpoint.load_completed(after, TRIAL)
    assert replace(found, weights_sha256=None) == completed(after)


def test_the_outcome_of_another_trial_is_refused(tmp_path):
    checkpoint.save_weights(tmp_path / checkpoint.WEIGHTS, network())
    checkpoint.save_completed(tmp_path, completed(tmp_path, "fedcba9876543210"))
    with pytest.raises(TrialError, match="belongs to trial fedcba9876543210"):
        checkpoint.load_completed(tmp_path, TRIAL)


def test_what_is_trained_after_both_were_damaged_is_kept(tmp_path):
    for epochs in (3, 4):
        checkpoint.save(tmp_path, state(epochs)).write_bytes(b"")
    first = checkpoint.save(tmp_path, state(1))
    assert checkpoint.latest(tmp_path, TRIAL).epoch == 1
    assert list(tmp_path.iterdir()) == [first]


def test_a_checkpoint_that_may_be_sound_but_cannot_be_read_starts_nothing_over(tmp_path):
    checkpoint.save(tmp_path, state(1))
    (tmp_path / "epoch-00002.checkpoint").mkdir()
    with pytest.raises(FileError, match=r"epoch-00002\.checkpoint cannot be read: Is a directory"):
        checkpoint.latest(tmp_path, TRIAL)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (checkpoint.COMPLETED, b"0.5", b"0.6"),
        (checkpoint.COMPLETED, b"a.mp4", b"b.mp4"),
        (checkpoint.WEIGHTS, b"", b""),
    ],
)
def test_an_outcome_is_not_believed_where_it_or_its_weights_are_not_what_was_written(
    file, before, after, tmp_path, caplog
):
    checkpoint.save_weights(tmp_path / checkpoint.WEIGHTS, network())
    checkpoint.save_completed(tmp_path, completed(tmp_path))
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content.replace(before, after, 1) if before else flipped(content))
    assert checkpoint.load_completed(tmp_path, TRIAL) is None
    assert str(tmp_path / file) in caplog.text
    assert "checksum" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{}", b'{"trial": ', b"[]"])
def test_a_damaged_outcome_is_named_and_ignored(content, tmp_path, caplog):
    checkpoint.save_weights(tmp_path / checkpoint.WEIGHTS, network())
    (tmp_path / checkpoint.COMPLETED).write_bytes(content)
    assert checkpoint.load_completed(tmp_path, TRIAL) is None
    assert str(tmp_path / checkpoint.COMPLETED) in caplog.text


def test_an_outcome_of_an_earlier_version_has_no_training_score(tmp_path):
    checkpoint.save_weights(tmp_path / checkpoint.WEIGHTS, network())
    checkpoint.save_completed(tmp_path, completed(tmp_path))
    path = tmp_path / checkpoint.COMPLETED
    values = json.loads(path.read_text())
    assert set(LATER) < set(values)
    path.write_text(json.dumps({key: values[key] for key in values if key not in LATER}))
    found = checkpoint.load_completed(tmp_path, TRIAL)
    assert (found.score, found.train_top1, found.device, found.gpus) == (completed(tmp_path).score, None, None, None)
