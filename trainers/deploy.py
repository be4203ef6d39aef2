"""A network with its weights as one file that runs without this package: ONNX, or torch.export's .pt2.

Both hold the same graph: BN folded, PyTorch's plain 3-D convolutions, a batch of any size.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from expander.efficientnet3d import AnyGeometry
from expander.errors import ExpanderError, UsageError
from expander.files import write_whole
from expander.trial import shorter_side
from trainers.data.clips import MEAN, STD, normalise
from trainers.networks.fold import fold_batchnorm
from trainers.networks.layers import plain_paths

if TYPE_CHECKING:
    from onnx import ModelProto

Form = Literal["onnx", "pt2"]
Run = Callable[[Tensor], Tensor]

# What PyTorch's exporter writes without converting; onnxruntime reads it since 1.14.
OPSET = 18
METADATA = "metadata.json"
# Largest difference of a file's logits to the network's, as a share of the largest logit.
TOLERANCE = 1e-4
BATCHES = (1, 2, 3)
RECORDED_BATCH = 2  # torch.export would take a batch of 1 for fixed
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Deployed:
    """A file that was written and checked.

    difference: the largest absolute difference between its logits and the network's. batches: the batch sizes that
    were compared. versions: opset and packages that made it, by name. bytes: the file's size.
    """

    path: Path
    form: Form
    difference: float
    batches: tuple[int, ...]
    versions: Mapping[str, str]
    bytes: int


def deploy(model: nn.Module, geometry: AnyGeometry, out: Path, form: Form, about: Mapping[str, str]) -> Deployed:
    """Write `model` with its weights to `out`: input 'clips', float32 (N, 3, T, S, S) of any N >= 1 as
    `trainers.data.clips.normalise` gives them; output 'logits' (N, classes), without softmax.

    about: what the file says of itself beside its clips, such as its name; see `describe` for the keys that are taken.
    Before the file appears it has computed the network's own logits, to TOLERANCE of the largest. Raises UsageError
    when a package is missing or the weights give no numbers, ExpanderError when the file's logits differ, FileError
    when `out` cannot be written to. Then nothing is written.
    """
    metadata = {**about, **describe(geometry)}
    if form == "onnx":
        _require_onnx()
    program = _record(model, geometry)
    content, run = _onnx(program, metadata) if form == "onnx" else _pt2(program, metadata)
    versions = _versions(form)
    difference = _check(model, geometry, run, out, versions)
    write_whole(out, content)
    return Deployed(out, form, difference, BATCHES, versions, len(content))


def describe(geometry: AnyGeometry) -> dict[str, str]:
    """What a file says of its clips and logits, so that it can be used without its config."""
    frames, crop, classes = geometry.frames, geometry.crop, geometry.classes
    return {
        "input": f"clips: float32 (N, 3, {frames}, {crop}, {crop}), (batch, RGB, frames, height, width), normalised",
        "output": f"logits: float32 (N, {classes}), before softmax",
        "normalisation": f"(value / 255 - {MEAN}) / {STD} of every 8-bit RGB value",
        "mean": str(MEAN),
        "std": str(STD),
        "frames": str(frames),
        "stride": str(geometry.stride or 1),
        "crop": str(crop),
        "shorter_side": str(shorter_side(crop)),
        "classes": str(classes),
    }


def _record(model: nn.Module, geometry: AnyGeometry) -> ExportedProgram:
    """The folded network's operators, with its weights, on the CPU."""
    folded = fold_batchnorm(model).cpu().float().requires_grad_(False)
    clips = _clips(geometry, RECORDED_BATCH)
    with plain_paths(folded), _quiet():
        program = torch.export.export(folded, (clips,), dynamic_shapes=({0: Dim("batch", min=1)},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # this machine's paths
    return program


def _pt2(program: ExportedProgram, metadata: Mapping[str, str]) -> tuple[bytes, Run]:
    """The file's content, and what computes logits from it."""
    program.example_inputs = None  # else the file holds the clips: 37 MB for X3D-XL
    buffer = io.BytesIO()
    with _quiet():
        torch.export.save(program, buffer, extra_files={METADATA: json.dumps(metadata, indent=2, ensure_ascii=False)})
        run = torch.export.load(io.BytesIO(buffer.getvalue())).module()
    return buffer.getvalue(), run


def _onnx(program: ExportedProgram, metadata: Mapping[str, str]) -> tuple[bytes, Run]:
    """The file's content, and what computes logits from it."""
    import onnx

    with _quiet():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=["clips"],
            output_names=["logits"],
            dynamic_shapes=({0: "batch"},),
            verbose=False,
        )
    assert exported is not None  # None only where a file's name is given
    proto = exported.model_proto
    _strip(proto)
    onnx.helper.set_model_props(proto, dict(metadata))
    content = proto.SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    return content, _session(content)


def _strip(proto: ModelProto) -> None:
    """Take out what the exporter notes at every node and value: stack traces, with this machine's paths."""
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]


def _session(content: bytes) -> Run:
    """onnxruntime on the CPU, which every build of it has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda clips: torch.from_numpy(session.run(["logits"], {"clips": np.ascontiguousarray(clips.numpy())})[0])


def _check(model: nn.Module, geometry: AnyGeometry, run: Run, out: Path, versions: Mapping[str, str]) -> float:
    """The largest absolute difference between the logits of `run` and of `model` as it is, over random clips."""
    reference = copy.deepcopy(model).cpu().float().eval()
    clips = _clips(geometry, max(BATCHES))
    with torch.no_grad():
        # Clip by clip: in evaluation no clip changes another's logits, and this takes the least memory.
        expected = torch.cat([reference(clip[None]) for clip in clips])
        found = [run(clips[:batch]) for batch in BATCHES]
    if not expected.isfinite().all():
        raise UsageError(f"{out} was not written: with these weights the logits are not numbers; give sound weights")
    difference = float((torch.cat(found) - torch.cat([expected[:batch] for batch in BATCHES])).abs().max())
    largest = float(expected.abs().max())
    if not difference <= TOLERANCE * largest:  # nor where it is not a number
        made_with = ", ".join(f"{name} {number}" for name, number in versions.items())
        raise ExpanderError(
            f"{out} was not written: its logits would differ from the network's by up to {difference:.1e}, where the"
            f" largest is {largest:.1e} and {TOLERANCE:g} of it is allowed; made with {made_with}."
            " Other versions of these packages may do better"
        )
    return difference


def _clips(geometry: AnyGeometry, batch: int) -> Tensor:
    """Random clips (batch, 3, T, S, S), the same ones each time."""
    shape = (batch, geometry.frames, geometry.crop, geometry.crop, 3)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return normalise(pixels)


def _require_onnx() -> None:
    """Raises UsageError naming the packages that are missing."""
    missing = [name for name in ONNX_PACKAGES if not _importable(name)]
    if missing:
        raise UsageError(f"ONNX needs {', '.join(missing)}, of the extra: pip install 'x3d-expander[onnx]'")


def _importable(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def _versions(form: Form) -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", *(ONNX_PACKAGES if form == "onnx" else ()))}
    return packages | ({"opset": str(OPSET)} if form == "onnx" else {})


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it, PyTorch's exporters say nothing of their own deprecated calls and of torchvision's absence."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)
