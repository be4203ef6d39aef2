"""What a killed training of a detector goes on from: its state after each validation, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from expander.errors import UsageError
from trainers.checkpoint import write_atomically

KEPT = 2  # the newest, and the one before for when the newest turns out damaged
# First line of a file; the checksum is of all that follows it, which is what torch.save writes.
HEADER = re.compile(rb"x3d-expander detector 1 sha256 ([0-9a-f]{64})\n")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """The iterations up to a validation. loss: mean over these iterations; rate: of the last; score: frame mAP."""

    iteration: int
    loss: float
    rate: float
    score: float


@dataclass(frozen=True)
class DetectorState:
    """A training after its last validation. id: of all that it follows from. damaged: reason by path of the training
    videos that did not decode so far."""

    id: str
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    rounds: tuple[Round, ...]
    damaged: Mapping[str, str] = field(default_factory=dict)


def save(folder: Path, state: DetectorState) -> None:
    """Write the checkpoint of `state`, and drop all but the newest two."""
    buffer = io.BytesIO()
    values = {name: getattr(state, name) for name in ("id", "model", "optimizer", "scaler", "damaged")}
    torch.save(values | {"rounds": [asdict(each) for each in state.rounds]}, buffer)
    payload = buffer.getbuffer()
    header = f"x3d-expander detector 1 sha256 {hashlib.sha256(payload).hexdigest()}\n".encode()
    write_atomically(folder / f"iteration-{state.rounds[-1].iteration:07d}.checkpoint", header, payload)
    for old in _newest_first(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def latest(folder: Path, wanted: str) -> DetectorState | None:
    """The newest sound checkpoint, None where there is none; a damaged one is named in a warning.

    Raises UsageError when it is of a training with another id.
    """
    for path in _newest_first(folder):
        try:
            state = _read(path)
        except (ValueError, OSError, UnpicklingError) as damage:
            logger.warning("checkpoint %s is damaged (%s); looking for the one before", path, damage)
            continue
        if state.id != wanted:
            raise UsageError(
                f"{path} is of a training with another config, weights, data or settings; give those again to go on,"
                " or another --out to begin anew"
            )
        return state
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("iteration-*.checkpoint"), key=lambda path: path.name, reverse=True)


def _read(path: Path) -> DetectorState:
    content = path.read_bytes()
    header = HEADER.match(content)
    if header is None:
        raise ValueError("it does not begin as a checkpoint of this version does")
    payload = memoryview(content)[header.end() :]
    if hashlib.sha256(payload).hexdigest().encode() != header[1]:
        raise ValueError("its checksum does not match")
    values = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return DetectorState(**values | {"rounds": tuple(Round(**each) for each in values["rounds"])})
