"""The pointwise convolution, one thread, GFLOP/s: ours beside PyTorch's matrix product (MKL) and convolution (oneDNN).

For each shape of a network's pointwise convolutions of stride 1, most work first, by the least CPU time of many calls,
which other processes change least. Weights and inputs are warm in the cache, more than within a network.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable

import torch
import torch.nn.functional as F
from peer import NETWORKS

from expander.geometry import Basis, realise
from trainers.networks.layers import plain_paths
from trainers.networks.paths import compiled
from trainers.networks.pointwise import PointwiseConv3d
from trainers.networks.x3d import X3D
from trainers.processor import cpu_name

# (positions, channels, output channels)
Shape = tuple[int, int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=["X2D", "XS"], help=", ".join(NETWORKS))
    parser.add_argument("--clips", type=int, default=2, metavar="N", help="of a batch; 2 by default")
    parser.add_argument("--seconds", type=float, default=0.1, metavar="S", help="of each number; 0.1 by default")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{cpu_name()}, torch {torch.__version__}; ours, MKL[, oneDNN]")
    print(f"{'':24} {'times':>5} {'forward':>20} {'its gradient':>15} {'weight gradient':>15}")
    for name in options.networks:
        for shape, times in _shapes(name, options.clips):
            speeds = _speeds(shape, options.seconds)
            print(f"{name:4} {shape[0]:8} {shape[1]:4} -> {shape[2]:<3} {times:5}", *(_line(each) for each in speeds))


def _shapes(name: str, clips: int) -> list[tuple[Shape, int]]:
    """Each with the number of layers that have it."""
    geometry, found = realise(NETWORKS[name], Basis()), Counter[Shape]()
    model = X3D(geometry).eval()

    def note(layer: torch.nn.Module, inputs: tuple[torch.Tensor], out: torch.Tensor) -> None:
        if layer.stride[1] == 1 and layer.bias is None:
            found[clips * out[0, 0].numel(), inputs[0].shape[1], out.shape[1]] += 1

    for layer in model.modules():
        if isinstance(layer, PointwiseConv3d):
            layer.register_forward_hook(note)
    with plain_paths(model), torch.no_grad():
        model(torch.zeros(1, 3, geometry.frames, geometry.crop, geometry.crop))
    return sorted(found.items(), key=lambda item: -item[0][0] * item[0][1] * item[0][2] * item[1])


def _speeds(shape: Shape, seconds: float) -> list[list[float]]:
    """GFLOP/s forwards, and of the input's and of the weight's gradient."""
    positions, channels, out_channels = shape
    kernels = compiled()
    if kernels is None:
        raise SystemExit("there are no compiled kernels here; a line of the log above says why")
    x, weight, gradient = (torch.randn(size) for size in ((positions, channels), shape[:0:-1], (positions, shape[2])))
    of = [each.view(1, positions, 1, 1, -1).permute(0, 4, 1, 2, 3) for each in (x, gradient)]
    five, image = weight.view(*weight.shape, 1, 1, 1), x.view(1, positions, 1, channels).permute(0, 3, 1, 2)
    four, out, for_x, for_weight = weight.view(*weight.shape, 1, 1), gradient.clone(), x.clone(), weight.clone()
    calls: list[list[Callable[[], object]]] = [
        [
            lambda: kernels.project(of[0], five),
            lambda: torch.mm(x, weight.t(), out=out),
            lambda: F.conv2d(image, four),
        ],
        [lambda: kernels.project_input_gradient(of[1], five), lambda: torch.mm(gradient, weight, out=for_x)],
        [
            lambda: kernels.project_weight_gradient(of[1], of[0], five),
            lambda: torch.mm(gradient.t(), x, out=for_weight),
        ],
    ]
    flops = 2 * positions * channels * out_channels
    with torch.inference_mode():
        return [[flops / _least(call, seconds) for call in row] for row in calls]


def _least(call: Callable[[], object], seconds: float) -> int:
    """CPU nanoseconds."""
    call()
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end or len(found) < 3:
        began = time.process_time_ns()
        call()
        found.append(time.process_time_ns() - began)
    return min(found)


def _line(speeds: list[float]) -> str:
    return " ".join(f"{speed:6.1f}" for speed in speeds).rjust(15)


if __name__ == "__main__":
    main()
