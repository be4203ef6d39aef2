"""BN of groups of clips, with what follows it, as Triton kernels; calls.py launches them.

Tensors are [N][positions][C]. A pass that sums leaves a sum for each chunk of positions of each clip; `settle_` kernels
take the sums of the clips together, in float64 where they subtract.
"""

from __future__ import annotations

import triton
import triton.language as tl

# The values of kernels/calls.py.
NOTHING = tl.constexpr(0)
RELU = tl.constexpr(1)
SWISH = tl.constexpr(2)


@triton.jit
def activated(z, ACT: tl.constexpr):
    """The activation of z."""
    if ACT == RELU:
        z = tl.maximum(z, 0.0)
    if ACT == SWISH:
        z = z * tl.sigmoid(z)
    return z


@triton.jit
def through(gradient, z, ACT: tl.constexpr):
    """The gradient of z from that of its activation."""
    if ACT == RELU:
        gradient = tl.where(z > 0.0, gradient, 0.0)
    if ACT == SWISH:
        sigmoid = tl.sigmoid(z)
        gradient = gradient * sigmoid * (1.0 + z * (1.0 - sigmoid))
    return gradient


@triton.jit
def of_channels(values, clip, c, C: tl.constexpr):
    """(channels,) of a clip's row of (N, C), to be used with (positions, channels)."""
    return tl.load(values + clip * C + c, mask=c < C, other=0.0)[None, :]


@triton.jit
def moments(
    x, partial, positions, chunk, C: tl.constexpr, VECTOR: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr
):
    """Sums of x and of its square. Grid: (chunks x blocks of channels, clips). partial: (clips, chunks, 2, C)."""
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part, clip = tl.program_id(0) // BLOCKS, tl.program_id(1).to(tl.int64)
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    first, last = part * chunk, tl.minimum(part * chunk + chunk, positions)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    second = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for begin in range(first, last, BLOCK_P):
        p = begin + tl.arange(0, BLOCK_P)
        mask = (p < last)[:, None] & (c < C)[None, :]
        at = (clip * positions + p)[:, None] * C + c[None, :]
        value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32)
        total += value
        second += value * value
    place = (clip * (tl.num_programs(0) // BLOCKS) + part) * 2 * C
    tl.store(partial + place + c, tl.sum(total, 0), mask=c < C)
    tl.store(partial + place + C + c, tl.sum(second, 0), mask=c < C)


@triton.jit
def settle_moments(
    sums,
    group_of,
    group_mean,
    group_variance,
    clip_mean,
    center,
    inverse,
    clips,
    groups,
    positions,
    eps,
    C: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """The moments of groups from the sums of clips. Grid: (blocks of channels,). sums: (clips, 2, C)."""
    n, c = tl.arange(0, BLOCK_N), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    mask = (n < clips)[:, None] & (c < C)[None, :]
    at = n[:, None] * C + c[None, :]
    total = tl.load(sums + at + n[:, None] * C, mask=mask, other=0.0).to(tl.float64)
    square = tl.load(sums + at + n[:, None] * C + C, mask=mask, other=0.0).to(tl.float64)
    tl.store(clip_mean + at, (total / positions).to(tl.float32), mask=mask)
    group = tl.load(group_of + n, mask=n < clips, other=-1)
    means = tl.zeros((BLOCK_N, BLOCK_C), tl.float32)
    inverses = tl.zeros((BLOCK_N, BLOCK_C), tl.float32)
    for number in range(groups):
        member = (group == number)[:, None]
        elements = (tl.sum((group == number).to(tl.int32), 0) * positions).to(tl.float64)
        mean = tl.sum(tl.where(member, total, 0.0), 0) / elements
        variance = tl.maximum(tl.sum(tl.where(member, square, 0.0), 0) / elements - mean * mean, 0.0)
        tl.store(group_mean + number * C + c, mean.to(tl.float32), mask=c < C)
        tl.store(group_variance + number * C + c, (variance * elements / (elements - 1)).to(tl.float32), mask=c < C)
        means = tl.where(member, mean.to(tl.float32)[None, :], means)
        deviation = tl.sqrt(variance + eps)
        inverses = tl.where(member, (1.0 / deviation).to(tl.float32)[None, :], inverses)
    tl.store(center + at, means, mask=mask)
    tl.store(inverse + at, inverses, mask=mask)


@triton.jit
def apply(
    x,
    center,
    inverse,
    gain,
    bias,
    gate,
    residual,
    out,
    positions,
    chunk,
    C: tl.constexpr,
    ACT: tl.constexpr,
    GATED: tl.constexpr,
    ADDED: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """act(gate (gain xhat + bias) + residual). Grid: (chunks x blocks of channels, clips). gate: (clips, C)."""
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part, clip = tl.program_id(0) // BLOCKS, tl.program_id(1).to(tl.int64)
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    middle, plus = of_channels(center, clip, c, C), of_channels(bias, 0, c, C)
    factor = of_channels(inverse, clip, c, C) * of_channels(gain, 0, c, C)
    if GATED:
        opening = of_channels(gate, clip, c, C)
        factor, plus = factor * opening, plus * opening
    first, last = part * chunk, tl.minimum(part * chunk + chunk, positions)
    for begin in range(first, last, BLOCK_P):
        p = begin + tl.arange(0, BLOCK_P)
        mask = (p < last)[:, None] & (c < C)[None, :]
        at = (clip * positions + p)[:, None] * C + c[None, :]
        z = (tl.load(x + at, mask=mask, other=0.0).to(tl.float32) - middle) * factor + plus
        if ADDED:
            z += tl.load(residual + at, mask=mask, other=0.0).to(tl.float32)
        tl.store(out + at, activated(z, ACT).to(out.dtype.element_ty), mask=mask)


@triton.jit
def sum_gradients(
    gradient,
    x,
    out,
    center,
    inverse,
    gain,
    bias,
    gate,
    kept,
    partial,
    positions,
    chunk,
    C: tl.constexpr,
    ACT: tl.constexpr,
    GATED: tl.constexpr,
    BY_OUTPUT: tl.constexpr,
    KEPT: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Sums of dz and of dz xhat; z is what `act` is of. dz is left in `kept`.

    Grid: (chunks x blocks of channels, clips). partial: (clips, chunks, 2, C). BY_OUTPUT: ReLU's gradient by its
    output, where z is not of x alone.
    """
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part, clip = tl.program_id(0) // BLOCKS, tl.program_id(1).to(tl.int64)
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    middle, factor = of_channels(center, clip, c, C), of_channels(inverse, clip, c, C)
    slope, plus = factor * of_channels(gain, 0, c, C), of_channels(bias, 0, c, C)
    if GATED:
        opening = of_channels(gate, clip, c, C)
        slope, plus = slope * opening, plus * opening
    first, last = part * chunk, tl.minimum(part * chunk + chunk, positions)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    second = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for begin in range(first, last, BLOCK_P):
        p = begin + tl.arange(0, BLOCK_P)
        mask = (p < last)[:, None] & (c < C)[None, :]
        at = (clip * positions + p)[:, None] * C + c[None, :]
        value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32) - middle
        dz = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
        if BY_OUTPUT:
            dz = tl.where(tl.load(out + at, mask=mask, other=0.0) > 0.0, dz, 0.0)
        else:
            dz = through(dz, value * slope + plus, ACT)
        if KEPT:
            stored = dz.to(kept.dtype.element_ty)
            tl.store(kept + at, stored, mask=mask)
            dz = stored.to(tl.float32)
        total += dz
        second += tl.where(mask, dz * value * factor, 0.0)
    place = (clip * (tl.num_programs(0) // BLOCKS) + part) * 2 * C
    tl.store(partial + place + c, tl.sum(total, 0), mask=c < C)
    tl.store(partial + place + C + c, tl.sum(second, 0), mask=c < C)


@triton.jit
def settle_gradients(
    sums,
    group_of,
    clip_mean,
    center,
    inverse,
    gain,
    gate,
    for_mean,
    terms,
    for_gain,
    for_bias,
    clips,
    groups,
    positions,
    C: tl.constexpr,
    GATED: tl.constexpr,
    POOLED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Gain's and bias' gradients, and the terms of the input's: dx = terms[0] dz + terms[1] x + terms[2].

    Grid: (blocks of channels,). sums: (clips, 2, C), of dz and dz xhat. for_mean: (clips, C), the gradient of each
    clip's mean of gain xhat + bias. terms: (3, clips, C).
    """
    n, c = tl.arange(0, BLOCK_N), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    mask = (n < clips)[:, None] & (c < C)[None, :]
    at = n[:, None] * C + c[None, :]
    total = tl.load(sums + at + n[:, None] * C, mask=mask, other=0.0)
    along = tl.load(sums + at + n[:, None] * C + C, mask=mask, other=0.0)
    middle = tl.load(center + at, mask=mask, other=0.0)
    factor = tl.load(inverse + at, mask=mask, other=0.0)
    slope = factor * tl.load(gain + c, mask=c < C, other=0.0)[None, :]
    opening = tl.full((BLOCK_N, BLOCK_C), 1.0, tl.float32)
    if GATED:
        opening = tl.load(gate + at, mask=mask, other=0.0)
        total, along = total * opening, along * opening
    constant = tl.zeros((BLOCK_N, BLOCK_C), tl.float32)
    if POOLED:
        pooled = tl.load(for_mean + at, mask=mask, other=0.0)
        constant = pooled / positions
        total += pooled
        along += pooled * (tl.load(clip_mean + at, mask=mask, other=0.0) - middle) * factor
    tl.store(for_bias + c, tl.sum(total, 0), mask=c < C)
    tl.store(for_gain + c, tl.sum(along, 0), mask=c < C)
    group = tl.load(group_of + n, mask=n < clips, other=-1)
    mean_total = tl.zeros((BLOCK_N, BLOCK_C), tl.float32)
    mean_along = tl.zeros((BLOCK_N, BLOCK_C), tl.float32)
    for number in range(groups):
        member = (group == number)[:, None]
        elements = (tl.sum((group == number).to(tl.int32), 0) * positions).to(tl.float32)
        mean_total = tl.where(member, (tl.sum(tl.where(member, total, 0.0), 0) / elements)[None, :], mean_total)
        mean_along = tl.where(member, (tl.sum(tl.where(member, along, 0.0), 0) / elements)[None, :], mean_along)
    tl.store(terms + at, slope * opening, mask=mask)
    tl.store(terms + clips * C + at, -slope * factor * mean_along, mask=mask)
    constant = slope * (constant - mean_total + factor * mean_along * middle)
    tl.store(terms + 2 * clips * C + at, constant, mask=mask)


@triton.jit
def combine(
    gradient,
    x,
    terms,
    center,
    inverse,
    gain,
    bias,
    gate,
    for_x,
    clips,
    positions,
    chunk,
    C: tl.constexpr,
    ACT: tl.constexpr,
    GATED: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """for_x = terms[0] dz + terms[1] x + terms[2]; `gradient` is of act(z).

    Grid: (chunks x blocks of channels, clips).
    """
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part, clip = tl.program_id(0) // BLOCKS, tl.program_id(1).to(tl.int64)
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    by_gradient = of_channels(terms, clip, c, C)
    by_x = of_channels(terms, clips + clip, c, C)
    constant = of_channels(terms, 2 * clips + clip, c, C)
    if ACT != NOTHING:
        middle, plus = of_channels(center, clip, c, C), of_channels(bias, 0, c, C)
        slope = of_channels(inverse, clip, c, C) * of_channels(gain, 0, c, C)
        if GATED:
            opening = of_channels(gate, clip, c, C)
            slope, plus = slope * opening, plus * opening
    first, last = part * chunk, tl.minimum(part * chunk + chunk, positions)
    for begin in range(first, last, BLOCK_P):
        p = begin + tl.arange(0, BLOCK_P)
        mask = (p < last)[:, None] & (c < C)[None, :]
        at = (clip * positions + p)[:, None] * C + c[None, :]
        value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32)
        dz = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
        if ACT != NOTHING:
            dz = through(dz, (value - middle) * slope + plus, ACT)
        found = by_gradient * dz + by_x * value + constant
        tl.store(for_x + at, found.to(for_x.dtype.element_ty), mask=mask)
