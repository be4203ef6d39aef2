"""Triton kernel or PyTorch's operator: for each shape what is faster here, measured at first use and remembered.

A kernel is first compared with PyTorch's operator in float64. What fails, in whatever way, is PyTorch's from then on,
and one line of the log says so. The measurement takes seconds, most of them of Triton's compiler, once for each kind of
device, shape and type.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import triton
from torch import Tensor

from expander.errors import FileError
from expander.files import sealed, unsealed, write_whole
from trainers.networks.gpu.calls import GpuKernels
from trainers.networks.gpu.middle import Settings, middle
from trainers.networks.gpu.plans import VARIANTS, WEIGHT_VARIANTS
from trainers.networks.kernels.calls import RELU, SWISH, Triple
from trainers.networks.kernels.library import folder

FILE = "gpu_choices.json"
# Relative L2 distance from PyTorch's in float64: a type's own rounding, and a margin.
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
# More do not change what is faster, and take memory that the training needs.
CLIPS = 8
WARM_UP, ROUNDS = 3, 15

logger = logging.getLogger(__name__)
Tensors = Sequence[Tensor]


@dataclass
class Choices:
    """What was measured here, by device, shape and type; kept in `path`, None keeps it in this process alone."""

    path: Path | None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what is known."""
        self.known = _read(self.path) if self.path else {}

    def of(self, key: str, device: torch.device, measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is known of `key`, measured now where nothing is."""
        if key not in self.known:
            self.known[key] = _guarded(key, device, measured)
            self._keep(key)
        return self.known[key]

    def _keep(self, key: str) -> None:
        """Of two processes that write at once the second waits, and keeps what the first wrote."""
        if self.path is None or self.known[key].get("passing"):
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self.path.with_suffix(".lock"), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                write_whole(self.path, sealed({**_read(self.path), key: self.known[key]}))
        except (OSError, FileError) as error:
            logger.warning("which GPU kernels are faster is measured again by the next process: %s", error)


@cache
def choices() -> Choices:
    """This user's."""
    return Choices(folder() / FILE)


def convolution(x: Tensor, kernel: Triple, stride: int) -> GpuKernels | None:
    """What computes the channel-wise convolution of such an `x`; None leaves it to PyTorch."""
    found = _convolution(x, kernel, stride)
    return GpuKernels().planned(*found["tiles"]) if found["tiles"] else None


def norm(x: Tensor) -> GpuKernels | None:
    """What computes BN of such an `x` with what follows it; None leaves it to PyTorch."""
    return GpuKernels() if _norm(x)["tiles"] else None


def block_middle(x: Tensor, kernel: Triple, stride: int) -> GpuKernels | None:
    """What computes a block's middle in one step; None leaves it to its layers."""

    def measured() -> dict[str, Any]:
        found = _convolution(x, kernel, stride)
        if not found["tiles"]:
            return {"tiles": None}
        kernels = GpuKernels().planned(*found["tiles"])
        made = _made(x)
        out = made(*x.shape[:3], -(-x.shape[3] // stride), -(-x.shape[4] // stride))
        apart = found["milliseconds"] + _norm(x)["milliseconds"] + _norm(out)["milliseconds"]
        _check(_middle(kernels, made, x, kernel, stride), _middle_exactly(made, x, kernel, stride), x.dtype)
        took = _milliseconds(lambda: _middle(kernels, made, x, kernel, stride), x.device)
        return {"tiles": found["tiles"] if took < apart else None, "milliseconds": took, "apart": apart}

    found = choices().of(_key("middle", x, *kernel, stride), x.device, measured)
    return GpuKernels().planned(*found["tiles"]) if found["tiles"] else None


def _convolution(x: Tensor, kernel: Triple, stride: int) -> dict[str, Any]:
    def measured() -> dict[str, Any]:
        made = _made(x)
        value, weight = made(*x.shape), made(x.shape[1], 1, *kernel).float()
        exact = [value.double().requires_grad_(), weight.double().requires_grad_()]
        wanted = stock_convolution(exact[0], exact[1], stride)
        gradient = made(*wanted.shape)
        of = torch.autograd.grad(wanted, exact, gradient.double())
        usable, weights = dict[int, float](), dict[int, float]()
        for number in range(len(VARIANTS)):
            kernels = GpuKernels().planned(number, 0)

            def run(kernels: GpuKernels = kernels) -> Tensors:
                forward = kernels.convolve(value, weight, stride)
                return forward, kernels.input_gradient(gradient, value, weight, stride)

            _check(run(), [wanted, of[0]], x.dtype)
            usable[number] = _milliseconds(run, x.device)
        for number in range(len(WEIGHT_VARIANTS)):
            kernels = GpuKernels().planned(0, number)

            def weigh(kernels: GpuKernels = kernels) -> Tensors:
                return [kernels.weight_gradient(gradient, value, weight, stride)]

            _check(weigh(), of[1:], x.dtype)
            weights[number] = _milliseconds(weigh, x.device)
        leaves = [value.clone().requires_grad_(), weight.to(x.dtype).requires_grad_()]

        def stock() -> Tensors:
            return torch.autograd.grad(stock_convolution(leaves[0], leaves[1], stride), leaves, gradient)

        tiles = min(usable, key=lambda number: usable[number]), min(weights, key=lambda number: weights[number])
        return _faster(tiles, usable[tiles[0]] + weights[tiles[1]], _milliseconds(stock, x.device))

    return choices().of(_key("convolution", x, *kernel, stride), x.device, measured)


def _norm(x: Tensor) -> dict[str, Any]:
    def measured() -> dict[str, Any]:
        made, kernels = _made(x), GpuKernels()
        value, gradient = made(*x.shape), made(*x.shape)
        gain, bias = made(x.shape[1]).float(), made(x.shape[1]).float()

        def run() -> Tensors:
            moments = kernels.moments(value, [len(value)], 1e-5)
            out = kernels.normalise(value, moments, gain, bias, RELU)
            sums = kernels.gradient_sums(gradient, value, None, moments, gain, bias, RELU, None, None)
            values = (gradient, value, moments, gain, bias, RELU, None, [len(value)], sums)
            return out, *kernels.normalise_gradients(*values)

        def stock(dtype: torch.dtype, of: torch.dtype) -> Tensors:
            leaves = [value.to(dtype).requires_grad_(), *(each.to(of).requires_grad_() for each in (gain, bias))]
            out = F.relu(F.batch_norm(leaves[0], None, None, leaves[1], leaves[2], True))
            return out, *torch.autograd.grad(out, leaves, gradient.to(dtype))

        _check(run(), stock(torch.float64, torch.float64), x.dtype)
        theirs = _milliseconds(lambda: stock(x.dtype, torch.float32), x.device)
        return _faster((0, 0), _milliseconds(run, x.device), theirs)

    return choices().of(_key("norm", x), x.device, measured)


def stock_convolution(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """PyTorch's channel-wise convolution, as ChannelwiseConv3d calls it."""
    padding = [size // 2 for size in weight.shape[2:]]
    if x.shape[2] == 1:
        middle = weight[:, :, weight.shape[2] // 2]
        return F.conv2d(x.squeeze(2), middle, None, stride, padding[1:], 1, len(weight)).unsqueeze(2)
    return F.conv3d(x, weight, None, (1, stride, stride), padding, 1, len(weight))


def _middle(kernels: GpuKernels, made: Callable[..., Tensor], x: Tensor, kernel: Triple, stride: int) -> Tensors:
    """Out and gradients, of the same numbers at each call."""
    leaves = _middle_leaves(made, x, kernel)
    settings = Settings([len(leaves[0])], (1e-5, 1e-5), stride, SWISH)
    first, last = (leaves[1], leaves[2]), (leaves[4], leaves[5])
    out = middle(kernels, leaves[0], first, leaves[3], last, None, settings)[0]
    return out, *torch.autograd.grad(out, leaves, torch.ones_like(out))


def _middle_exactly(made: Callable[..., Tensor], x: Tensor, kernel: Triple, stride: int) -> Tensors:
    leaves = [each.detach().double().requires_grad_() for each in _middle_leaves(made, x, kernel)]
    y = F.relu(F.batch_norm(leaves[0], None, None, leaves[1], leaves[2], True))
    y = F.batch_norm(stock_convolution(y, leaves[3], stride), None, None, leaves[4], leaves[5], True)
    out = F.silu(y)
    return out, *torch.autograd.grad(out, leaves, torch.ones_like(out))


def _middle_leaves(made: Callable[..., Tensor], x: Tensor, kernel: Triple) -> list[Tensor]:
    made(0)
    sizes = ((x.shape[1],), (x.shape[1],), (x.shape[1], 1, *kernel), (x.shape[1],), (x.shape[1],))
    return [made(*x.shape).requires_grad_(), *(made(*size).float().requires_grad_() for size in sizes)]


def _made(x: Tensor) -> Callable[..., Tensor]:
    """Makes normal numbers of the type and device of `x`, of no random state but its own; anew after a size of 0."""
    generator = torch.Generator(x.device)

    def made(*size: int) -> Tensor:
        if size == (0,):
            generator.manual_seed(0)
        size = (min(size[0], CLIPS), *size[1:]) if len(size) == 5 and size[:2] == x.shape[:2] else size
        value = torch.randn(size, generator=generator, device=x.device).to(x.dtype)
        return value.contiguous(memory_format=torch.channels_last_3d) if len(size) == 5 else value

    return made


def _guarded(key: str, device: torch.device, measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is measured, away from what the training computes; PyTorch's operator where that fails."""
    nothing = {"tiles": None, "milliseconds": float("inf")}
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
            return measured()
    except torch.OutOfMemoryError:
        return {**nothing, "passing": True}  # of this training, not of the kernel
    except Exception as error:  # noqa: BLE001 - whatever a compiler or a driver comes with
        logger.warning("PyTorch computes what a GPU kernel would (%s): %s", key.partition(" ")[0], error)
        return nothing
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _check(found: Tensors, wanted: Tensors, dtype: torch.dtype) -> None:
    """Raises ValueError where they are further apart than the type's rounding explains."""
    for number, (ours, exact) in enumerate(zip(found, wanted, strict=True)):
        exact = exact.detach()
        distance = ((ours.detach().double() - exact).norm() / exact.norm().clamp(min=1e-30)).item()
        if not distance < TOLERANCES[dtype]:
            raise ValueError(f"its result {number} is {distance:.0e} from PyTorch's in float64")


def _faster(tiles: tuple[int, int], ours: float, stock: float) -> dict[str, Any]:
    return {"tiles": tiles if ours < stock else None, "milliseconds": min(ours, stock), "ours": ours, "stock": stock}


def _milliseconds(run: Callable[[], object], device: torch.device) -> float:
    """Median time on the device."""
    if device.type != "cuda":
        began = time.perf_counter()
        run()
        return 1000 * (time.perf_counter() - began)
    for _ in range(WARM_UP):
        run()
    marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(ROUNDS)]  # type: ignore[no-untyped-call]
    for before, after in marks:
        before.record()
        run()
        after.record()
    torch.cuda.synchronize(device)
    return float(statistics.median(before.elapsed_time(after) for before, after in marks))


def _key(kind: str, x: Tensor, *more: int) -> str:
    exact = torch.are_deterministic_algorithms_enabled()
    size = (min(len(x), CLIPS), *x.shape[1:], *more)
    return f"{kind} {'x'.join(map(str, size))} {x.dtype} {'deterministic' if exact else 'any'} {_machine(x.device)}"


@cache
def _machine(device: torch.device) -> str:
    """The device and all that decides how fast a kernel is on it."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    digest = hashlib.sha256(sources).hexdigest()[:12]
    return json.dumps([name, torch.__version__, triton.__version__, digest])


def _read(path: Path | None) -> dict[str, dict[str, Any]]:
    try:
        return unsealed(path.read_bytes()) if path else {}
    except (OSError, ValueError):
        return {}
