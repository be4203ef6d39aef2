"""Trainings side by side with a thread each, against one after the other with all threads: `make bench`.

    python benchmarks/threads.py [X2D XS S M] [--rounds N]

Our network in float32 on the CPU, forward, backward and SGD. Both ways take turns; the ratio is the median of the
ratios of the pairs, of clips in a second of all cores. A table, and JSON beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from network import CLIPS, PAUSE, WARM_UP, serve
from peer import NETWORKS

from trainers.processor import cpu_name

# Steps of each training in a turn: half a second of X2D's, a second of the others'.
STEPS = {"X2D": 10, "XS": 2, "S": 1, "M": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=["X2D", "XS"], help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cpu_name()}, {cores} cores")
    print(f"{'':16} {'1 thread each':>14} {f'{cores} threads':>10} {'ratio':>6} {'iqr':>11}")
    found = []
    for name in options.networks:
        row = compared(name, cores, options.rounds)
        low, high = row["ratio_quartiles"]
        speeds = f"{row['side_by_side']:14.1f} {row['one_by_one']:10.1f}"
        print(f"{row['what']:16} {speeds} {row['ratio']:6.2f} {low:5.2f}-{high:5.2f}", flush=True)
        found.append(row)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")


def compared(name: str, cores: int, rounds: int) -> dict[str, object]:
    """Clips in a second of both ways, and the former over the latter."""
    context = get_context("spawn")
    pipes, processes = [], []
    for threads in [*[1] * cores, cores]:
        near, far = context.Pipe()
        process = context.Process(target=serve, args=(far, "ours", name, True, threads), daemon=True)
        process.start()
        far.close()
        pipes.append(near)
        processes.append(process)
    clips, steps = CLIPS[name][False], STEPS[name]
    try:
        for _ in range(WARM_UP):
            for pipe in pipes:
                taken([pipe], 1)
        pairs = [
            (cores * clips * steps / taken(pipes[:-1], steps), clips * steps / taken(pipes[-1:], steps))
            for _ in range(rounds)
        ]
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.close()
            process.join()
    ratios, quarter = sorted(side / alone for side, alone in pairs), rounds // 4
    return {
        "what": f"{name}, batch {clips}",
        "cores": cores,
        "rounds": rounds,
        "side_by_side": statistics.median(side for side, _ in pairs),
        "one_by_one": statistics.median(alone for _, alone in pairs),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": [ratios[quarter], ratios[-1 - quarter]],
    }


def taken(pipes: list[Connection], steps: int) -> float:
    """Seconds until all have taken so many steps, begun together."""
    time.sleep(PAUSE)
    began = time.perf_counter()
    for _ in range(steps):
        for pipe in pipes:
            pipe.send("step")
    for pipe in pipes:
        for _ in range(steps):
            pipe.recv()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
