"""One step of a search, from the videos to the decision, against PyTorchVideo: `make bench`. A table and JSON.

Ours is what a user types: `expander data prepare` and `expander search --steps 1`, timed from the start of the first to
the end of the second. The rival (rival.py) trains the same networks one after the other on the same videos, with as
many clips, steps of SGD and views. Both take the whole machine, one after the other.

The videos are 10 s of 340 x 256 pixels at 30 frames a second, in H.264 as ffmpeg writes it (x264 medium, crf 23, a key
frame every 250): of real ones in ../shared/data/actions where that is there, else synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml
from numpy.typing import NDArray

from results import tables
from results.store import open_store
from trainers.data.manifest import ManifestSource
from trainers.data.synthetic import write_videos
from trainers.processor import cpu_name

ACTIONS = Path(__file__).parents[2] / "shared/data/actions"
WIDTH, HEIGHT, RATE, SECONDS = 340, 256, 30, 10
X264 = {"preset": "medium", "crf": "23", "g": "250", "threads": "1"}
CLASSES = 6
TARGET, WAITED_TARGET = 4.0, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20, metavar="N")
    parser.add_argument("--train", type=int, default=8, metavar="N", help="training videos of a class")
    parser.add_argument("--val", type=int, default=4, metavar="N", help="validation videos of a class")
    parser.add_argument("--rounds", type=int, default=1, metavar="N")
    parser.add_argument("--dispatchers", nargs="*", choices=("ray", "inline"), default=["ray", "inline"])
    parser.add_argument("--quick", action="store_true", help="two epochs of few videos, to see that it works")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.train, options.val = 2, 2, 1
    print(f"{cpu_name()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifests = videos(folder / "videos", options.train, options.val)
        space = folder / "step.yaml"
        space.write_text(yaml.safe_dump(searched(options.epochs)))
        rounds = []
        for number in range(options.rounds):
            found = {"PyTorchVideo": theirs(space, *manifests)}
            for dispatcher in options.dispatchers:
                found[dispatcher] = ours(folder / f"{number}-{dispatcher}", space, *manifests, dispatcher)
            check_work(found)
            rounds.append(found)
    show(rounds)
    Path(__file__).with_suffix(".json").write_text(json.dumps(rounds, indent=2) + "\n")
    if not options.quick:
        check_learning(rounds)


def searched(epochs: int) -> dict[str, Any]:
    """The first step of the paper's search, from X2D, with a recipe for a few videos."""
    return {
        "basis": {"classes": CLASSES},
        "limits": {"crop": 160},
        "recipe": {
            "epochs": epochs,
            "batch": 8,
            "reference_batch": 8,
            "base_rate": 0.05,
            "warmup": 0.1,
            "batchnorm_group": 8,
        },
        "regularisation": [],
        "views": {"clips": 3},
        "resources": {"cpus": 1, "loader_workers": 1},
    }


# The videos.


def videos(folder: Path, train: int, val: int) -> tuple[Path, Path]:
    """Write them, and a manifest each of the two sets."""
    began = time.perf_counter()
    manifests = sources(folder)
    written = []
    with ProcessPoolExecutor() as pool:
        for manifest, count in zip(manifests, (train, val), strict=True):
            read = ManifestSource(manifest.resolve()).read().videos
            chosen = [
                video for label in range(CLASSES) for video in spread([v for v in read if v.label == label], count)
            ]
            out = folder / manifest.stem
            out.mkdir(parents=True)
            paths = [out / f"{number}-{video.path.stem}.mp4" for number, video in enumerate(chosen)]
            list(pool.map(enlarge, [video.path for video in chosen], paths))
            listed = folder / f"{manifest.stem}-10s.csv"
            listed.write_text(
                "".join(
                    f"{path.relative_to(folder)} {video.label}\n" for path, video in zip(paths, chosen, strict=True)
                )
            )
            written.append((listed, paths))
    paths = list(chain(*(each for _, each in written)))
    rate = sum(path.stat().st_size for path in paths) * 8 / SECONDS / len(paths) / 1e3
    origin = "../shared/data/actions" if ACTIONS.is_dir() else "synthetic ones"
    seconds = time.perf_counter() - began
    print(f"{len(paths)} videos of {origin}, {rate:.0f} kb/s, written in {seconds:.0f} s", flush=True)
    return written[0][0], written[1][0]


def sources(folder: Path) -> tuple[Path, Path]:
    if ACTIONS.is_dir():
        return ACTIONS / "train.csv", ACTIONS / "val.csv"
    return write_videos(folder / "synthetic")


def spread(found: list[Any], count: int) -> list[Any]:
    """`count` of them, evenly."""
    return [found[place * len(found) // count] for place in range(count)]


def enlarge(source: Path, out: Path) -> None:
    """A video scaled to WIDTH x HEIGHT and shown to and fro until it lasts SECONDS."""
    with av.open(str(source)) as container:
        frames = [
            frame.reformat(WIDTH, HEIGHT, format="yuv420p").to_ndarray()
            for frame in islice(container.decode(video=0), RATE * SECONDS)
        ]
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.options = WIDTH, HEIGHT, "yuv420p", X264
        for picture in islice(to_and_fro(frames), RATE * SECONDS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())


def to_and_fro(frames: list[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    return chain.from_iterable(repeat(frames + frames[-2:0:-1]))


# The two ways.


def ours(folder: Path, space: Path, train: Path, val: Path, dispatcher: str) -> dict[str, Any]:
    """Prepare the videos and take the step, by the commands."""
    folder.mkdir()
    began = time.perf_counter()
    prepared = folder / "prepared"
    run("data", "prepare", train, val, "--out", prepared, "--space", space)
    between = time.perf_counter()
    url = f"sqlite:///{folder / 'store.db'}"
    manifests = ["--train", prepared / train.name, "--val", prepared / val.name]
    given = ["--store", url, "--runs", folder / "runs", "--steps", 1, "--dispatcher", dispatcher]
    run("search", space, "--name", "step", *manifests, *given)
    ended = time.perf_counter()
    with closing(open_store(url)) as store:
        search = store.search("step")
        trials = [trial for trial in tables.trials(search).values() if trial.completed]
        epochs = [epoch for trial in trials for epoch in trial.epochs]
        (decision,) = search.decisions()
        views = search.record_of.space.views.clips
    spent = sum(epoch.seconds for epoch in epochs)
    return {
        "seconds": ended - began,
        "prepare_seconds": between - began,
        "search_seconds": ended - between,
        "trainings": len(trials),
        "clips": sum(round(epoch.seconds * (epoch.clips_per_second or 0)) for epoch in epochs),
        "views": sum(views * trial.completed.metrics.videos for trial in trials if trial.completed),
        "waited": sum(epoch.seconds * (epoch.waited or 0) for epoch in epochs) / spent,
        "training_seconds": spent,
        "trial_seconds": sum(trial.completed.seconds for trial in trials if trial.completed),
        "top1": [trial.completed.metrics.top1 for trial in trials if trial.completed],
        "kept": decision.axis.value,
    }


def run(*arguments: object) -> None:
    command = [str(Path(sys.executable).parent / "expander"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")


def theirs(space: Path, train: Path, val: Path) -> dict[str, Any]:
    """The same trainings by PyTorchVideo, in one process."""
    command = [sys.executable, str(Path(__file__).with_name("rival.py")), str(space), str(train), str(val)]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - began
    trained = [json.loads(line) for line in done.stdout.splitlines()]
    spent = sum(each["training_seconds"] for each in trained)
    return {
        "seconds": seconds,
        "search_seconds": seconds,
        "trainings": len(trained),
        "clips": sum(each["clips"] for each in trained),
        "views": sum(each["views"] for each in trained),
        "waited": sum(each["waited"] * each["training_seconds"] for each in trained) / spent,
        "training_seconds": spent,
        "trial_seconds": sum(each["seconds"] for each in trained),
        "top1": [each["top1"] for each in trained],
    }


def check_work(found: dict[str, dict[str, Any]]) -> None:
    """Raise where they have not done the same work."""
    work = {who: (each["trainings"], each["clips"], each["views"]) for who, each in found.items()}
    if len(set(work.values())) != 1:
        raise RuntimeError(f"trainings, clips and views differ: {work}")


def check_learning(rounds: list[dict[str, dict[str, Any]]]) -> None:
    """Raise where one has learned nothing: then its time is that of something else."""
    for who in rounds[0]:
        scores = [top1 for found in rounds for top1 in found[who]["top1"]]
        if statistics.mean(scores) < 1.5 / CLASSES:
            raise RuntimeError(f"{who} has learned nothing: top-1 {scores} of {CLASSES} classes")


def show(rounds: list[dict[str, dict[str, Any]]]) -> None:
    first = rounds[0]["PyTorchVideo"]
    print(f"{first['trainings']} trainings, {first['clips']} clips, {first['views']} views")
    columns = f"{'seconds':>8} {'prepare':>8} {'search':>8} {'ratio':>6} {'target':>6} {'of search':>9}"
    print(f"{'':14} {columns} {'waited':>7} {'top-1':>6}")
    for who in rounds[0]:
        took, prepared, search, waited = (
            statistics.median(found[who].get(key, 0.0) for found in rounds)
            for key in ("seconds", "prepare_seconds", "search_seconds", "waited")
        )
        whole, alone = (
            statistics.median(found["PyTorchVideo"][key] / found[who][key] for found in rounds)
            for key in ("seconds", "search_seconds")
        )
        top1 = statistics.mean(top1 for found in rounds for top1 in found[who]["top1"])
        rival = who == "PyTorchVideo"
        print(
            f"{who if rival else f'ours, {who}':14} {took:8.1f} {prepared:8.1f} {search:8.1f} {whole:6.2f}"
            f" {'' if rival else f'{TARGET:.1f}':>6} {alone:9.2f} {100 * waited:6.1f}% {100 * top1:5.1f}%"
        )
    print("of search: the ratio without preparing the videos, which is done once for all steps of all searches")
    print(f"waited: share of the training that waits for clips, target under {100 * WAITED_TARGET:.0f}% for ours")


if __name__ == "__main__":
    main()
