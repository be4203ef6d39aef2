"""Squeeze-excitation's gate and its gradients as Triton kernels: from sums of clips to their factors, all in float32.

PyTorch's operators would do; but each is a launch, and there are 16 of them in place of three.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def open_gate(
    clip_mean,
    center,
    inverse,
    gain,
    bias,
    reduce,
    reduce_bias,
    restore,
    restore_bias,
    mean,
    narrow,
    gate,
    C: tl.constexpr,
    NARROW: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_J: tl.constexpr,
):
    """gate = sigmoid(restore relu(reduce mean)), mean that of BN(x). Grid: (clips,). mean, gate: (clips, C).

    reduce: (NARROW, C); restore: (C, NARROW); narrow: (clips, NARROW).
    """
    clip, j = tl.program_id(0), tl.arange(0, BLOCK_J)
    squeezed = tl.load(reduce_bias + j, mask=j < NARROW, other=0.0)
    for begin in range(0, C, BLOCK_C):
        c = begin + tl.arange(0, BLOCK_C)
        offset = tl.load(clip_mean + clip * C + c, mask=c < C, other=0.0)
        offset -= tl.load(center + clip * C + c, mask=c < C, other=0.0)
        factor = tl.load(inverse + clip * C + c, mask=c < C, other=0.0) * tl.load(gain + c, mask=c < C, other=0.0)
        value = offset * factor + tl.load(bias + c, mask=c < C, other=0.0)
        tl.store(mean + clip * C + c, value, mask=c < C)
        weight = tl.load(reduce + j[:, None] * C + c[None, :], mask=(j < NARROW)[:, None] & (c < C)[None, :], other=0.0)
        squeezed += tl.sum(weight * value[None, :], 1)
    squeezed = tl.maximum(squeezed, 0.0)
    tl.store(narrow + clip * NARROW + j, squeezed, mask=j < NARROW)
    for begin in range(0, C, BLOCK_C):
        c = begin + tl.arange(0, BLOCK_C)
        weight = tl.load(
            restore + c[:, None] * NARROW + j[None, :], mask=(c < C)[:, None] & (j < NARROW)[None, :], other=0.0
        )
        value = tl.sum(weight * squeezed[None, :], 1) + tl.load(restore_bias + c, mask=c < C, other=0.0)
        tl.store(gate + clip * C + c, tl.sigmoid(value), mask=c < C)


@triton.jit
def close_gate(
    sums,
    gain,
    bias,
    reduce,
    restore,
    narrow,
    gate,
    for_gate,
    for_narrow,
    for_mean,
    C: tl.constexpr,
    NARROW: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_J: tl.constexpr,
):
    """Gradients of a clip, before the sigmoid, before the ReLU, and of its means. Grid: (clips,).

    sums: (clips, 2, C), of dz and dz xhat: the gate's gradient is the sum of dz (gain xhat + bias).
    """
    clip, j = tl.program_id(0), tl.arange(0, BLOCK_J)
    squeezed = tl.zeros((BLOCK_J,), tl.float32)
    for begin in range(0, C, BLOCK_C):
        c = begin + tl.arange(0, BLOCK_C)
        total = tl.load(sums + clip * 2 * C + c, mask=c < C, other=0.0)
        along = tl.load(sums + clip * 2 * C + C + c, mask=c < C, other=0.0)
        opening = tl.load(gate + clip * C + c, mask=c < C, other=0.0)
        value = total * tl.load(bias + c, mask=c < C, other=0.0) + along * tl.load(gain + c, mask=c < C, other=0.0)
        value = value * opening * (1.0 - opening)
        tl.store(for_gate + clip * C + c, value, mask=c < C)
        weight = tl.load(
            restore + c[:, None] * NARROW + j[None, :], mask=(c < C)[:, None] & (j < NARROW)[None, :], other=0.0
        )
        squeezed += tl.sum(weight * value[:, None], 0)
    squeezed = tl.where(tl.load(narrow + clip * NARROW + j, mask=j < NARROW, other=0.0) > 0.0, squeezed, 0.0)
    tl.store(for_narrow + clip * NARROW + j, squeezed, mask=j < NARROW)
    for begin in range(0, C, BLOCK_C):
        c = begin + tl.arange(0, BLOCK_C)
        weight = tl.load(reduce + j[:, None] * C + c[None, :], mask=(j < NARROW)[:, None] & (c < C)[None, :], other=0.0)
        tl.store(for_mean + clip * C + c, tl.sum(weight * squeezed[:, None], 0), mask=c < C)


@triton.jit
def weigh_gate(
    for_gate,
    for_narrow,
    mean,
    narrow,
    for_reduce,
    for_reduce_bias,
    for_restore,
    for_restore_bias,
    clips,
    C: tl.constexpr,
    NARROW: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_J: tl.constexpr,
):
    """Gradients of both layers' weights and biases: sums over the clips, in order. Grid: (blocks of channels,)."""
    c, j = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_J)
    reducing = tl.zeros((BLOCK_J, BLOCK_C), tl.float32)
    restoring = tl.zeros((BLOCK_C, BLOCK_J), tl.float32)
    of_gate = tl.zeros((BLOCK_C,), tl.float32)
    of_narrow = tl.zeros((BLOCK_J,), tl.float32)
    for clip in range(clips):
        opening = tl.load(for_gate + clip * C + c, mask=c < C, other=0.0)
        squeezed = tl.load(for_narrow + clip * NARROW + j, mask=j < NARROW, other=0.0)
        reducing += squeezed[:, None] * tl.load(mean + clip * C + c, mask=c < C, other=0.0)[None, :]
        restoring += opening[:, None] * tl.load(narrow + clip * NARROW + j, mask=j < NARROW, other=0.0)[None, :]
        of_gate += opening
        of_narrow += squeezed
    tl.store(for_reduce + j[:, None] * C + c[None, :], reducing, mask=(j < NARROW)[:, None] & (c < C)[None, :])
    tl.store(for_restore + c[:, None] * NARROW + j[None, :], restoring, mask=(c < C)[:, None] & (j < NARROW)[None, :])
    tl.store(for_restore_bias + c, of_gate, mask=c < C)
    # Every program has the same: the first writes it.
    tl.store(for_reduce_bias + j, of_narrow, mask=(j < NARROW) & (tl.program_id(0) == 0))
