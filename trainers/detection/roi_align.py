"""RoIAlign over video features: a box is cut out of each frame by bilinear samples on a grid (He et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor


def roi_align(features: Tensor, boxes: Tensor, frames: Tensor, *, size: int, scale: float, sampling: int = 0) -> Tensor:
    """(N, C, H, W) and R boxes -> (R, C, size, size): means of bilinear samples within each of size x size bins.

    boxes: (R, 4) as x1, y1, x2, y2 in pixels of the input. frames: (R,) which of the N each is in. scale: features'
    pixels for one of the input. sampling: samples along each side of a bin; 0 takes about one for each pixel of the
    features. Aligned: a pixel's value stands at its centre, half a pixel in. Differentiable in `features`.
    """
    corners = boxes.to(features.dtype) * scale - 0.5
    out = features.new_zeros(len(boxes), features.shape[1], size, size)
    counts = torch.stack([_samples(corners[:, axis + 2] - corners[:, axis], size, sampling) for axis in (1, 0)], 1)
    # Boxes that take equally many samples are computed together; there are few different counts.
    for rows, columns in sorted({(rows, columns) for rows, columns in counts.tolist()}):
        chosen = ((counts[:, 0] == rows) & (counts[:, 1] == columns)).nonzero().flatten()
        own = corners[chosen]
        y, x = _grid(own[:, 1], own[:, 3], size, rows), _grid(own[:, 0], own[:, 2], size, columns)
        values = _bilinear(features, frames[chosen], y, x)
        values = values.reshape(len(chosen), -1, size, rows, size, columns).mean((3, 5))
        out = out.index_copy(0, chosen, values)
    return out


def roi_align_3d(
    features: Tensor, boxes: Tensor, clips: Tensor, *, size: int, scale: float, sampling: int = 0
) -> Tensor:
    """(N, C, T, H, W) -> (R, C, T, size, size): each box replicated over the T frames of its clip, frame by frame.

    clips: (R,) which of the N clips each box is in; the others as for `roi_align`.
    """
    channels, length = features.shape[1:3]
    stacked = features.transpose(1, 2).flatten(0, 1)
    steps = torch.arange(length, device=features.device)
    frames = (clips[:, None] * length + steps).flatten()
    replicated = boxes.repeat_interleave(length, 0)
    cut = roi_align(stacked, replicated, frames, size=size, scale=scale, sampling=sampling)
    return cut.reshape(len(boxes), length, channels, size, size).transpose(1, 2)


def _samples(extents: Tensor, size: int, sampling: int) -> Tensor:
    if sampling:
        return torch.full_like(extents, sampling, dtype=torch.long)
    return (extents / size).ceil().clamp(min=1).long()


def _grid(low: Tensor, high: Tensor, size: int, samples: int) -> Tensor:
    """(R,) bounds -> (R, size * samples) coordinates of the samples, at the centres of equal parts."""
    parts = size * samples
    places = (torch.arange(parts, device=low.device, dtype=low.dtype) + 0.5) / parts
    return low[:, None] + places * (high - low)[:, None]


def _bilinear(features: Tensor, frames: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Values at (R, P) by (R, Q) coordinates -> (R, C, P, Q): the border's up to one pixel outside, 0 beyond."""
    rows, columns = _weights(y, features.shape[2]), _weights(x, features.shape[3])
    # A sample is a product of weights by rows and by columns, so a box is cut out by two products of matrices.
    return rows[:, None] @ features[frames] @ columns[:, None].transpose(2, 3)


def _weights(places: Tensor, length: int) -> Tensor:
    """(R, P) coordinates -> (R, P, length): the share of each pixel in each sample."""
    inside = (places >= -1) & (places <= length)
    held = places.clamp(0, length - 1)
    pixels = torch.arange(length, device=places.device, dtype=places.dtype)
    return (1 - (held[..., None] - pixels).abs()).clamp(min=0) * inside[..., None]
