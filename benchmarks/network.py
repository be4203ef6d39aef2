"""Our X3D against PyTorchVideo's `create_x3d`: `make bench`, or `python benchmarks/network.py [X2D XS S M]`.

The same weights and batch in float32 on the CPU. The rivals are live processes, one each, and take turns step by
step, so that a busy machine slows all of them alike; a ratio is the median of the ratios of the pairs. Before they are
timed, the logits and gradients of each are compared with PyTorchVideo's network in float64. A table, and JSON beside
it. "folded" is what PyTorch's own operators can do in inference: our network without its kernels, BN folded.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.nn.functional as F
from peer import NETWORKS, names, ours, pytorchvideo
from torch import Tensor, nn

from expander.geometry import Basis, Geometry, realise
from trainers.allocator import keep_freed_memory
from trainers.measure import peak_on_cpu
from trainers.networks.fold import fold_batchnorm
from trainers.networks.kernels.library import VARIABLE
from trainers.processor import cpu_name

# Clips of a batch, in training and in inference.
CLIPS = {"X2D": (8, 8), "XS": (8, 8), "S": (4, 8), "M": (2, 4)}
TARGETS = {"X2D": (2, 2.3), "XS": (3.2, 5), "S": (4, 8), "M": (3.5, 7.8)}
FOLDED = "folded"
RIVALS = {
    True: ("PyTorchVideo", "PyTorchVideo tuned", "ours"),
    False: ("PyTorchVideo", "PyTorchVideo tuned", FOLDED, "ours"),
}
# Of the rivals some are compared with float64, which takes as long as many steps.
CHECKED = ("PyTorchVideo", "ours")
# Each in turn; fewer of those that take seconds.
ROUNDS = {"X2D": 21, "XS": 9, "S": 5, "M": 5}
# The first steps build oneDNN's kernels and fill the allocator.
WARM_UP = 2
# Seconds before a turn. OpenMP's threads wait for more work in a loop, for milliseconds after a step: on the cores of
# whoever is next.
PAUSE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=list(NETWORKS), help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, metavar="N", help=f"by default {ROUNDS}")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--unchecked", action="store_true", help="leave out the comparison with float64")
    options = parser.parse_args()
    print(f"{cpu_name()}, torch {torch.__version__}, {options.threads} threads")
    print(f"{'':34} {'clips/s':>8} {'ratio':>6} {'iqr':>11} {'target':>6} {'memory':>7} {'logits':>8} {'gradients':>9}")
    found = []
    for name in options.networks:
        for training in (True, False):
            rows = compared(name, training, options.rounds or ROUNDS[name], options.threads, not options.unchecked)
            found += rows
            for row in rows:
                print(_line(row), flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")


def compared(name: str, training: bool, rounds: int, threads: int, check: bool) -> list[dict[str, object]]:
    """A row of the table for each rival."""
    context = get_context("spawn")
    pipes, processes = [], []
    for rival in RIVALS[training]:
        near, far = context.Pipe()
        process = context.Process(target=serve, args=(far, rival, name, training, threads), daemon=True)
        process.start()
        far.close()
        pipes.append(near)
        processes.append(process)
    try:
        facts = [
            _ask(pipe, "check" if check and rival in CHECKED else "memory")
            for pipe, rival in zip(pipes, RIVALS[training], strict=True)
        ]
        for _ in range(WARM_UP):
            for pipe in pipes:
                _ask(pipe, "step")
        times = [[_ask(pipe, "step") for pipe in pipes] for _ in range(rounds)]
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.close()
            process.join()
    clips = CLIPS[name][not training]
    what = f"{name}, {'training' if training else 'inference'}, batch {clips}"
    rows: list[dict[str, object]] = []
    for number, rival in enumerate(RIVALS[training]):
        ratios = sorted(took[0] / took[number] for took in times)
        quarter = len(ratios) // 4
        rows.append(
            {"what": what, "rival": rival, "threads": threads, "rounds": rounds, **facts[number]}
            | {"clips_per_second": clips / statistics.median(took[number] for took in times)}
            | {"ratio": statistics.median(ratios), "ratio_quartiles": [ratios[quarter], ratios[-1 - quarter]]}
            | {"target": TARGETS[name][not training] if rival == "ours" else None}
            | {"memory_ratio": facts[number]["memory"] / facts[0]["memory"]}
        )
    return rows


def _ask(pipe: Connection, question: str) -> dict[str, float] | float:
    time.sleep(PAUSE)
    pipe.send(question)
    return pipe.recv()


def _line(row: dict[str, object]) -> str:
    low, high = row["ratio_quartiles"]
    target = f"{row['target']:6.1f}" if row["target"] else " " * 6
    errors = "".join(f" {row[key]:8.1e}" if row.get(key) is not None else " " * 9 for key in ("logits", "gradients"))
    what = f"{row['what']}: {row['rival'].replace('PyTorchVideo', 'PTV')}"
    speed = f"{row['clips_per_second']:8.2f} {row['ratio']:6.2f} {low:5.2f}-{high:5.2f}"
    return f"{what:34} {speed} {target} {row['memory_ratio']:7.2f}{errors}"


def serve(pipe: Connection, rival: str, name: str, training: bool, threads: int) -> None:
    """The process of one rival: takes steps as it is asked to, and tells how many seconds each took."""
    torch.set_num_threads(threads)
    if rival == FOLDED:
        os.environ[VARIABLE] = "off"
    if rival != "PyTorchVideo":
        keep_freed_memory()
    geometry = realise(NETWORKS[name], Basis())
    model = _model(rival, geometry).train(training)
    clips = _clips(name, CLIPS[name][not training])
    if rival == "PyTorchVideo tuned":
        model, clips = model.to(memory_format=torch.channels_last_3d), _channels_last(clips)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)

    def step() -> float:
        began = time.perf_counter()
        if training:
            _gradients(model, clips)
            optimizer.step()
            optimizer.zero_grad()
        else:
            with torch.inference_mode():
                model(clips)
        return time.perf_counter() - began

    warnings.simplefilter("ignore")
    for question in _questions(pipe):
        match question:
            case "step":
                pipe.send(step())
            case "memory":
                pipe.send(_memory(step))
            case "check":
                pipe.send(_memory(step) | _errors(rival, model, name, geometry, training))


def _questions(pipe: Connection) -> Iterator[str]:
    """Until the other end is closed."""
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return


def _memory(step: Callable[[], float]) -> dict[str, float]:
    step()
    return {"memory": peak_on_cpu(step)}


def _errors(rival: str, model: nn.Module, name: str, geometry: Geometry, training: bool) -> dict[str, float]:
    """Relative L2 distances of the logits and of all gradients to PyTorchVideo's network in float64."""
    clips = _clips(name, CLIPS[name][not training])
    reference = pytorchvideo(geometry).train(training).double()
    if not training:
        with torch.no_grad():
            return {"logits": _distance([model(clips)], [reference(clips.double())])}
    found, wanted = _gradients(model, clips), _gradients(reference, clips.double())
    theirs = [reference.get_parameter(key) for key in names(geometry)]
    known = names(geometry).values() if rival == "ours" else names(geometry)
    own = [model.get_parameter(key) for key in known]
    pairs = [[parameter.grad for parameter in of if parameter.grad is not None] for of in (own, theirs)]
    errors = {"logits": _distance([found], [wanted]), "gradients": _distance(*pairs)}
    for parameter in model.parameters():
        parameter.grad = None
    return errors


def _distance(found: list[Tensor], wanted: list[Tensor]) -> float:
    apart = [
        ours.detach().double().flatten() - theirs.detach().flatten() for ours, theirs in zip(found, wanted, strict=True)
    ]
    return (torch.cat(apart).norm() / torch.cat([each.detach().flatten() for each in wanted]).norm()).item()


def _gradients(model: nn.Module, clips: Tensor) -> Tensor:
    logits = model(clips)
    labels = torch.arange(len(clips)) * 7 % logits.shape[1]
    F.cross_entropy(logits, labels).backward()
    return logits.detach()


def _clips(name: str, count: int) -> Tensor:
    geometry = realise(NETWORKS[name], Basis())
    shape = (count, 3, geometry.frames, geometry.crop, geometry.crop)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _channels_last(clips: Tensor) -> Tensor:
    return clips.contiguous(memory_format=torch.channels_last_3d)


def _model(rival: str, geometry: Geometry) -> nn.Module:
    theirs = pytorchvideo(geometry)
    if rival == FOLDED:
        return fold_batchnorm(ours(theirs, geometry))
    return ours(theirs, geometry) if rival == "ours" else theirs


if __name__ == "__main__":
    main()
