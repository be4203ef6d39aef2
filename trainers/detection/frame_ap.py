"""Frame mAP as AVA's official evaluation gives it: PASCAL's average precision over the boxes of all key frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# A key frame: name of the video and the second in it.
KeyFrame = tuple[str, int]
Box = tuple[float, float, float, float]

# Of all classes together; the official evaluation reads no more of a key frame than its best 50.
PER_FRAME = 50


@dataclass(frozen=True, slots=True)
class Labelled:
    """A box (x1, y1, x2, y2, each a share of the frame) of one action in a key frame. score: of a detection."""

    key: KeyFrame
    box: Box
    action: int
    score: float = 1.0


@dataclass(frozen=True)
class FrameMeanAP:
    """mean: over the classes that have ground truth, nan where none has. by_class: average precision by action id."""

    mean: float
    by_class: Mapping[int, float]
    boxes: int
    detections: int


def frame_mean_ap(
    truth: Iterable[Labelled],
    detections: Iterable[Labelled],
    classes: Collection[int],
    excluded: Collection[KeyFrame] = (),
    *,
    threshold: float = 0.5,
    per_frame: int | None = PER_FRAME,
) -> FrameMeanAP:
    """Frame mAP over the `classes` of the label map, without `excluded` key frames.

    A detection is right where, of the ground truth of its class in its key frame, the box that it overlaps most has an
    IoU of at least `threshold` and no better detection has taken it. Classes without ground truth are left out.
    per_frame: how many detections of a key frame count, the best of all classes; None counts all.
    """
    wanted, left_out = frozenset(classes), frozenset(excluded)
    true_boxes = _by_class(truth, wanted, left_out)
    found = _best(_by_class(detections, wanted, left_out), per_frame)
    by_class = {
        action: _class_ap(true_boxes[action], found.get(action, []), threshold) for action in sorted(true_boxes)
    }
    mean = float(np.mean(list(by_class.values()))) if by_class else float("nan")
    return FrameMeanAP(mean, by_class, *(sum(map(len, group.values())) for group in (true_boxes, found)))


def iou(boxes: Array, others: Array) -> Array:
    """Intersection over union of (N, 4) and (M, 4) boxes as x1, y1, x2, y2 -> (N, M); 0 for boxes without area."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    own, other = (np.clip(each[:, 2:] - each[:, :2], 0, None).prod(1) for each in (boxes, others))
    union = own[:, None] + other[None] - shared
    overlap: Array = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def average_precision(right: Sequence[bool], positives: int) -> float:
    """Area under precision over recall, precision made to fall monotonously; `right` by falling score."""
    hits = np.cumsum(np.asarray(right, dtype=np.float64))
    precision = np.concatenate([[0.0], hits / np.arange(1, len(hits) + 1), [0.0]])
    recall = np.concatenate([[0.0], hits / positives, [1.0]])
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * falling[1:]))


def _by_class(
    boxes: Iterable[Labelled], wanted: frozenset[int], left_out: frozenset[KeyFrame]
) -> dict[int, list[Labelled]]:
    grouped: dict[int, list[Labelled]] = defaultdict(list)
    for each in boxes:
        if each.action in wanted and each.key not in left_out:
            grouped[each.action].append(each)
    return grouped


def _best(by_class: dict[int, list[Labelled]], per_frame: int | None) -> dict[int, list[Labelled]]:
    """The best `per_frame` of each key frame."""
    counts: dict[KeyFrame, int] = defaultdict(int)
    kept: dict[int, list[Labelled]] = defaultdict(list)
    for each in sorted((each for group in by_class.values() for each in group), key=lambda found: -found.score):
        counts[each.key] += 1
        if per_frame is None or counts[each.key] <= per_frame:
            kept[each.action].append(each)
    return kept


def _class_ap(truth: Sequence[Labelled], detections: Sequence[Labelled], threshold: float) -> float:
    in_frame: dict[KeyFrame, list[Box]] = defaultdict(list)
    for each in truth:
        in_frame[each.key].append(each.box)
    frames = {key: np.asarray(boxes, dtype=np.float64) for key, boxes in in_frame.items()}
    taken = {key: np.zeros(len(boxes), dtype=bool) for key, boxes in frames.items()}
    right = []
    for each in sorted(detections, key=lambda detection: -detection.score):
        boxes = frames.get(each.key)
        if boxes is None:
            right.append(False)
            continue
        overlaps = iou(np.asarray([each.box], dtype=np.float64), boxes)[0]
        best = int(overlaps.argmax())
        right.append(bool(overlaps[best] >= threshold and not taken[each.key][best]))
        taken[each.key][best] |= right[-1]
    return average_precision(right, len(truth))
