"""Our X3D on a GPU against PyTorchVideo's: `make bench-gpu`, or `python benchmarks/gpu.py [X2D XS S M]`.

Needs torch with CUDA, which brings Triton, and NumPy; no Ray, PyAV or dataset. Made for under eight minutes, of which
most is Triton's compiler at the first run. PyTorchVideo is a rival where it can be imported; for a machine without it,
put it and what it imports into a folder, and name that in PYTHONPATH:

    pip install --target rivals --no-deps pytorchvideo==0.1.5 fvcore iopath portalocker yacs termcolor tabulate tqdm \\
        parameterized networkx pyyaml typing_extensions

Training steps in bfloat16 of the same weights and clips: PyTorchVideo with channels_last_3d, and as it comes; our
network by PyTorch's operators alone, with the Triton kernels, and with these as a CUDA graph. All take turns in one
process; a ratio is the median of the ratios of the pairs. Results are compared with the same network in float64 first.
The roofline is the time that moving a step's bytes takes at the bandwidth of a copy, measured here, with everything
fused that can be.

Then each channel-wise convolution against PyTorch's; and trials that share the GPU, by MPS where it can be started,
against one alone. A table, and gpu.json beside this file. Without a GPU it exits with code 2; `--dry-run` runs all of
it on a CPU, on a tiny network, with Triton's interpreter.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch
import torch.nn.functional as F
from peer import NETWORKS, names, ours, pytorchvideo
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from expander.geometry import Basis, Geometry, Stage, realise
from trainers.graphs import VARIABLE as GRAPHS
from trainers.graphs import Graphs, graphs_for
from trainers.networks import paths
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.kernels.library import VARIABLE
from trainers.networks.x3d import X3D

# A training step against PyTorchVideo with channels_last_3d; its share of the roofline; trials that share a GPU.
TARGETS = {"XS": 3.0, "S": 3.0, "M": 3.0}
ROOFLINE_TARGET, SHARING_TARGET, TRIALS = 0.5, 2.5, 6
CLIPS = 8
BASE = "PyTorchVideo"
TINY = Geometry(1, 1, 8, (Stage(1, 4, 9, 8),), classes=3, head_width=5, stem_kernel=5)
# Relative L2 distance of the logits from float64, and a tenth of that of all gradients: of float32 without TF32, and of
# bfloat16.
EXACT, ROUNDED = 1e-4, 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=list(NETWORKS), help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=20, metavar="N")
    parser.add_argument("--clips", type=int, default=CLIPS, metavar="N", help="of a batch")
    parser.add_argument("--dry-run", action="store_true", help="on a CPU, by Triton's interpreter, a tiny network")
    options = parser.parse_args()
    if not options.dry_run and not torch.cuda.is_available():
        print("PyTorch finds no GPU: nothing is measured. `--dry-run` runs the program on a CPU.", file=sys.stderr)
        return 2
    device = torch.device("cpu" if options.dry_run else "cuda")
    if options.dry_run:
        os.environ["TRITON_INTERPRET"] = "1"
        options.rounds, options.clips, options.networks = 1, 2, ["tiny"]
        _interpreted()
    os.environ.setdefault(GRAPHS, "on")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    found = measured(options.networks, options.rounds, options.clips, device)
    file = Path(__file__).with_name("gpu-dry-run.json" if options.dry_run else "gpu.json")
    file.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def measured(networks: Sequence[str], rounds: int, clips: int, device: torch.device) -> dict[str, object]:
    """Everything, told as it is found."""
    began = time.monotonic()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, for a trial of this program alone"
    bytes_per_second = bandwidth(device)
    print(f"{name}, torch {torch.__version__}; a copy moves {bytes_per_second / 1e9:,.0f} GB/s")
    found: dict[str, object] = {"device": name, "torch": torch.__version__, "bytes_per_second": bytes_per_second}
    columns = f"{'ms':>8} {'clips/s':>9} {'ratio':>6} {'iqr':>11} {'launches':>8} {'roofline':>8}"
    print(f"\n{'training step, bfloat16':44} {columns}")
    rows = []
    for each in networks:
        for row in compared(each, rounds, clips, device, bytes_per_second):
            rows.append(row)
            print(_line(row), flush=True)
    found["steps"] = rows
    print(
        f"\n{'channel-wise convolution, both gradients':44} {'ours ms':>8} {'PyTorch':>9} {'ratio':>6} {'% copy':>11}"
    )
    found["convolutions"] = [row for each in networks for row in convolutions(each, clips, device, bytes_per_second)]
    found["sharing"] = sharing(device, clips)
    found["seconds"] = time.monotonic() - began
    print(f"\n{found['seconds']:.0f} s in all")
    return found


def bandwidth(device: torch.device) -> float:
    """Bytes that a copy reads and writes in a second."""
    size = 2**30 if device.type == "cuda" else 2**22
    source, target = (torch.zeros(size, dtype=torch.uint8, device=device) for _ in range(2))
    times = [seconds(lambda: target.copy_(source), device) for _ in range(12)]
    return 2 * size / statistics.median(times[2:])


def fused_bytes(geometry: Geometry, clips: int, each: int = 2) -> int:
    """That a training step must move where every kernel does all that can be done with what it has read.

    A BN's statistics are of the whole tensor, so what it normalises is written and read again, forwards by what follows
    it and backwards too; its affine part, the activations, SE's factors and the sums are computed on the way. Of each
    convolution the input is read once for each of both gradients.
    """
    frames, size = geometry.frames, -(-geometry.crop // 2)
    width = geometry.stages[0].width
    # Stem: the clip, the output of each of its convolutions, written and read; and both gradients.
    image, stem = 3 * frames * geometry.crop**2, width * frames * size**2
    moved = (image + 4 * stem) + (image + 8 * stem)
    for stage in geometry.stages:
        for number in range(stage.blocks):
            smaller = -(-size // 2) if number == 0 else size
            x, inner = width * frames * size**2, stage.inner_width * frames * size**2
            then, out = stage.inner_width * frames * smaller**2, stage.width * frames * smaller**2
            shortcut = 0 if number else 2 * out + width * frames * smaller**2
            residual = 0 if number == 0 else x
            moved += x + 2 * inner + 2 * then + 3 * out + residual + shortcut
            moved += 3 * x + 7 * inner + 7 * then + 8 * out + (3 * shortcut if number == 0 else 0)
            size, width = smaller, stage.width
    head = geometry.stages[-1].inner_width * frames * size**2
    return clips * each * (moved + 7 * head)


def compared(
    name: str, rounds: int, clips: int, device: torch.device, bytes_per_second: float
) -> Iterator[dict[str, object]]:
    """A row for each way to compute a network's training step."""
    geometry = _geometry(name)
    batch = torch.randn(
        clips, 3, geometry.frames, geometry.crop, geometry.crop, generator=torch.Generator().manual_seed(1)
    )
    labels = (torch.arange(clips) * 7 % geometry.classes).to(device)
    theirs, model = _models(name, geometry)
    model, batch = model.to(device).train(), batch.to(device)
    last = batch.contiguous(memory_format=torch.channels_last_3d)
    errors = checked(model, theirs, geometry, last, labels, device)
    steps: dict[str, Callable[[], object]] = {}
    if theirs is not None:
        theirs = theirs.to(device).train()
        tuned = copy.deepcopy(theirs).to(memory_format=torch.channels_last_3d)
        steps[BASE] = _step(tuned, last, labels, device)
        steps[f"{BASE}, contiguous"] = _step(theirs, batch, labels, device)
    steps["ours, PyTorch's operators"] = _without_kernels(_step(copy.deepcopy(model), last, labels, device))
    steps["ours"] = _step(copy.deepcopy(model), last, labels, device)
    steps["ours, CUDA graph"] = _step(model, last, labels, device, graphs_for(device))
    for _ in range(3 if device.type == "cuda" else 1):
        for step in steps.values():
            step()
    times = [{key: seconds(step, device) for key, step in steps.items()} for _ in range(rounds)]
    ceiling = fused_bytes(geometry, clips) / bytes_per_second
    base = next(iter(steps))
    for key, step in steps.items():
        ratios = sorted(each[base] / each[key] for each in times)
        took = statistics.median(each[key] for each in times)
        yield {
            "network": name,
            "way": key,
            "clips": clips,
            "seconds": took,
            "ratio_to": base,
            "ratio": statistics.median(ratios),
            "ratio_quartiles": [ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]],
            "target": TARGETS.get(name) if key.endswith("graph") and base == BASE else None,
            "launches": launches(step, device),
            "roofline": ceiling / took,
            "roofline_target": ROOFLINE_TARGET,
            "fused_bytes": fused_bytes(geometry, clips),
            **(errors if key == "ours" else {}),
        }


def checked(
    model: nn.Module, theirs: nn.Module | None, geometry: Geometry, batch: Tensor, labels: Tensor, device: torch.device
) -> dict[str, float]:
    """Distances of our network from float64, in both types. Raises SystemExit where they are too large."""
    found = {}
    parameters = [key for key, _ in model.named_parameters()]
    exact = copy.deepcopy(theirs if theirs is not None else model).to(device).train().double()
    known = {mine: other for other, mine in names(geometry).items()} if theirs is not None else {}
    with _stock():
        wanted = _outcome(exact, batch.double(), labels, [known.get(key, key) for key in parameters], device, None)
    for dtype, bound in ((None, EXACT), (torch.bfloat16, ROUNDED)):
        ours_now = copy.deepcopy(model)
        apart = _outcome(ours_now, batch, labels, parameters, device, dtype)
        for what, one, other in zip(("logits", "gradients"), apart, wanted, strict=True):
            distance = ((one.double() - other).norm() / other.norm()).item()
            found[f"{what}, {dtype or torch.float32}"] = distance
            if not distance < bound * (1 if what == "logits" else 10):
                raise SystemExit(
                    f"{what} in {dtype or torch.float32} are {distance:.1e} from float64: nothing is timed"
                )
    return found


def convolutions(name: str, clips: int, device: torch.device, bytes_per_second: float) -> Iterator[dict[str, object]]:
    """Each channel-wise convolution of a network with both gradients: ours, and PyTorch's in both layouts."""
    geometry, done = _geometry(name), set()
    frames, size, width = geometry.frames, -(-geometry.crop // 2), geometry.stages[0].width
    shapes = [(width, size, 1, (geometry.stem_kernel, 1, 1))]
    for stage in geometry.stages:
        for number in range(stage.blocks):
            shapes.append((stage.inner_width, size, 1 if number else 2, (3, 3, 3)))
            size = size if number else -(-size // 2)
    for channels, size, stride, kernel in shapes:
        if (channels, size, stride) in done:
            continue
        done.add((channels, size, stride))
        conv = ChannelwiseConv3d(channels, kernel, stride).to(device)
        x = torch.randn(clips, channels, frames, size, size, device=device)
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        x = x.to(dtype).contiguous(memory_format=torch.channels_last_3d)
        gradient = torch.randn_like(conv(x))

        def run(x: Tensor, conv: nn.Module = conv, gradient: Tensor = gradient) -> Callable[[], object]:
            leaf = x.detach().requires_grad_()
            return lambda: torch.autograd.grad(conv(leaf), [leaf, *conv.parameters()], gradient)

        took = _median(run(x), device)
        with _stock():
            low = conv if dtype == torch.float32 else copy.deepcopy(conv).to(dtype)
            stock = {
                "channels_last": _median(run(x, low), device),
                "contiguous": _median(run(x.contiguous(), low), device),
            }
        moved = dtype.itemsize * (3 * x.numel() + 3 * gradient.numel())
        row = {
            "network": name,
            "shape": list(x.shape),
            "kernel": list(kernel),
            "stride": stride,
            "seconds": took,
            **{f"seconds_of_pytorch_{key}": value for key, value in stock.items()},
            "of_copy": moved / took / bytes_per_second,
        }
        what = f"{name}: {'x'.join(map(str, x.shape))}, stride {stride}"
        best = min(stock.values())
        print(
            f"{what:44} {1e3 * took:8.3f} {1e3 * best:9.3f} {best / took:6.2f} {100 * row['of_copy']:10.0f}%",
            flush=True,
        )
        yield row


def sharing(device: torch.device, clips: int) -> dict[str, object]:
    """Clips per second of six small trials that share a GPU, and of one alone, which is what six in turn have."""
    trials, lasting = (TRIALS, 6.0) if device.type == "cuda" else (1, 0.0)
    with _mps(device) as served:
        alone = sum(_together(1, clips, lasting, device))
        shared = sum(_together(trials, clips, lasting, device))
    ratio = shared / alone
    means = "MPS" if served else "time slices, without MPS"
    print(
        f"\n{trials} X2D-sized trials on one GPU ({means}): {shared:,.0f} clips/s; one after the other: {alone:,.0f}; "
        f"{ratio:.2f} x (target {SHARING_TARGET})"
    )
    return {"trials": trials, "mps": served, "shared": shared, "alone": alone, "ratio": ratio, "target": SHARING_TARGET}


def _together(trials: int, clips: int, lasting: float, device: torch.device) -> list[float]:
    context = get_context("spawn")
    barrier, queue = context.Barrier(trials), context.Queue()
    processes = [
        context.Process(target=_trial, args=(barrier, queue, clips, lasting, device.type), daemon=True)
        for _ in range(trials)
    ]
    for process in processes:
        process.start()
    found = [queue.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    return found


def _trial(barrier: Barrier, queue: object, clips: int, lasting: float, kind: str) -> None:
    """A training of X2D; like a trial's, each step waits for its loss."""
    if kind == "cpu":
        os.environ[VARIABLE] = "off"
    device = torch.device(kind)
    geometry = _geometry("X2D") if kind == "cuda" else TINY
    shape = (clips, 3, geometry.frames, geometry.crop, geometry.crop)
    batch = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last_3d)
    labels = torch.zeros(clips, dtype=torch.long, device=device)
    step = _step(X3D(geometry).to(device).train(), batch, labels, device, graphs_for(device))
    for _ in range(5 if kind == "cuda" else 1):
        step()
    barrier.wait(timeout=240)
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < lasting:
        step()
        steps += 1
    queue.put(steps * clips / (time.perf_counter() - began))  # type: ignore[attr-defined]


def _step(
    model: nn.Module, batch: Tensor, labels: Tensor, device: torch.device, graphs: Graphs | None = None
) -> Callable[[], object]:
    """A training step, at a rate of zero, so that the numbers stay the same."""
    graphs = graphs or Graphs(None)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-5)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(inputs[0])
        loss = F.cross_entropy(logits.float(), inputs[1])
        loss.backward()
        return [loss.detach()]

    def step() -> float:
        (loss,) = graphs.compute("step", run, [batch, labels], device)
        optimizer.step()
        optimizer.zero_grad(set_to_none=not graphs.active)
        return loss.item()

    return step


def _outcome(
    model: nn.Module,
    batch: Tensor,
    labels: Tensor,
    parameters: list[str],
    device: torch.device,
    dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor]:
    """Logits, and all gradients as one vector."""
    with torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None and device.type == "cuda"):
        logits = model(batch)
    F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), labels).backward()
    gradients = [model.get_parameter(key).grad for key in parameters]
    return logits.detach(), torch.cat([each.flatten() for each in gradients if each is not None])


@contextmanager
def _stock() -> Iterator[None]:
    """Within it PyTorch's operators compute our network."""
    before, paths.GPU = paths.GPU, "none"
    try:
        yield
    finally:
        paths.GPU = before


def _without_kernels(step: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with _stock():
            return step()

    return run


def _interpreted() -> None:
    """Let the kernels run on the CPU: one tile of each, few programs, nothing remembered of how fast they are."""
    from trainers.networks.gpu import choice, plans

    paths.GPU, plans.PROGRAMS = "cpu", 4
    choice.VARIANTS, choice.WEIGHT_VARIANTS = plans.VARIANTS[:1], plans.WEIGHT_VARIANTS[:1]
    kept = choice.Choices(None)
    choice.choices = lambda: kept


def _geometry(name: str) -> Geometry:
    return TINY if name == "tiny" else realise(NETWORKS[name], Basis())


def _models(name: str, geometry: Geometry) -> tuple[nn.Module | None, nn.Module]:
    """PyTorchVideo's where it can be imported, and ours with its weights."""
    if name == "tiny":
        torch.manual_seed(0)
        return None, X3D(geometry)
    try:
        theirs = pytorchvideo(geometry)
    except ImportError as error:
        print(f"without PyTorchVideo, as {error}: the rival is our network by PyTorch's operators", file=sys.stderr)
        torch.manual_seed(0)
        return None, X3D(geometry)
    return theirs, ours(theirs, geometry)


def launches(step: Callable[[], object], device: torch.device) -> int:
    """Kernels, copies and graphs that the host launches in a step; on a CPU, operators."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=activities) as profiler:
        step()
    calls = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cudaMemcpyAsync", "cudaMemsetAsync")
    events = profiler.events() or []
    if device.type == "cuda":
        return sum(event.name.startswith(calls) for event in events)
    return len(events)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Of one call, until the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _median(run: Callable[[], object], device: torch.device) -> float:
    """Of one of ten calls in a row, so that it is the device's time and not the launches'."""
    calls, rounds = (10, 7) if device.type == "cuda" else (1, 1)
    run()

    def several() -> None:
        for _ in range(calls):
            run()

    return statistics.median(seconds(several, device) for _ in range(rounds)) / calls


@contextmanager
def _mps(device: torch.device) -> Iterator[bool]:
    """Whether processes share the GPU by MPS within it: a server of its own, which is told to quit at the end."""
    control = shutil.which("nvidia-cuda-mps-control")
    if device.type != "cuda" or control is None:
        yield False
        return
    with tempfile.TemporaryDirectory() as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        started = (
            subprocess.run([control, "-d"], env=os.environ | own, capture_output=True, check=False).returncode == 0
        )
        before = {key: os.environ.get(key) for key in own}
        if started:
            os.environ.update(own)
        try:
            yield started
        finally:
            for key, value in before.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value
            if started:
                subprocess.run([control], input=b"quit\n", env=os.environ | own, capture_output=True, check=False)


def _line(row: dict[str, object]) -> str:
    low, high = row["ratio_quartiles"]
    what = f"{row['network']}, batch {row['clips']}: {row['way']}"
    speed = (
        f"{1e3 * row['seconds']:8.2f} {row['clips'] / row['seconds']:9,.0f} {row['ratio']:6.2f} {low:5.2f}-{high:5.2f}"
    )
    target = f"  (target {row['target']:.1f}, {100 * ROOFLINE_TARGET:.0f}%)" if row["target"] else ""
    return f"{what:44} {speed} {row['launches']:8} {100 * row['roofline']:7.1f}%{target}"


if __name__ == "__main__":
    sys.exit(main())
