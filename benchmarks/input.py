"""How fast training clips are read, beside PyTorchVideo and bare decoding: `make bench`. A table, and JSON beside it.

    python benchmarks/input.py [--rounds N] [--case NAME] [--data FOLDER]

The videos are made here: ten seconds at 30 frames a second by x264 (medium, crf 23, a key frame every 250), of real
footage where FOLDER holds some (../shared/data/actions), with noise: 0.36 Mbit/s at 340 x 256, 1.52 at 1280 x 720.
One process on one core. Everybody reads the same clips in turn: one of each video, one after the other as a loader
does, then the next reader. Ratios are medians over the clips.

"ours" has read each video before, as in all epochs but the first, and knows where its packets lie; "first time" has
not, as in the first epoch and wherever a process reads more videos than it keeps the indexes of (4,096).

The rival is PyTorchVideo 0.1.5: EncodedVideo with PyAV, closed after use, no sound, a clip just as long as its last
frame needs; uniform_temporal_subsample and short_side_scale of its transforms, loaded without the package around them,
which imports torchvision; what its Normalize, RandomCrop and RandomHorizontalFlip do, in the torch calls that these
make. It hands over float32 (C, T, H, W), normalised; we hand over uint8 (T, H, W, C), which the device normalises: what
that takes on this CPU is a row of its own. torchcodec and decord, where they are installed, decode for our transforms.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation

from expander.axis import Factors, round_half_up
from expander.geometry import Basis, Geometry, realise
from expander.recipe import Recipe
from trainers.data.clips import MEAN, STD, Clip, TrainingClips, clip_frames, normalise, random_start
from trainers.data.decode import VideoReader
from trainers.data.encode import FORMS, Settings
from trainers.data.manifest import Manifest, Video
from trainers.data.prepare import Finished, prepare
from trainers.data.synthetic import CLASSES, draw
from trainers.data.video_index import VideoIndex

FOOTAGE = Path(__file__).parents[2] / "shared" / "data" / "actions"
SECONDS, RATE = 10, 30
# Standard deviation of a pixel's noise.
NOISE = {"340x256": 3.0, "1280x720": 2.0}
COUNT = {"340x256": 4, "1280x720": 2}


@dataclass(frozen=True)
class Case:
    """One kind of clip. side: of the prepared copies, what its largest crop needs."""

    name: str
    size: str
    frames: int
    stride: int | None
    crop: int

    @property
    def geometry(self) -> Geometry:
        basis = realise(Factors(), Basis())
        return replace(basis, frames=self.frames, stride=self.stride, crop=self.crop)

    @property
    def side(self) -> int:
        return round_half_up(Recipe().scale_jitter[1] * self.crop)


CASES = (
    Case("1 frame, 340x256", "340x256", 1, None, 112),
    Case("4 frames, 340x256", "340x256", 4, 12, 160),
    Case("13 frames, 340x256", "340x256", 13, 6, 160),
    Case("13 frames, 1280x720", "1280x720", 13, 6, 160),
)


@dataclass(frozen=True)
class Draw:
    """What chance says of one clip, as TrainingClips draws it from seed, epoch and place."""

    numbers: tuple[int, ...]
    start: float
    end: float
    side: int
    top: float
    left: float
    mirror: bool

    @staticmethod
    def of(index: VideoIndex, case: Case, key: tuple[int, int, int]) -> Draw:
        start, jitter, top, left, mirror = np.random.default_rng(key).random(5)
        low, high = Recipe().scale_jitter
        begin = random_start(index, case.geometry, start)
        numbers = clip_frames(index, case.geometry, begin)
        end = float(index.times[numbers[-1]]) + index.spacing / 2
        side = max(case.crop, round_half_up((low + jitter * (high - low)) * case.crop))
        return Draw(tuple(numbers.tolist()), begin - index.spacing / 4, end, side, top, left, mirror < 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="clips of each video")
    parser.add_argument("--case", default="", help="only those whose name begins so")
    parser.add_argument("--data", type=Path, default=FOOTAGE, metavar="FOLDER")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    cases = [case for case in CASES if case.name.startswith(options.case)]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in dict.fromkeys(case.size for case in cases):
            videos = [
                _video(Path(folder) / f"{size}-{number}.mp4", size, number, options.data)
                for number in range(COUNT[size])
            ]
            bits = sum(path.stat().st_size for path in videos) * 8 / SECONDS / len(videos)
            print(f"{len(videos)} videos of {size}, {bits / 1e6:.2f} Mbit/s", file=sys.stderr)
            for case in (case for case in cases if case.size == size):
                rows = measured(case, videos, Path(folder) / case.name, options.rounds)
                _print(case, rows)
                found += rows
    Path(__file__).with_suffix(".json").write_text(json.dumps({**_machine(), "rows": found}, indent=2) + "\n")


Reader = Callable[[int, int], Any]


def measured(case: Case, videos: Sequence[Path], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """A row for each who reads the clips of one case."""
    indexes = []
    for path in videos:
        with VideoReader(path) as reader:
            indexes.append(reader.index)

    def drawn(place: int, epoch: int) -> Draw:
        return Draw.of(indexes[place], case, (0, epoch, place))

    manifest = Manifest(Path("bench"), tuple(Video(path, 0) for path in videos), ("0",))
    readers: dict[str, Reader] = {
        "PyTorchVideo, PyAV": lambda place, epoch: rival(videos[place], case, drawn(place, epoch)),
        "ours": _ours(manifest, case),
        "ours, first time": lambda place, epoch: _ours(manifest, case)(place, epoch),
    }
    for form in FORMS:
        copies = _prepared(manifest, Settings(case.side, form=form), folder / form)
        readers[f"ours, prepared as {form}"] = _ours(copies, case)
    readers |= {
        name: lambda place, epoch, read=read: ready(read(videos[place], drawn(place, epoch)), case, drawn(place, epoch))
        for name, read in _others()
    }
    floors = [Floor(path) for path in videos]
    readers["decoding alone"] = lambda place, epoch: floors[place].decode(drawn(place, epoch).numbers)
    clips = [readers["ours"](place, 0).pixels for place in range(len(videos))]
    readers["normalising alone"] = lambda place, epoch: normalise(clips[place])
    _check(readers, case, videos, drawn)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for epoch in range(rounds):
        for name, read in readers.items():
            for place in range(len(videos)):
                began = time.perf_counter(), time.process_time()
                read(place, epoch)
                ended = time.perf_counter(), time.process_time()
                times[name].append((ended[0] - began[0], ended[1] - began[1]))
    return list(_rows(case, times))


def _rows(case: Case, times: dict[str, list[tuple[float, float]]]) -> Iterator[dict[str, Any]]:
    theirs, floor = times["PyTorchVideo, PyAV"], times["decoding alone"]
    for name, took in times.items():
        wall, cpu = (statistics.median(each) for each in zip(*took, strict=True))
        ratios = [[r[kind] / t[kind] for r, t in zip(theirs, took, strict=True)] for kind in (0, 1)]
        over = statistics.median(t[1] / f[1] for t, f in zip(took, floor, strict=True))
        yield {
            "case": case.name,
            "who": name,
            "wall_ms": wall * 1e3,
            "cpu_ms": cpu * 1e3,
            "ratio_wall": statistics.median(ratios[0]),
            "ratio_cpu": statistics.median(ratios[1]),
            "of_decoding": over,
        }


def rival(path: Path, case: Case, drawn: Draw) -> torch.Tensor:
    """The clip as PyTorchVideo reads it: float32 (C, T, S, S)."""
    video = _ptv("pytorchvideo.data.encoded_video").EncodedVideo.from_path(str(path), decode_audio=False)
    clip = video.get_clip(drawn.start, drawn.end)["video"]
    video.close()
    functional = _transforms()
    clip = functional.uniform_temporal_subsample(clip, case.frames)
    clip = (clip / 255 - MEAN) / STD
    clip = functional.short_side_scale(clip, drawn.side)
    y, x = (int(at * (size - case.crop + 1)) for at, size in zip((drawn.top, drawn.left), clip.shape[2:], strict=True))
    clip = clip[..., y : y + case.crop, x : x + case.crop]
    return clip.flip(-1) if drawn.mirror else clip.contiguous()


def ready(frames: torch.Tensor, case: Case, drawn: Draw) -> torch.Tensor:
    """The transforms that we do, on what another decoder hands over: uint8 (T, H, W, 3) whole frames."""
    height, width = frames.shape[1:3]
    share = min(height, width) / drawn.side
    box = min(height, width, round(case.crop * share))
    y, x = (int(at * (size - box + 1)) for at, size in zip((drawn.top, drawn.left), (height, width), strict=True))
    crops = frames[:, y : y + box, x : x + box].movedim(-1, 1)
    clip = torch.nn.functional.interpolate(crops, (case.crop, case.crop), mode="bilinear", antialias=True)
    return (clip.flip(-1) if drawn.mirror else clip).movedim(1, -1).contiguous()


class Floor:
    """Decodes the packets that a clip needs, which are in memory, and does nothing else."""

    def __init__(self, path: Path) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            self.packets = [(packet.pts, packet.is_keyframe, bytes(packet)) for packet in container.demux(stream)]
            self.packets = [packet for packet in self.packets if packet[2]]
            self.decoder = av.CodecContext.create("h264", "r")
            self.decoder.extradata = stream.codec_context.extradata
        self.decoder.thread_count, self.decoder.thread_type = 1, "NONE"
        self.stamps = sorted(pts for pts, _, _ in self.packets)
        self.kept = [any(unit & 0x60 for unit in _units(content)) for _, _, content in self.packets]

    def decode(self, numbers: Sequence[int]) -> int:
        self.decoder.flush_buffers()
        wanted = {self.stamps[number] for number in numbers}
        last = max(place for place, packet in enumerate(self.packets) if packet[0] in wanted)
        start = self.stamps[numbers[0]]
        first = max(place for place, (pts, key, _) in enumerate(self.packets) if key and pts <= start)
        count = 0
        for place in range(first, last + 1):
            pts, _, content = self.packets[place]
            if pts in wanted or self.kept[place]:
                count += len(self.decoder.decode(av.Packet(content)))
        return count + len(self.decoder.decode(None))


def _units(content: bytes) -> Iterator[int]:
    """The headers of slices in a packet of MP4."""
    place = 0
    while place < len(content):
        if content[place + 4] & 0x1F in (1, 5):
            yield content[place + 4]
        place += 4 + int.from_bytes(content[place : place + 4], "big")


def _ours(manifest: Manifest, case: Case) -> Reader:
    clips = TrainingClips(manifest, case.geometry, Recipe(), seed=0)

    def read(place: int, epoch: int) -> Clip:
        clip = clips[epoch, place]
        assert isinstance(clip, Clip), clip
        return clip

    return read


def _prepared(manifest: Manifest, settings: Settings, folder: Path) -> Manifest:
    *_, finished = prepare(folder, [manifest], settings, workers=1)
    assert isinstance(finished, Finished)
    assert {made.state for made in finished.made} == {"prepared"}, finished
    videos = (
        replace(video, path=folder / made.video) for video, made in zip(manifest.videos, finished.made, strict=True)
    )
    return replace(manifest, videos=tuple(videos))


def _others() -> Iterator[tuple[str, Callable[[Path, Draw], torch.Tensor]]]:
    """Other decoders, as far as they are installed: whole frames, uint8 (T, H, W, 3)."""
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError):
        pass
    else:

        def torchcodec(path: Path, drawn: Draw) -> torch.Tensor:
            decoder = VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="approximate")
            frames: torch.Tensor = decoder.get_frames_at(list(drawn.numbers)).data
            return frames

        yield "torchcodec", torchcodec
    try:
        import decord
    except (ImportError, OSError):
        return

    def decord_(path: Path, drawn: Draw) -> torch.Tensor:
        return torch.from_numpy(decord.VideoReader(str(path), num_threads=1).get_batch(drawn.numbers).asnumpy())

    yield "decord", decord_


def _check(readers: dict[str, Reader], case: Case, videos: Sequence[Path], drawn: Callable[[int, int], Draw]) -> None:
    """All clips show the same: the frames of a full decode to the last bit, the crops within a pixel's shift."""
    for place, path in enumerate(videos):
        with av.open(str(path)) as container:
            whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        numbers = drawn(place, 0).numbers
        with VideoReader(path) as reader:
            for number, frame in reader.frames(numbers):
                assert (frame.to_ndarray(format="rgb24") == whole[number]).all(), (path, number)
        expected = readers["PyTorchVideo, PyAV"](place, 0).movedim(0, -1) * STD + MEAN
        for name, read in readers.items():
            if name.endswith("alone"):
                continue
            clip = read(place, 0)
            clip = clip.pixels if isinstance(clip, Clip) else clip
            pixels = clip / 255 if clip.dtype == torch.uint8 else clip.movedim(0, -1) * STD + MEAN
            away = (pixels - expected).abs().mean().item() * 255
            spread = (expected - expected.roll(1, 2)).abs().mean().item() * 255 + 2
            assert away < spread, (
                f"{case.name}, {name}: {away:.2f} of 255 away from the rival's clip; {spread:.2f} is a pixel"
            )


def _video(path: Path, size: str, number: int, footage: Path) -> Path:
    """Make one video."""
    width, height = map(int, size.split("x"))
    chance = np.random.default_rng(number)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "medium", "crf": "23", "g": "250", "threads": "2"}
        for stamp, picture in enumerate(_footage(number, footage)):
            scaled = picture.reformat(width, height, "yuv420p", interpolation=Interpolation.BICUBIC, threads=1)
            planes = scaled.to_ndarray().astype(np.float32)
            planes[:height] += chance.normal(0, NOISE[size], (height, width)).astype(np.float32)
            noisy = av.VideoFrame.from_ndarray(planes.clip(0, 255).astype(np.uint8), format="yuv420p")
            noisy.pts, noisy.time_base = stamp, Fraction(1, RATE)
            container.mux(stream.encode(noisy))
        container.mux(stream.encode())
    return path


def _footage(number: int, folder: Path) -> Iterator[av.VideoFrame]:
    """Ten seconds of pictures, of one clip after the other."""
    left = SECONDS * RATE
    sources = sorted(folder.glob("videos/*/*.mp4"))
    while left > 0:
        number += 1
        if sources:
            with av.open(str(sources[number * 7919 % len(sources)])) as container:
                pictures = list(container.decode(video=0))[:left]
        else:
            drawn = draw(CLASSES[number % len(CLASSES)], np.random.default_rng(number))[:left]
            pictures = [av.VideoFrame.from_ndarray(np.ascontiguousarray(each), format="rgb24") for each in drawn]
        left -= len(pictures)
        yield from pictures


def _ptv(name: str) -> ModuleType:
    """A module of PyTorchVideo, which imports a function of torchvision's that reading videos does not call."""
    for missing in ("torchvision", "torchvision.datasets", "torchvision.datasets.folder"):
        sys.modules.setdefault(missing, ModuleType(missing)).make_dataset = None  # type: ignore[attr-defined]
    return importlib.import_module(name)


def _transforms() -> ModuleType:
    """pytorchvideo/transforms/functional.py, without its package, which imports what torchvision has not any more."""
    if "ptv_functional" not in sys.modules:
        found = importlib.util.find_spec("pytorchvideo")
        assert found is not None
        assert found.submodule_search_locations
        path = Path(found.submodule_search_locations[0]) / "transforms" / "functional.py"
        spec = importlib.util.spec_from_file_location("ptv_functional", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["ptv_functional"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["ptv_functional"]


def _machine() -> dict[str, Any]:
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "av": av.__version__,
    }


def _print(case: Case, rows: Sequence[dict[str, Any]]) -> None:
    heads = ("wall ms", "CPU ms", "rival/it", "by CPU", "of decoding")
    keys = ("wall_ms", "cpu_ms", "ratio_wall", "ratio_cpu", "of_decoding")
    print(f"\n{case.name:32}" + "".join(f"{head:>12}" for head in heads))
    for row in rows:
        print(f"  {row['who']:30}" + "".join(f"{row[key]:12.2f}" for key in keys), flush=True)


if __name__ == "__main__":
    main()
