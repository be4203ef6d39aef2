"""What a detector finds: the scores of all actions for the proposals of a split's key frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from expander.errors import TrialError
from expander.recipe import Precision
from trainers.data.ava import Sample
from trainers.data.clips import Damaged, normalise
from trainers.data.damage import Ledger
from trainers.detection.clips import KeyFrameClip
from trainers.detection.frame_ap import PER_FRAME, Labelled
from trainers.detection.network import Detector
from trainers.precision import autocast


@torch.inference_mode()
def detect(
    model: Detector,
    clips: Iterable[KeyFrameClip | Damaged],
    samples: Sequence[Sample],
    classes: Sequence[int],
    ledger: Ledger,
    *,
    device: torch.device,
    precision: Precision = "bfloat16",
    clips_at_once: int = 8,
) -> tuple[Labelled, ...]:
    """Of each key frame its best detections, no more than the official evaluation reads.

    classes: the action id of each output. A proposal of which the clip shows nothing, or whose video is damaged, is not
    scored: what it should have found is missed. Raises DataError when too many videos are damaged, TrialError for
    outputs that are not numbers.
    """
    training = model.training
    model.eval()
    found: list[Labelled] = []
    for group in _batches(clips, ledger, clips_at_once):
        pixels = torch.stack([clip.pixels for clip in group]).to(device)
        boxes, places = flat_boxes(group, device)
        with autocast(device, precision):
            scores = model(normalise(pixels), boxes, places).float().sigmoid().cpu()
        if not scores.isfinite().all():
            raise TrialError("detection: the network's outputs are not numbers; its weights have diverged")
        rows = iter(scores.tolist())
        for clip in group:
            sample = samples[clip.index]
            own = [
                Labelled(sample.key, sample.persons[person].box, action, score)
                for person in clip.persons.tolist()
                for action, score in zip(classes, next(rows), strict=True)
            ]
            found += sorted(own, key=lambda each: -each.score)[:PER_FRAME]
    model.train(training)
    return tuple(found)


def flat_boxes(clips: Sequence[KeyFrameClip], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The boxes of all clips (R, 4), and which clip each is in (R,)."""
    places = [torch.full((len(clip.boxes),), place) for place, clip in enumerate(clips)]
    return torch.cat([clip.boxes for clip in clips]).to(device), torch.cat(places).to(device)


def _batches(clips: Iterable[KeyFrameClip | Damaged], ledger: Ledger, most: int) -> Iterator[list[KeyFrameClip]]:
    """Clips that follow each other and have one shape, up to `most` of them."""
    held: list[KeyFrameClip] = []
    for clip in clips:
        if isinstance(clip, Damaged):
            ledger.add(clip)
            continue
        if held and (len(held) == most or held[0].pixels.shape != clip.pixels.shape):
            yield held
            held = []
        held.append(clip)
    if held:
        yield held
