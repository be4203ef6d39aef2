"""The channel-wise convolution as Triton kernels; calls.py launches them.

Tensors are [N][T][H][W][C] in memory (channels_last_3d). A program computes a tile of positions and channels, frame
after frame, and keeps the sums of the KT frames that its input still reaches: so each value is read from L1 or L2 once
for each spatial tap and not once for each of all taps. Sums are in float32. Counts of channels and taps are constants
of compilation, sizes are not: so a network compiles few kernels.
"""

from __future__ import annotations

import triton
import triton.language as tl

# What a convolution does with what it reads and writes; the launching code has the same names.
PLAIN = tl.constexpr(0)
NORMALISED = tl.constexpr(1)  # read: max(0, BN(x))
MOMENTS = tl.constexpr(1)  # written: sums of the output and of its square beside it
RECTIFIED = tl.constexpr(2)  # written: the gradient where BN(x) > 0, its sum and that of its product with xhat


@triton.jit
def scaling(center, inverse, gain, bias, clip, c, C: tl.constexpr):
    """BN of a clip as x * scale + shift: both (channels,)."""
    scale = tl.load(inverse + clip * C + c, mask=c < C, other=0.0) * tl.load(gain + c, mask=c < C, other=0.0)
    shift = tl.load(bias + c, mask=c < C, other=0.0) - tl.load(center + clip * C + c, mask=c < C, other=0.0) * scale
    return scale, shift


@triton.jit
def convolve(
    x,
    weight,
    out,
    normed,
    center,
    inverse,
    gain,
    bias,
    partial,
    frames,
    height,
    width,
    out_height,
    out_width,
    chunk,
    C: tl.constexpr,
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    STRIDE: tl.constexpr,
    REVERSED: tl.constexpr,
    READ: tl.constexpr,
    WRITE: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """out = x * weight, with the taps in reverse order for the input's gradient at stride 1.

    Grid: (tiles of positions x blocks of channels, chunks of frames, clips). weight: (C, KT KH KW). normed: where
    WRITE is RECTIFIED, what BN was of. partial: (clips, chunks, tiles, 2, C).
    """
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    TAPS: tl.constexpr = KH * KW
    tile = tl.program_id(0) // BLOCKS
    clip = tl.program_id(2).to(tl.int64)
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    some = (c < C)[None, :]
    p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    within = p < out_height * out_width
    top = (p // out_width) * STRIDE - KH // 2
    left = (p % out_width) * STRIDE - KW // 2
    inputs = (top * width + left)[:, None] * C + c[None, :]
    outputs = p[:, None] * C + c[None, :]
    kept = within[:, None] & some

    taps = ()
    for tap in tl.static_range(KT * TAPS):
        source = KT * TAPS - 1 - tap if REVERSED else tap
        taps = taps + (tl.load(weight + c * (KT * TAPS) + source, mask=c < C, other=0.0)[None, :],)
    if READ == NORMALISED or WRITE == RECTIFIED:
        scale, shift = scaling(center, inverse, gain, bias, clip, c, C)
        middle = tl.load(center + clip * C + c, mask=c < C, other=0.0)
        factor = tl.load(inverse + clip * C + c, mask=c < C, other=0.0)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    second = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    sums = ()
    for _ in tl.static_range(KT):
        sums = sums + (tl.zeros((BLOCK_P, BLOCK_C), tl.float32),)

    first = tl.program_id(1) * chunk
    last = tl.minimum(first + chunk, frames)
    for frame in range(first - KT // 2, last + KT // 2):
        start = x + (clip * frames + frame) * height * width * C
        there = (frame >= 0) & (frame < frames)
        for tap in tl.static_range(TAPS):
            row = top + tap // KW
            column = left + tap % KW
            inside = (within & there & (row >= 0) & (row < height) & (column >= 0) & (column < width))[:, None]
            value = tl.load(start + (tap // KW * width + tap % KW) * C + inputs, mask=inside & some, other=0.0)
            value = value.to(tl.float32)
            if READ == NORMALISED:
                value = tl.where(inside, tl.maximum(value * scale[None, :] + shift[None, :], 0.0), 0.0)
            added = ()
            for dt in tl.static_range(KT):
                added = added + (sums[dt] + value * taps[dt * TAPS + tap],)
            sums = added
        done = frame - KT // 2
        written = kept & (done >= first) & (done < last)
        at = (clip * frames + done) * out_height * out_width * C
        result = sums[KT - 1]
        if WRITE == RECTIFIED:
            z = tl.load(normed + at + outputs, mask=written, other=0.0).to(tl.float32)
            result = tl.where(z * scale[None, :] + shift[None, :] > 0.0, result, 0.0)
        stored = result.to(out.dtype.element_ty)
        tl.store(out + at + outputs, stored, mask=written)
        if WRITE != PLAIN:
            result = tl.where(written, stored.to(tl.float32), 0.0)
            total += result
            if WRITE == MOMENTS:
                second += result * result
            else:
                second += result * (z - middle[None, :]) * factor[None, :]
        moved = (tl.zeros((BLOCK_P, BLOCK_C), tl.float32),)
        for dt in tl.static_range(KT - 1):
            moved = moved + (sums[dt],)
        sums = moved

    if WRITE != PLAIN:
        tiles = tl.num_programs(0) // BLOCKS
        place = ((clip * tl.num_programs(1) + tl.program_id(1)) * tiles + tile) * 2 * C
        tl.store(partial + place + c, tl.sum(total, 0), mask=c < C)
        tl.store(partial + place + C + c, tl.sum(second, 0), mask=c < C)


@triton.jit
def spread(
    gradient,
    weight,
    out,
    normed,
    center,
    inverse,
    gain,
    bias,
    partial,
    frames,
    height,
    width,
    out_height,
    out_width,
    chunk,
    C: tl.constexpr,
    KT: tl.constexpr,
    WRITE: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """The input's gradient of KT x 3 x 3 at stride 2: each input gathers the outputs that it went into.

    Inputs of even rows and columns went into one output each, those of odd ones into two in that direction: a program's
    are of one kind. Grid: (kinds x tiles of positions x blocks of channels, chunks of frames, clips). height, width: of
    the input, whose gradient `out` is; out_height, out_width: of the output, whose gradient is read.
    """
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    tile = tl.program_id(0) // BLOCKS // 4
    kind = tl.program_id(0) // BLOCKS % 4
    odd_row, odd_column = kind // 2, kind % 2
    clip = tl.program_id(2).to(tl.int64)
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    some = (c < C)[None, :]
    p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    up, across = p // out_width, p % out_width
    row, column = 2 * up + odd_row, 2 * across + odd_column
    within = (p < out_height * out_width) & (row < height) & (column < width)
    inputs = p[:, None] * C + c[None, :]
    outputs = (row * width + column)[:, None] * C + c[None, :]
    kept = within[:, None] & some

    taps = ()
    for dt in tl.static_range(KT):
        for near in tl.static_range(4):
            # Of the nearer output this is the tap 1 or 2, of the next one the tap 0.
            dh = 1 + odd_row if near // 2 == 0 else 0
            dw = 1 + odd_column if near % 2 == 0 else 0
            source = ((KT - 1 - dt) * 3 + dh) * 3 + dw
            taps = taps + (tl.load(weight + c * (KT * 9) + source, mask=c < C, other=0.0)[None, :],)
    if WRITE == RECTIFIED:
        scale, shift = scaling(center, inverse, gain, bias, clip, c, C)
        middle = tl.load(center + clip * C + c, mask=c < C, other=0.0)
        factor = tl.load(inverse + clip * C + c, mask=c < C, other=0.0)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    second = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    sums = ()
    for _ in tl.static_range(KT):
        sums = sums + (tl.zeros((BLOCK_P, BLOCK_C), tl.float32),)

    first = tl.program_id(1) * chunk
    last = tl.minimum(first + chunk, frames)
    for frame in range(first - KT // 2, last + KT // 2):
        start = gradient + (clip * frames + frame) * out_height * out_width * C
        there = (frame >= 0) & (frame < frames)
        for near in tl.static_range(4):
            used = (near // 2 <= odd_row) & (near % 2 <= odd_column) & there
            inside = within & used & (up + near // 2 < out_height) & (across + near % 2 < out_width)
            value = tl.load(
                start + (near // 2 * out_width + near % 2) * C + inputs, mask=inside[:, None] & some, other=0.0
            ).to(tl.float32)
            added = ()
            for dt in tl.static_range(KT):
                added = added + (sums[dt] + value * taps[dt * 4 + near],)
            sums = added
        done = frame - KT // 2
        written = kept & (done >= first) & (done < last)
        at = (clip * frames + done) * height * width * C
        result = sums[KT - 1]
        if WRITE == RECTIFIED:
            z = tl.load(normed + at + outputs, mask=written, other=0.0).to(tl.float32)
            result = tl.where(z * scale[None, :] + shift[None, :] > 0.0, result, 0.0)
        stored = result.to(out.dtype.element_ty)
        tl.store(out + at + outputs, stored, mask=written)
        if WRITE == RECTIFIED:
            result = tl.where(written, stored.to(tl.float32), 0.0)
            total += result
            second += result * (z - middle[None, :]) * factor[None, :]
        moved = (tl.zeros((BLOCK_P, BLOCK_C), tl.float32),)
        for dt in tl.static_range(KT - 1):
            moved = moved + (sums[dt],)
        sums = moved

    if WRITE == RECTIFIED:
        tiles = tl.num_programs(0) // BLOCKS
        place = ((clip * tl.num_programs(1) + tl.program_id(1)) * tiles + tl.program_id(0) // BLOCKS) * 2 * C
        tl.store(partial + place + c, tl.sum(total, 0), mask=c < C)
        tl.store(partial + place + C + c, tl.sum(second, 0), mask=c < C)


@triton.jit
def weigh(
    x,
    gradient,
    partial,
    center,
    inverse,
    gain,
    bias,
    clips,
    frames,
    height,
    width,
    out_height,
    out_width,
    C: tl.constexpr,
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    STRIDE: tl.constexpr,
    READ: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """The weight's gradient, a part of the tiles in each program; their sum is the second stage.

    Grid: (parts x blocks of channels,). partial: (parts, C, KT KH KW). Which tile is whose depends on the grid alone,
    so that the sums are the same bits each time.
    """
    BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    TAPS: tl.constexpr = KH * KW
    part, parts = tl.program_id(0) // BLOCKS, tl.num_programs(0) // BLOCKS
    c = (tl.program_id(0) % BLOCKS) * BLOCK_C + tl.max_contiguous(tl.arange(0, BLOCK_C), VECTOR)
    some = (c < C)[None, :]
    tiles = (out_height * out_width + BLOCK_P - 1) // BLOCK_P
    sums = ()
    for _ in tl.static_range(KT * TAPS):
        sums = sums + (tl.zeros((BLOCK_P, BLOCK_C), tl.float32),)

    for item in range(part, clips * tiles, parts):
        clip = (item // tiles).to(tl.int64)
        p = item % tiles * BLOCK_P + tl.arange(0, BLOCK_P)
        within = p < out_height * out_width
        top = (p // out_width) * STRIDE - KH // 2
        left = (p % out_width) * STRIDE - KW // 2
        inputs = (top * width + left)[:, None] * C + c[None, :]
        outputs = p[:, None] * C + c[None, :]
        if READ == NORMALISED:
            scale, shift = scaling(center, inverse, gain, bias, clip, c, C)
        # The gradients of the frames that input frame 0 went into, but for the last, which the loop reads.
        window = ()
        for dt in tl.static_range(1, KT):
            there = within & (KT // 2 >= dt) & (KT // 2 - dt < frames)
            start = gradient + (clip * frames + KT // 2 - dt) * out_height * out_width * C
            window = window + (tl.load(start + outputs, mask=there[:, None] & some, other=0.0).to(tl.float32),)
        for frame in range(frames):
            there = within & (frame + KT // 2 < frames)
            start = gradient + (clip * frames + frame + KT // 2) * out_height * out_width * C
            newest = tl.load(start + outputs, mask=there[:, None] & some, other=0.0).to(tl.float32)
            window = (newest,) + window
            start = x + (clip * frames + frame) * height * width * C
            added = ()
            for tap in tl.static_range(TAPS):
                row = top + tap // KW
                column = left + tap % KW
                inside = (within & (row >= 0) & (row < height) & (column >= 0) & (column < width))[:, None]
                value = tl.load(start + (tap // KW * width + tap % KW) * C + inputs, mask=inside & some, other=0.0)
                value = value.to(tl.float32)
                if READ == NORMALISED:
                    value = tl.where(inside, tl.maximum(value * scale[None, :] + shift[None, :], 0.0), 0.0)
                for dt in tl.static_range(KT):
                    added = added + (sums[tap * KT + dt] + window[dt] * value,)
            sums = added
            older = ()
            for dt in tl.static_range(KT - 1):
                older = older + (window[dt],)
            window = older

    for tap in tl.static_range(TAPS):
        for dt in tl.static_range(KT):
            place = (part * C + c) * (KT * TAPS) + dt * TAPS + tap
            tl.store(partial + place, tl.sum(sums[tap * KT + dt], 0), mask=c < C)
