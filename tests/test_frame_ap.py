"""AVA's frame mAP, by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from trainers.detection.frame_ap import Labelled, average_precision, frame_mean_ap, iou

LEFT, RIGHT = (0.0, 0.0, 0.4, 1.0), (0.6, 0.0, 1.0, 1.0)
FRAME, NEXT = ("film", 902), ("film", 903)


def found(key, box, score, action=1):
    return Labelled(key, box, action, score)


def test_the_overlap_of_boxes_is_shared_over_covered_area():
    boxes = np.array([[0, 0, 2, 2], [0, 0, 0, 2.0]])
    others = np.array([[1, 0, 3, 2], [0, 0, 2, 2], [5, 5, 6, 6], [0, 0, 0, 2.0]])
    assert iou(boxes, others).tolist() == [[pytest.approx(1 / 3), 1, 0, 0], [0, 0, 0, 0]]


def test_precision_is_made_monotone_before_it_is_averaged():
    # Precision at the hits is 1/2 and 2/3: over the first half of recall the better one, which comes later, counts.
    assert average_precision([False, True, True], 2) == pytest.approx(2 / 3)
    assert average_precision([True, False, True], 2) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision([True, False, True], 4) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert average_precision([], 4) == 0


def test_a_second_detection_of_a_box_is_wrong_and_a_missed_box_costs_recall():
    truth = [Labelled(FRAME, LEFT, 1), Labelled(FRAME, RIGHT, 1)]
    detections = [found(FRAME, LEFT, 0.9), found(FRAME, LEFT, 0.8), found(FRAME, RIGHT, 0.7)]
    assert frame_mean_ap(truth, detections, [1]).mean == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert frame_mean_ap(truth, detections[:2], [1]).mean == pytest.approx(0.5)


def test_a_detection_does_not_fall_back_on_a_box_that_it_overlaps_less():
    near, nearer = (0.0, 0.0, 1.0, 0.8), (0.0, 0.0, 1.0, 0.9)
    truth = [Labelled(FRAME, near, 1), Labelled(FRAME, nearer, 1)]
    detections = [found(FRAME, nearer, 0.9), found(FRAME, (0.0, 0.0, 1.0, 0.91), 0.8)]
    assert frame_mean_ap(truth, detections, [1]).mean == pytest.approx(0.5)


def test_an_overlap_of_exactly_a_half_is_enough():
    truth = [Labelled(FRAME, (0.0, 0.0, 1.0, 1.0), 1)]
    assert frame_mean_ap(truth, [found(FRAME, (0.0, 0.0, 0.5, 1.0), 0.9)], [1]).mean == 1
    assert frame_mean_ap(truth, [found(FRAME, (0.0, 0.0, 0.49, 1.0), 0.9)], [1]).mean == 0


def test_a_box_counts_in_its_own_key_frame_and_class_only():
    truth = [Labelled(FRAME, LEFT, 1), Labelled(NEXT, RIGHT, 2)]
    assert frame_mean_ap(truth, [found(NEXT, LEFT, 0.9), found(FRAME, LEFT, 0.8)], [1]).mean == pytest.approx(0.5)
    assert frame_mean_ap(truth, [found(FRAME, LEFT, 0.9, action=2)], [1, 2]).mean == 0


def test_classes_without_ground_truth_and_those_not_in_the_label_map_are_left_out():
    truth = [Labelled(FRAME, LEFT, 1), Labelled(FRAME, LEFT, 7)]
    score = frame_mean_ap(truth, [found(FRAME, LEFT, 0.9), found(FRAME, LEFT, 0.9, action=3)], [1, 3])
    assert (score.mean, dict(score.by_class), score.boxes) == (1, {1: 1}, 1)
    assert math.isnan(frame_mean_ap([], [found(FRAME, LEFT, 0.9)], [1]).mean)


def test_excluded_key_frames_count_neither_as_ground_truth_nor_as_detections():
    truth = [Labelled(FRAME, LEFT, 1), Labelled(NEXT, LEFT, 1)]
    detections = [found(NEXT, RIGHT, 0.9), found(FRAME, LEFT, 0.8)]
    assert frame_mean_ap(truth, detections, [1], [NEXT]).mean == 1
    assert frame_mean_ap(truth, detections, [1]).mean == pytest.approx(0.25)


def test_the_mean_is_over_classes_not_over_boxes():
    truth = [Labelled(FRAME, LEFT, 1), Labelled(FRAME, RIGHT, 1), Labelled(FRAME, RIGHT, 2)]
    detections = [found(FRAME, LEFT, 0.9), found(FRAME, RIGHT, 0.9)]
    score = frame_mean_ap(truth, detections, [1, 2])
    assert score.mean == pytest.approx(0.5)
    assert score.by_class == {1: 1.0, 2: 0.0}


def test_of_a_key_frame_only_the_best_fifty_detections_of_all_classes_count():
    truth = [Labelled(FRAME, LEFT, 1), Labelled(FRAME, RIGHT, 2)]
    better = [found(FRAME, LEFT, 0.9, action=3)] * 49
    detections = [*better, found(FRAME, LEFT, 0.5), found(FRAME, RIGHT, 0.4, action=2)]
    assert frame_mean_ap(truth, detections, [1, 2, 3]).by_class == {1: 1.0, 2: 0.0}
    assert frame_mean_ap(truth, detections, [1, 2, 3], per_frame=None).by_class == {1: 1.0, 2: 1.0}
    # Classes that are not in the label map take no place.
    assert frame_mean_ap(truth, detections, [1, 2]).by_class == {1: 1.0, 2: 1.0}


def some_boxes(seed):
    """Ground truth of ten key frames, and detections near to it and anywhere, all with scores of their own."""
    draw = random.Random(seed)
    truth, detections = [], []
    scores = iter(draw.sample(range(1, 100_000), 1_000))

    def detect(key, box, action):
        rounded = tuple(round(min(1.0, max(0.0, place)), 4) for place in box)
        detections.append(Labelled(key, rounded, action, next(scores) / 100_000))

    def anywhere():
        x, y = draw.uniform(0, 0.5), draw.uniform(0, 0.5)
        return tuple(round(place, 3) for place in (x, y, x + draw.uniform(0.1, 0.45), y + draw.uniform(0.1, 0.45)))

    for key in ((video, second) for video in "ab" for second in range(1, 6)):
        for _ in range(draw.randint(0, 4)):
            box = anywhere()
            truth += [Labelled(key, box, action) for action in draw.sample(range(1, 5), draw.randint(1, 3))]
            for _ in range(draw.randint(0, 3)):
                near = [place + draw.uniform(-0.04, 0.04) for place in box]
                for action in draw.sample(range(1, 5), draw.randint(1, 4)):
                    detect(key, near, action)
        for _ in range(draw.randint(0, 2)):
            detect(key, anywhere(), draw.randint(1, 4))
    return truth, detections


# From the copy of the official evaluation in MMAction2 1.2.0, given these boxes as csv.
@pytest.mark.parametrize(
    ("seed", "expected"), [(0, 0.367402204607), (1, 0.357046695588), (2, 0.363136574074), (3, 0.375072813216)]
)
def test_it_is_what_an_established_implementation_gives(seed, expected):
    truth, detections = some_boxes(seed)
    assert frame_mean_ap(truth, detections, range(1, 5), per_frame=None).mean == pytest.approx(expected, abs=1e-12)
