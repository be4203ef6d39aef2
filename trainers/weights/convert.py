"""The weights of an X3D from one layout into another: every tensor accounted for, or nothing.

PyTorchVideo has no BN in a shortcut that keeps the width (`kept_shortcuts`), where the others have one:

- From PyTorchVideo, that BN becomes the identity: in evaluation it returns its input bit for bit, in float32.
- Into PyTorchVideo, its scale goes into the shortcut's convolution and its shift into the bias of the block's last BN:
  both are summed before the ReLU, so in evaluation the block computes the same, up to rounding.

In training neither is the same: there a BN normalises by the batch, and PyTorchVideo has nothing in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from expander.errors import UsageError
from expander.geometry import Geometry
from trainers.weights.layouts import CLASSIFIER, MARKS, Entry, Layout, entries, kept_shortcuts

Tensors = Mapping[str, Tensor]

EPS = 1e-5  # of every BN, here and there
SHOWN = 10  # mistakes of one kind that a message lists


@dataclass(frozen=True)
class Converted:
    """A state dict by the names of its layout, and what its user has to know of it."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


def detect(tensors: Tensors, where: str) -> Layout:
    """The layout whose names these are. Raises UsageError where they are no layout's, or several's."""
    found = [layout for layout, marks in MARKS.items() if any(name.startswith(marks) for name in tensors)]
    if len(found) != 1:
        whose = " and ".join(found) if found else f"none of {', '.join(Layout)}"
        names = ", ".join(list(tensors)[:3])
        raise UsageError(f"{where}: its names are those of {whose}: {names}, ...; expected the state dict of one X3D")
    return found[0]


def convert(tensors: Tensors, geometry: Geometry, source: Layout, target: Layout, where: str) -> Converted:
    """The weights of `geometry`'s network, which `tensors` has as `source` lays them out, as `target` does; in float32.

    where: what `tensors` came from, for messages. BN's counters of batches may be missing from it; they start at 0.
    Raises UsageError with everything that does not fit.
    """
    there = entries(geometry, target)
    ours = _to_ours(tensors, entries(geometry, source), where)
    blocks = kept_shortcuts(geometry)
    for block in blocks if source.by_create_x3d else ():
        ours |= _identity(block, ours)
    for block in blocks if target.by_create_x3d else ():
        ours |= _folded(block, ours)
    found = {entry.theirs: ours[entry.ours].reshape(entry.their_shape) for entry in there if entry.theirs is not None}
    if lost := [name for name, tensor in found.items() if not tensor.isfinite().all()]:
        raise UsageError(
            "\n".join([f"{where}: BN cannot be folded as {target} needs it", *_listed("not finite then", lost)])
        )
    return Converted(found, _notes(blocks, source, target))


def _to_ours(tensors: Tensors, layout: Sequence[Entry], where: str) -> dict[str, Tensor]:
    """`tensors` by our names, in our shapes and types, each with memory of its own."""
    wanted = {entry.theirs: entry for entry in layout if entry.theirs is not None}
    _check(tensors, wanted, where)
    ours = {}
    for name, entry in wanted.items():
        if name in tensors:
            kind = torch.int64 if entry.counter else torch.float32
            ours[entry.ours] = tensors[name].detach().to(kind, copy=True).reshape(entry.shape).contiguous()
    counters = [entry.ours for entry in layout if entry.counter and entry.ours not in ours]
    return ours | {name: torch.zeros((), dtype=torch.int64) for name in counters}


def _check(tensors: Tensors, wanted: Mapping[str, Entry], where: str) -> None:
    shared = [(name, tensors[name], entry) for name, entry in wanted.items() if name in tensors]
    shapes = {name: (list(t.shape), list(e.their_shape)) for name, t, e in shared if tuple(t.shape) != e.their_shape}
    mistakes = {
        "missing": [name for name, entry in wanted.items() if name not in tensors and not entry.counter],
        "unexpected": [name for name in tensors if name not in wanted],
        "of another shape": [f"{name} is {found}, not {expected}" for name, (found, expected) in shapes.items()],
        "of another type": [f"{name} is {t.dtype}" for name, t, e in shared if not e.counter and not _is_plain(t)],
    }
    head, advice = "not of the config's geometry", _advice(shared)
    if not any(mistakes.values()):
        head, advice = "values that no network computes with", "  Give weights from before the training diverged."
    plain = [(name, t, e) for name, t, e in shared if _is_plain(t)]
    mistakes |= {
        "not finite as float32": [name for name, t, _ in plain if not t.to(torch.float32).isfinite().all()],
        "with a negative variance": [name for name, t, e in plain if e.variance and bool((t < 0).any())],
    }
    if any(mistakes.values()):
        listed = [line for kind, found in mistakes.items() if found for line in _listed(kind, found)]
        raise UsageError("\n".join([f"{where}: {head}", *listed, advice]))


def _is_plain(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.layout is torch.strided


def _advice(shared: Sequence[tuple[str, Tensor, Entry]]) -> str:
    for _, tensor, entry in shared:
        if entry.ours == CLASSIFIER and tensor.dim() == 2 and tensor.shape[0] != entry.shape[0]:
            return f"  They are for {tensor.shape[0]} classes: set geometry.classes to that in the config."
    return "  Give the config of the network that these weights are of."


def _identity(block: str, ours: Tensors) -> dict[str, Tensor]:
    """A BN for the shortcut that returns its input: variance plus eps is 1 in float32, and so is the root of that."""
    norm, ones = f"{block}.shortcut.norm", torch.ones_like(ours[f"{block}.project_norm.weight"])
    return {
        f"{norm}.weight": ones,
        f"{norm}.bias": torch.zeros_like(ones),
        f"{norm}.running_mean": torch.zeros_like(ones),
        f"{norm}.running_var": torch.full_like(ones, 1 - EPS),
    }


def _folded(block: str, ours: Tensors) -> dict[str, Tensor]:
    """The tensors of `block` that change when the BN of its shortcut is dropped; of an identity, none does."""
    weight, bias, mean, variance = (
        ours[f"{block}.shortcut.norm.{name}"].double() for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / (variance + EPS).sqrt()
    conv, last = ours[f"{block}.shortcut.conv.weight"], ours[f"{block}.project_norm.bias"]
    return {
        f"{block}.shortcut.conv.weight": (conv * scale[:, None, None, None, None]).to(conv.dtype),
        f"{block}.project_norm.bias": (last + bias - mean * scale).to(last.dtype),
    }


def _notes(blocks: Sequence[str], source: Layout, target: Layout) -> tuple[str, ...]:
    """What to say of the BNs that create_x3d does not build, and of the builder that is meant."""
    where = ", ".join(block.removeprefix("stages.") for block in blocks)
    said = []
    if target is Layout.PTVX3D:
        said.append("PySlowFast's own X3D would round these widths otherwise: the weights are for MODEL_NAME PTVX3D")
    if source.by_create_x3d and not target.by_create_x3d:
        said.append(
            f"PyTorchVideo has no BN in the shortcut of {where}: it is written as an exact identity, so evaluation is"
            " the same; fine-tuning is not, as this BN will then normalise by its batch"
        )
    if target.by_create_x3d and not source.by_create_x3d:
        said.append(
            f"PyTorchVideo has no BN in the shortcut of {where}: it was folded into that shortcut's convolution and"
            " the block's last BN, so evaluation is the same up to rounding; fine-tuning is not, as this BN is gone"
        )
    return tuple(said)


def _listed(kind: str, mistakes: Sequence[str]) -> list[str]:
    rest = [f"    and {len(mistakes) - SHOWN} more"] if len(mistakes) > SHOWN else []
    return [f"  {len(mistakes)} {kind}:", *(f"    {mistake}" for mistake in mistakes[:SHOWN]), *rest]
