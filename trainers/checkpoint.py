"""What a killed training goes on from, and what a finished one leaves: checkpoints, weights, its outcome.

Each is written whole or not at all, and has a checksum that is looked at before it is used.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from expander import files
from expander.errors import TrialError, UsageError
from expander.files import WEIGHTS_CHECKSUM, cannot, digest, sealed, unsealed, write_whole
from expander.trial import Completed, Damage, Epoch, Metrics

KEPT = 2  # the newest, and the one before for when the newest turns out damaged
STEM = "epoch"  # of the names of a trial's checkpoints
# First line of a file; the checksum is of all that follows it, which is what torch.save writes.
HEADER = re.compile(rb"x3d-expander checkpoint 2 sha256 ([0-9a-f]{64})\n")
COMPLETED = "completed.json"
WEIGHTS = "weights.safetensors"
TRIALS = "trials"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """A training after its last finished epoch.

    model, optimizer: state dicts. epochs: the history. No random state: every draw follows from the seed, the epoch and
    what it is for.
    damaged: reason by path of the training videos that did not decode so far. scaler: of float16's gradients.
    """

    trial: str
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    epochs: tuple[Epoch, ...]
    damaged: Mapping[str, str] = field(default_factory=dict)
    scaler: Mapping[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.epochs)


def save(folder: Path, state: State) -> Path:
    """Write the checkpoint of `state`, drop all but the newest two, and return its path."""
    values = {name: getattr(state, name) for name in ("trial", "model", "optimizer", "damaged", "scaler")}
    return save_values(folder, STEM, state.epoch, values | {"epochs": [asdict(epoch) for epoch in state.epochs]})


def save_values(folder: Path, stem: str, number: int, values: Mapping[str, Any]) -> Path:
    """Write checkpoint `number` of those named by `stem`, drop all but the newest two, and return its path.

    values: what `torch.load` reads with weights_only: tensors and plain values.
    """
    buffer = io.BytesIO()
    torch.save(dict(values), buffer)
    payload = buffer.getbuffer()
    header = f"x3d-expander checkpoint 2 sha256 {hashlib.sha256(payload).hexdigest()}\n".encode()
    path = folder / f"{stem}-{number:05d}.checkpoint"
    write_whole(path, header, payload)
    known = _newest_first(folder, stem)
    # Those after it are damaged, or this training would have gone on from them.
    after = known.index(path)
    for old in (*known[:after], *known[after + KEPT :]):
        files.remove(old)
    return path


def make_folder(runs: Path, trial: str) -> Path:
    """The folder of a trial below `runs`/trials, made where it is missing. Raises FileError, also where it is there and
    takes no file: better now than after an epoch.

    `runs`/trials is whoever's who begins a search: where it is missing a mount may have vanished, and what was written
    in its place would be lost with the next one.
    """
    folder = runs / TRIALS / trial
    files.make_folder(folder, parents=False)
    files.check_writable(folder)
    return folder


def latest(folder: Path, trial: str) -> State | None:
    """The newest sound checkpoint of `folder`, None where there is none; a damaged one is named in a warning.

    Raises TrialError when it belongs to another trial.
    """
    found = newest(folder, STEM)
    if found is None:
        return None
    path, values = found
    try:
        _check_trial(path, values["trial"], trial)
        return State(**values | {"epochs": tuple(Epoch(**epoch) for epoch in values["epochs"])})
    except (KeyError, TypeError) as error:
        raise TrialError(
            f"{path} holds no state of a training that this version knows ({error}); delete it to go on without it"
        ) from error


def newest(folder: Path, stem: str) -> tuple[Path, dict[str, Any]] | None:
    """The newest sound checkpoint named by `stem` and its values, None where there is none.

    A damaged one is named in a warning, and so is the loss of all. Raises FileError where one is there and cannot be
    read, for want of permission or as its file system is gone: it may be sound.
    """
    damaged = []
    for path in _newest_first(folder, stem):
        try:
            return path, _read(path)
        except ValueError as damage:
            reason = str(damage)
        except OSError as error:
            if error.errno != errno.EIO:
                raise cannot("read", path, error) from error
            reason = str(error)
        damaged.append(path.name)
        logger.warning("checkpoint %s is damaged (%s); looking for the one before", path, reason)
    if damaged:
        logger.warning(
            "NO SOUND CHECKPOINT is left in %s: %s damaged. The training starts again from its beginning; look at the"
            " disk that the folder is on",
            folder,
            f"{damaged[0]} is" if len(damaged) == 1 else f"{' and '.join(damaged)} are",
        )
    return None


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the model's parameters and BN statistics as safetensors, under their names in the state dict."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(path, safetensors.torch.save(tensors))


def load_weights(path: Path, model: nn.Module, replaced: Mapping[str, Tensor] | None = None) -> None:
    """Load what `save_weights` wrote, but `replaced` in place of the tensors of these names.

    Raises UsageError naming every tensor that is missing, unknown or of another shape; the model is then unchanged.
    """
    try:
        found = safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"weights {path}: cannot be read ({error}); expected a safetensors file of ours. Weights of PySlowFast,"
            f" PyTorchVideo or MMAction2 become one by `expander convert CONFIG {path} --to expander --out FILE`"
        ) from error
    found |= replaced or {}
    wanted = model.state_dict()
    mistakes = [f"{name} is missing" for name in wanted if name not in found]
    mistakes += [f"{name} is unknown" for name in found if name not in wanted]
    mistakes += [
        f"{name} is {list(found[name].shape)} where the network has {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if mistakes:
        shown = "; ".join(mistakes[:5]) + (f"; and {len(mistakes) - 5} more" if len(mistakes) > 5 else "")
        raise UsageError(f"weights {path} are of another network: {shown}. Use the config that was exported with them.")
    model.load_state_dict(found)


def save_completed(folder: Path, completed: Completed) -> None:
    """Write a trial's outcome beside its weights, so that it is known when whoever waited for it is gone."""
    values = asdict(completed) | {WEIGHTS_CHECKSUM: completed.weights_sha256 or digest(folder / WEIGHTS)}
    write_whole(folder / COMPLETED, sealed(values))


def load_completed(folder: Path, trial: str) -> Completed | None:
    """The outcome of a trial that finished in `folder` and whose weights are still there, and sound; else None.

    What is damaged is named in a warning. Raises TrialError when it is of another trial.
    """
    path, weights = folder / COMPLETED, folder / WEIGHTS
    if not path.exists() or not weights.exists():
        return None
    try:
        values = unsealed(path.read_bytes())
        written = values.get(WEIGHTS_CHECKSUM)
        metrics, damaged = Metrics(**values["metrics"]), tuple(values["damaged"])
        ledger = tuple(Damage(**damage) for damage in values.get("ledger", ()))
        # The folder may have moved since.
        found = {"metrics": metrics, "damaged": damaged, "ledger": ledger, "weights": str(weights)}
        found["notes"] = tuple(values.get("notes", ()))
        completed = Completed(**values | found)
    except (ValueError, KeyError, TypeError) as damage:
        logger.warning("outcome %s is damaged (%s); scoring the trial again", path, damage)
        return None
    _check_trial(path, completed.trial, trial)
    if written not in (None, digest(weights)):
        logger.warning("weights %s are damaged (their checksum does not match); making them again", weights)
        return None
    return completed


def _newest_first(folder: Path, stem: str) -> list[Path]:
    matches = ((path, re.fullmatch(rf"{stem}-(\d+)\.checkpoint", path.name)) for path in folder.glob(f"{stem}-*"))
    numbered = [(int(match[1]), path) for path, match in matches if match]
    return [path for _, path in sorted(numbered, reverse=True)]


def _read(path: Path) -> dict[str, Any]:
    """The values in a file. Raises ValueError saying what is wrong with it."""
    content = path.read_bytes()
    header = HEADER.match(content)
    if header is None:
        raise ValueError("it does not begin as a checkpoint of this version does")
    payload = memoryview(content)[header.end() :]
    if hashlib.sha256(payload).hexdigest().encode() != header[1]:
        raise ValueError("its checksum does not match")
    try:
        values = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged pickles raise anything
        first = (str(error) or type(error).__name__).split("\n")[0]
        raise ValueError(f"its checksum matches, and yet it cannot be read: {first}") from error
    if not isinstance(values, dict):
        raise ValueError("it holds no state of a training")
    return values


def _check_trial(path: Path, found: str, wanted: str) -> None:
    if found != wanted:
        raise TrialError(
            f"{path} belongs to trial {found}, not to {wanted}: a trial's folder is named by its id; "
            "move the file back to where it came from, or delete it to train this trial from the start"
        )
