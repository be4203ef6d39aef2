"""RoIAlign against its definition, written out sample by sample."""

from __future__ import annotations

import math

import pytest
import torch

from trainers.detection.roi_align import roi_align, roi_align_3d

BOXES = torch.tensor(
    [
        [3.0, 4.0, 27.0, 19.0],
        [0.0, 0.0, 40.0, 24.0],  # the whole input
        [0.0, 0.0, 3.0, 3.0],  # smaller than a pixel of the features
        [36.0, 20.0, 40.0, 24.0],  # the last corner
        [-9.0, -9.0, 11.0, 50.0],  # over the border
        [60.0, 60.0, 80.0, 80.0],  # outside
    ],
    dtype=torch.float64,
)


def value(feature, y, x):
    """Bilinear value of (C, H, W) at a point: the border's up to one pixel outside, 0 beyond."""
    height, width = feature.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(len(feature), dtype=feature.dtype)
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    below, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = feature[:, top, left] * (1 - dx) + feature[:, top, right] * dx
    lower = feature[:, below, left] * (1 - dx) + feature[:, below, right] * dx
    return upper * (1 - dy) + lower * dy


def written_out(features, boxes, frames, size, scale, sampling):
    out = torch.zeros(len(boxes), features.shape[1], size, size, dtype=features.dtype)
    for number, (box, frame) in enumerate(zip(boxes.tolist(), frames.tolist(), strict=True)):
        x1, y1, x2, y2 = (each * scale - 0.5 for each in box)
        bin_y, bin_x = (y2 - y1) / size, (x2 - x1) / size
        rows = sampling or max(1, math.ceil(bin_y))
        columns = sampling or max(1, math.ceil(bin_x))
        for i in range(size):
            for j in range(size):
                for k in range(rows):
                    for m in range(columns):
                        y = y1 + bin_y * (i + (k + 0.5) / rows)
                        x = x1 + bin_x * (j + (m + 0.5) / columns)
                        out[number, :, i, j] += value(features[frame], y, x) / (rows * columns)
    return out


@pytest.mark.parametrize("sampling", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_it_is_the_mean_of_bilinear_samples_in_each_bin(sampling, size):
    torch.manual_seed(0)
    features = torch.randn(2, 3, 6, 10, dtype=torch.float64)
    frames = torch.tensor([0, 1, 0, 1, 1, 0])
    wanted = written_out(features, BOXES, frames, size, 0.25, sampling)
    found = roi_align(features, BOXES, frames, size=size, scale=0.25, sampling=sampling)
    assert (found - wanted).abs().max() < 1e-12
    assert wanted[:5].abs().sum() > 0


def test_a_box_over_whole_pixels_gives_back_these_pixels():
    features = torch.arange(48.0).view(1, 1, 6, 8)
    cut = roi_align(features, torch.tensor([[8.0, 4.0, 20.0, 16.0]]), torch.tensor([0]), size=3, scale=0.25)
    assert torch.equal(cut[0, 0], features[0, 0, 1:4, 2:5])


def test_a_3d_roi_is_the_box_cut_out_of_each_frame_by_itself():
    torch.manual_seed(0)
    features = torch.randn(2, 3, 4, 6, 10, dtype=torch.float64)
    clips = torch.tensor([1, 0, 1, 0, 0, 1])
    cut = roi_align_3d(features, BOXES, clips, size=3, scale=0.25)
    assert cut.shape == (6, 3, 4, 3, 3)
    for frame in range(4):
        alone = roi_align(features[:, :, frame], BOXES, clips, size=3, scale=0.25)
        assert torch.equal(cut[:, :, frame], alone)


@pytest.mark.parametrize("sampling", [0, 2])
def test_its_gradient_is_that_of_its_values(sampling):
    torch.manual_seed(0)
    features = torch.randn(2, 2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    boxes, clips = BOXES[[0, 4]] / 3, torch.tensor([0, 1])
    assert torch.autograd.gradcheck(
        lambda x: roi_align_3d(x, boxes, clips, size=2, scale=0.25, sampling=sampling), features
    )


def test_no_box_gives_an_empty_batch():
    features = torch.randn(1, 3, 2, 6, 10)
    assert roi_align_3d(features, torch.empty(0, 4), torch.empty(0, dtype=torch.long), size=7, scale=0.25).shape == (
        0, 3, 2, 7, 7,
    )  # fmt: skip
