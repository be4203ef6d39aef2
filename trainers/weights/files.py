"""Files of weights: read without running code that is in them, written as each tool reads its own."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from expander.errors import UsageError
from expander.files import write_whole
from trainers.weights.layouts import Layout

# Where checkpoints keep the network's state dict: PySlowFast's and PyTorchVideo's, MMAction2's.
WRAPPERS = ("model_state", "state_dict")
DATA_PARALLEL = "module."
SHOWN = 5  # names that a message lists
ADVICE = (
    f"expected tensors by name, bare or under {' or '.join(WRAPPERS)}; save the network's alone:"
    " torch.save(model.state_dict(), NEW)"
)
# How torch names the class or function that it will not call.
REFUSED = re.compile(r"GLOBAL ([\w.]+)")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict in a safetensors file or one of torch.save, without its wrapper and DataParallel's prefix.

    Raises UsageError where there is none, where the file is damaged, and where only code in it could rebuild it.
    """
    try:
        found = _load(path)
    except OSError as error:
        raise UsageError(f"weights {path}: cannot be read: {error.strerror}; give a file of weights") from None
    for wrapper in WRAPPERS:
        # An empty one is what is left of another wrapper's.
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping) and found[wrapper]:
            found = found[wrapper]
    if not isinstance(found, Mapping) or not found:
        raise UsageError(f"weights {path}: holds a {type(found).__name__} and no state dict; {ADVICE}")
    others = [str(name) for name, value in found.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if others:
        raise UsageError(f"weights {path}: holds no state dict: no tensor under {_listed(others)}; {ADVICE}")
    # Taken off wherever it is: what stands beside the wrapped network, such as an average's counter, has none.
    bare = {name.removeprefix(DATA_PARALLEL): tensor for name, tensor in found.items()}
    if len(bare) < len(found):
        twice = [name for name in bare if name in found and f"{DATA_PARALLEL}{name}" in found]
        raise UsageError(
            f"weights {path}: with and without {DATA_PARALLEL!r} before it stands {_listed(twice)}; keep one of each"
        )
    return bare


def write_tensors(path: Path, tensors: Mapping[str, Tensor], layout: Layout) -> None:
    """Write a state dict, whole or not at all, as the tool of `layout` loads it. Raises FileError where it cannot be.

    PySlowFast gets `model_state` alone: beside an `epoch` its `load_checkpoint` asks for an optimizer's state too;
    without, it tests these weights or starts to train from them. Of `model_state` it takes what fits and passes over
    the rest in silence, so names and shapes have to be right here. PyTorchVideo's hub reads `model_state` as well,
    mmengine `state_dict`.
    """
    match layout:
        case Layout.EXPANDER:
            content = safetensors.torch.save(dict(tensors))
        case Layout.PYSLOWFAST | Layout.PTVX3D | Layout.PYTORCHVIDEO:
            content = _saved({"model_state": dict(tensors)})
        case Layout.MMACTION2:
            content = _saved({"meta": {}, "state_dict": dict(tensors)})
    write_whole(path, content)


def _load(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(9)
        file.seek(0)
        try:
            # A safetensors file begins with the length of its JSON header, in eight bytes.
            if start[8:] == b"{":
                return safetensors.torch.load(file.read())
            with warnings.catch_warnings():
                # Torch doubts pickles that it did not write; whatever comes of them is checked here.
                warnings.simplefilter("ignore")
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged pickles raise anything
            raise UsageError(f"weights {path}: {_reason(str(error))}") from error


def _reason(message: str) -> str:
    refused = REFUSED.search(message)
    if refused is None:
        return "neither a safetensors file nor one of torch.save, or a damaged one; nothing could be read from it"
    return (
        f"holds more than tensors: to rebuild it, {refused[1]} would have to be called as the file says, and code in a"
        " file of weights is never run. If you trust where it comes from, save its state dict alone and convert that:"
        " torch.save(torch.load(FILE, weights_only=False)[KEY], NEW), with KEY 'state_dict' for MMAction2,"
        " 'model_state' for PySlowFast and PyTorchVideo; or of a whole module its .state_dict()"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def _saved(values: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()
