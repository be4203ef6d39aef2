"""A small set of real H.264 videos to try a search on: `python -m trainers.data.synthetic FOLDER`.

Four classes show the same kind of clouds and differ in motion alone: rising and falling, growing and shrinking. Of each
pair one is the other played backwards, and a frame's position and scale are distributed alike in all four, so that a
single frame tells nothing of them. Stripes and dots are told from a single frame; they drift in any direction.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from expander.files import write_whole

CLASSES = ("rising", "falling", "growing", "shrinking", "stripes", "dots")
# With a change to what is drawn, sets of before are made anew.
VERSION = 1
MARKER = "synthetic.json"
# Widths and heights in pixels; even, for yuv420p.
SIZES = ((64, 48), (72, 54), (80, 60), (80, 64))
# A key frame every 12, two B-frames between others. One thread for the processes beside this one; no look-ahead, which
# at these sizes does not give the same bytes each time.
X264: dict[str, object] = {
    "preset": "veryfast",
    "crf": "20",
    "g": "12",
    "bf": "2",
    "threads": "1",
    "x264-params": "b-adapt=0:rc-lookahead=0:mbtree=0:scenecut=0",
}

# Clouds are noise of this wave length, in pixels at scale 1. At 2 frames with stride 4 they drift by less than half of
# it, so that the direction is plain, and never repeat, so that it is so at longer strides too.
WAVE = 18.0
SPEED = (0.9, 1.6)  # pixels of the clouds a frame
SCALES = (0.75, 1.8)  # shown pixels of one pixel of the clouds
# Wave lengths of the other two, in shown pixels, and their angles, in degrees.
WAVES = {"stripes": (9.0, 12.0), "dots": (14.0, 18.0)}
ANGLES = {"stripes": (0.0, 20.0), "dots": (0.0, 45.0)}
CANVAS = 192  # pixels each way: the tallest picture at the smallest scale, and the longest way

_Pixels = NDArray[np.floating]


def write_videos(
    folder: Path, *, train_per_class: int = 32, val_per_class: int = 16, seed: int = 0
) -> tuple[Path, Path]:
    """Write the videos, train.csv, val.csv (`path label` lines) and classes.txt; returns the two manifests.

    Does nothing where the folder already holds the set of these arguments. The same arguments give the same videos.
    """
    made = {"version": VERSION, "train_per_class": train_per_class, "val_per_class": val_per_class, "seed": seed}
    manifests = folder / "train.csv", folder / "val.csv"
    if _complete(folder, made):
        return manifests
    (folder / MARKER).unlink(missing_ok=True)
    for split, count in enumerate((train_per_class, val_per_class)):
        lines = [
            _write_video(
                folder, manifests[split].stem, name, number, np.random.default_rng((seed, split, label, number))
            )
            + f" {label}\n"
            for number in range(count)
            for label, name in enumerate(CLASSES)
        ]
        write_whole(manifests[split], "".join(lines).encode())
    write_whole(folder / "classes.txt", ("\n".join(CLASSES) + "\n").encode())
    write_whole(folder / MARKER, json.dumps(made).encode())  # last: what it marks, videos too, is complete
    return manifests


def draw(name: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """The frames of one video of class `name`: uint8 (T, H, W, 3), 25 or 30 frames a second (both look alike)."""
    if name in ("falling", "shrinking"):
        return draw({"falling": "rising", "shrinking": "growing"}[name], random)[::-1]
    frames = int(random.integers(32, 41))
    width, height = SIZES[random.integers(len(SIZES))]
    pictures: Callable[[int, int, int, np.random.Generator], _Pixels]
    pictures = _clouds_rising if name == "rising" else _clouds_growing if name == "growing" else _lattice(name)
    return _coloured(pictures(frames, height, width, random), random)


def _clouds_rising(frames: int, height: int, width: int, random: np.random.Generator) -> _Pixels:
    scale = np.full(frames, np.exp(random.uniform(*np.log(SCALES))))
    return _clouds(np.arange(frames) * random.uniform(*SPEED), scale, height, width, random)


def _clouds_growing(frames: int, height: int, width: int, random: np.random.Generator) -> _Pixels:
    scale = np.geomspace(*SCALES, frames)
    return _clouds(np.zeros(frames), scale, height, width, random)


def _clouds(way: _Pixels, scale: _Pixels, height: int, width: int, random: np.random.Generator) -> _Pixels:
    """(T, H, W) in about [-1, 1]: noise seen through a window that has gone `way` pixels down, magnified by `scale`."""
    spectrum = np.fft.rfft2(random.standard_normal((CANVAS, CANVAS)))
    frequency = np.hypot(np.fft.fftfreq(CANVAS)[:, None], np.fft.rfftfreq(CANVAS)[None])
    noise = np.fft.irfft2(spectrum * np.exp(-((frequency * WAVE) ** 2)), s=(CANVAS, CANVAS))
    noise = np.tanh(2 * noise / noise.std())
    top, left = random.uniform(0, CANVAS, 2)
    rows = top + way[:, None] + (np.arange(height) - height / 2) / scale[:, None]
    columns = left + (np.arange(width) - width / 2) / scale[:, None]
    # Row by row, then column by column; not as products of matrices, whose threads are slower than this.
    strips = _seen(noise, rows)  # (T, H, CANVAS)
    return _seen(strips.transpose(0, 2, 1), columns).transpose(0, 2, 1)


def _seen(canvas: _Pixels, places: _Pixels) -> _Pixels:
    """(T, N, ...): rows of the canvas (CANVAS, ...) or (T, CANVAS, ...), which goes round, at places (T, N)."""
    below = np.floor(places).astype(np.int64)
    share = (places - below)[..., None]
    time = () if canvas.ndim == 2 else (np.arange(len(places))[:, None],)
    near, far = (canvas[(*time, rows % CANVAS)] for rows in (below, below + 1))
    seen: _Pixels = near + share * (far - near)
    return seen


def _lattice(name: str) -> Callable[[int, int, int, np.random.Generator], _Pixels]:
    """Waves along one direction (stripes) or the peaks of two together (dots), drifting anywhere."""

    def pictures(frames: int, height: int, width: int, random: np.random.Generator) -> _Pixels:
        angle = random.choice((-1, 1)) * np.radians(random.uniform(*ANGLES[name]))
        drift = random.uniform(0, 2 * np.pi)
        wave = random.uniform(*WAVES[name])
        way = np.arange(frames) * random.uniform(0, SPEED[1]) + random.uniform(0, CANVAS)
        y = np.arange(height)[None, :, None] + (np.sin(drift) * way)[:, None, None]
        x = np.arange(width)[None, None, :] + (np.cos(drift) * way)[:, None, None]
        across = np.sin(2 * np.pi / wave * (np.cos(angle) * y - np.sin(angle) * x))
        along = np.sin(2 * np.pi / wave * (np.cos(angle) * x + np.sin(angle) * y))
        waves: _Pixels = np.tanh(3 * (across if name == "stripes" else across + along - 1))
        return waves

    return pictures


def _coloured(pictures: _Pixels, random: np.random.Generator) -> NDArray[np.uint8]:
    """Between a dark colour and a bright one, with noise."""
    dark = random.uniform(20, 60) + random.uniform(-15, 15, 3)
    bright = random.uniform(170, 220) + random.uniform(-25, 25, 3)
    pixels = dark + (1 + pictures[..., None]) / 2 * (bright - dark) + random.normal(0, 6, (*pictures.shape, 1))
    clipped: NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return clipped


def _write_video(folder: Path, split: str, name: str, number: int, random: np.random.Generator) -> str:
    """Encode one video with B-frames and a key frame every 12; returns its path below `folder`."""
    path = f"{split}/{name}_{number:03d}.mp4"
    (folder / split).mkdir(parents=True, exist_ok=True)
    rate = int(random.choice((25, 30)))
    pixels = draw(name, random)
    with av.open(str(folder / path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = X264
        for picture in pixels:
            # With swscale's own number of threads, not every run would give the same pixels.
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", threads=1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _complete(folder: Path, made: dict[str, int]) -> bool:
    try:
        if json.loads((folder / MARKER).read_text(encoding="utf-8")) != made:
            return False
        lines = [line for split in ("train.csv", "val.csv") for line in (folder / split).read_text().splitlines()]
    except (OSError, ValueError):
        return False
    return all((folder / line.rsplit(maxsplit=1)[0]).is_file() for line in lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--train-per-class", type=int, default=32, metavar="N")
    parser.add_argument("--val-per-class", type=int, default=16, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args()
    for manifest in write_videos(
        options.folder, train_per_class=options.train_per_class, val_per_class=options.val_per_class, seed=options.seed
    ):
        print(manifest)


if __name__ == "__main__":
    main()
