"""How fast training clips are read before and after `expander data prepare`: `make bench`. A table, and JSON beside it.

Of synthetic videos made here, or of others: `python benchmarks/prepared.py MANIFEST [--side N] [--videos N]`.
One process reads; before and after take turns, clip by clip, on the same videos at the same times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from expander.axis import Factors
from expander.geometry import Basis, Geometry, realise
from expander.recipe import Recipe
from trainers.data.clips import Damaged, TrainingClips
from trainers.data.encode import Settings
from trainers.data.manifest import Manifest, ManifestSource
from trainers.data.prepare import Finished, Predicted, prepare
from trainers.data.prepared import Made
from trainers.data.synthetic import write_videos

# X2D's clip of one frame, X3D-S's of 13.
CLIPS = {"1 frame, crop 112": (1, None, 112), "13 frames of stride 6, crop 160": (13, 6, 160)}
FORMS = {
    "frames": {"form": "frames"},
    "raw": {"form": "raw"},
    "video, key frame every 12": {"form": "video", "keyframes": 12},
    "video, all key frames": {"form": "video", "keyframes": 1},
}
# The first epoch makes the indexes of the videos.
EPOCHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?")
    parser.add_argument("--side", type=int, default=256, metavar="N")
    parser.add_argument("--videos", type=int, default=60, metavar="N", help="at most, evenly spread")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = options.manifest or write_videos(Path(folder) / "synthetic", train_per_class=8, val_per_class=1)[0]
        read = ManifestSource(manifest.resolve()).read()
        step = -(-len(read.videos) // options.videos)
        found = [
            row
            for name, form in FORMS.items()
            for row in measured(
                replace(read, videos=read.videos[::step]), Path(folder) / name, name, Settings(options.side, **form)
            )
        ]
    print(f"{len(read.videos[::step])} videos of {manifest}, shorter side {options.side} at most")
    print(f"{'':62} {'before':>9} {'after':>9} {'ratio':>6}")
    for row in found:
        print(f"{row['what']:62} {row['before']:9.1f} {row['after']:9.1f} {row['ratio']:6.2f} {row['unit']}")
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")


def measured(manifest: Manifest, out: Path, name: str, settings: Settings) -> list[dict[str, object]]:
    """Rows of the table for one form of copies."""
    events = list(prepare(out, [manifest], settings, workers=1))
    finished = events[-1]
    assert isinstance(finished, Finished)
    copies = ManifestSource(finished.manifests[0]).read()
    rows = [speeds(manifest, copies, what, clip) | {"what": f"{what}, {name}"} for what, clip in CLIPS.items()]
    size, copied = (sum(getattr(made, key) for made in finished.made) / 1e6 for key in ("size", "bytes"))
    rows.append({"what": f"size, {name}", "before": size, "after": copied, "ratio": copied / size, "unit": "MB"})
    predicted = [event for event in events if isinstance(event, Predicted)]
    if predicted:
        made = [event for event in events if isinstance(event, Made)]
        real, told = sum(each.bytes for each in made[predicted[0].sample :]) / 1e6, predicted[0].bytes / 1e6
        what = f"size after the sample, told and real, {name}"
        rows.append({"what": what, "before": told, "after": real, "ratio": told / real, "unit": "MB"})
    return rows


def speeds(manifest: Manifest, copies: Manifest, what: str, clip: tuple[int, int | None, int]) -> dict[str, object]:
    """Clips a second of the originals and of the copies, and the median of the ratios of the pairs."""
    frames, stride, crop = clip
    geometry: Geometry = replace(realise(Factors(), Basis()), frames=frames, stride=stride, crop=crop)
    sets = [TrainingClips(each, geometry, Recipe(), seed=0) for each in (manifest, copies)]
    seconds: list[tuple[float, float]] = []
    for epoch in range(EPOCHS):
        for place in range(len(manifest.videos)):
            took = []
            for each in sets:
                began = time.perf_counter()
                assert not isinstance(each[epoch, place], Damaged), what
                took.append(time.perf_counter() - began)
            if epoch:
                seconds.append((took[0], took[1]))
    before, after = (len(seconds) / sum(times) for times in zip(*seconds, strict=True))
    ratio = statistics.median(first / second for first, second in seconds)
    return {"before": before, "after": after, "ratio": ratio, "unit": "clips/s"}


if __name__ == "__main__":
    main()
