"""Compiles every Triton kernel for NVIDIA GPUs, without one: `python tests/ptx.py [80 90] [--all] [--verbose]`.

The calls of trainers/networks/gpu are made with tensors of no data, and what they would launch is compiled to machine
code instead, types and constants as at a launch. The interpreter accepts more than the compiler does; this does not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime import JITFunction

from trainers.networks.gpu import channelwise, excitation, norm
from trainers.networks.gpu.calls import GpuKernels, Normed
from trainers.networks.gpu.plans import VARIANTS, WEIGHT_VARIANTS
from trainers.networks.kernels.calls import NOTHING, RELU, SWISH

TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.float16: "*fp16", torch.int32: "*i32"}
# Clips, channels, frames, height, width: of a small network's, X3D's first and last stages, and the smallest.
FEW = [(2, 54, 13, 40, 40)]
ALL = [*FEW, (2, 432, 4, 5, 5), (4, 24, 1, 56, 56), (1, 8, 1, 1, 1), (2, 7, 2, 3, 3)]


@dataclass
class Recorded:
    """In place of a kernel: takes down what would be launched."""

    kernel: JITFunction
    launches: dict[str, tuple[ASTSource, int]] = field(default_factory=dict)

    def __getitem__(self, grid: object) -> object:
        return self.launch

    def launch(self, *values: object, num_warps: int = 4, **constants: object) -> None:
        arguments = dict(zip(self.kernel.arg_names, values, strict=False)) | constants
        signature, known, attributes = {}, {}, {}
        for place, (name, value) in enumerate(arguments.items()):
            if isinstance(value, Tensor):
                signature[name] = TYPES[value.dtype]
                attributes[(place,)] = [["tt.divisibility", 16]]
            elif name in constants or value == 1:  # a launch makes a constant of a one
                signature[name], known[name] = "constexpr", value
            else:
                signature[name] = "fp32" if isinstance(value, float) else "i32"
        source = ASTSource(fn=self.kernel, signature=signature, constexprs=known, attrs=attributes)
        self.launches[f"{signature} {known} {num_warps}"] = (source, num_warps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capabilities", nargs="*", type=int, default=[80, 90])
    parser.add_argument("--all", action="store_true", help="more shapes, and every tile that may be chosen")
    parser.add_argument("--verbose", action="store_true", help="registers and spills of each")
    options = parser.parse_args()
    kernels = [recorded for module in (channelwise, norm, excitation) for recorded in _record(module)]
    for shape in ALL if options.all else FEW:
        for dtype in (torch.bfloat16, torch.float32) if options.all else (torch.bfloat16,):
            _call(shape, dtype, len(VARIANTS) if options.all else 1)
    compiled = 0
    for recorded in kernels:
        if not recorded.launches:
            raise SystemExit(f"{recorded.kernel.__name__}: nothing launches it")
        # Of each kernel one form for all, and every form for the last of them: the compiler takes a second for each.
        for number, (key, (source, warps)) in enumerate(reversed(recorded.launches.items())):
            for capability in options.capabilities if number == 0 or options.all else options.capabilities[-1:]:
                try:
                    found = triton.compile(source, GPUTarget("cuda", capability, 32), {"num_warps": warps})
                except Exception as error:
                    raise SystemExit(f"{recorded.kernel.__name__}, sm_{capability}: {error}\n{key}") from error
                assert found.asm["cubin"]
                compiled += 1
                if options.verbose:
                    print(f"{recorded.kernel.__name__} {_usage(found.asm['ptx'], capability)} {key[-190:]}")
    print(f"{compiled} compiled for {', '.join(f'sm_{capability}' for capability in options.capabilities)}")


def _record(module: ModuleType) -> list[Recorded]:
    """All that are launched; the others are parts of these."""
    launched = []
    for name, value in vars(module).items():
        parts = ("scaling", "activated", "through", "of_channels")
        if isinstance(value, JITFunction) and name not in parts and value.fn.__module__ == module.__name__:
            launched.append(Recorded(value))
    for recorded in launched:
        setattr(module, recorded.kernel.__name__, recorded)
    return launched


def _call(shape: tuple[int, int, int, int, int], dtype: torch.dtype, variants: int) -> None:
    """Every call, in every form that the network makes it in."""
    channels, sizes = shape[1], [shape[0]]
    gain, bias = (torch.empty(channels, device="meta") for _ in range(2))
    for variant in range(variants):
        kernels = GpuKernels().planned(variant, min(variant, len(WEIGHT_VARIANTS) - 1))
        for kernel, stride in (((3, 3, 3), 1), ((3, 3, 3), 2), ((5, 1, 1), 1)):
            x = _clips(shape, dtype)
            weight = torch.empty(channels, 1, *kernel, device="meta")
            gradient = kernels.convolve(x, weight, stride)
            kernels.input_gradient(gradient, x, weight, stride)
            kernels.weight_gradient(gradient, x, weight, stride)
            if kernel[1] == 3:
                normed = Normed(x, kernels.moments(x, sizes, 1e-5), gain, bias)
                kernels.convolve_normed(normed, weight, stride)
                kernels.rectified_gradient(gradient, normed, weight, stride)
                kernels.weight_gradient(gradient, x, weight, stride, normed)
    kernels, x = GpuKernels(), _clips(shape, dtype)
    moments = kernels.moments(x, sizes, 1e-5)
    squeeze = [torch.empty(size, device="meta") for size in ((8, channels), (8,), (channels, 8), (channels,))]
    gate, mean, narrow = kernels.open_gate(moments, gain, bias, tuple(squeeze))
    for act, opening, residual in ((NOTHING, None, None), (RELU, None, x), (RELU, gate, x), (SWISH, gate, None)):
        out = kernels.normalise(x, moments, gain, bias, act, opening, residual)
        by = out if residual is not None else None
        kept = _clips(shape, dtype) if act == SWISH or by is not None else None
        values = (x, x, by, moments, gain, bias, act, opening, kept)
        sums = kernels.gradient_sums(*values)
        after = NOTHING if kept is not None else act
        kernels.normalise_gradients(x, x, moments, gain, bias, after, opening, sizes, sums, None)
    for_mean, _ = kernels.gate_gradients(sums, gain, bias, squeeze[0], squeeze[2], mean, narrow, gate)
    kernels.normalise_gradients(x, x, moments, gain, bias, RELU, None, sizes, sums)
    kernels.normalise_gradients(x, x, moments, gain, bias, NOTHING, gate, sizes, sums, for_mean)


def _clips(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta").contiguous(memory_format=torch.channels_last_3d)


def _usage(ptx: str, capability: int) -> str:
    """Registers and spills, of the assembler that Triton brings."""
    assembler = Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        name = f"sm_{capability}a" if capability >= 90 else f"sm_{capability}"
        command = [str(assembler), "-v", "--gpu-name", name, file.name, "-o", "/dev/null"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    wanted = [line.split(":")[-1].strip() for line in text.splitlines() if "registers" in line or "spill" in line]
    return "; ".join(wanted)


if __name__ == "__main__":
    sys.exit(main())
