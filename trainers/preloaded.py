"""What a process imports that trials are forked from: all that a trial needs."""

from __future__ import annotations

from expander.imports import at_once

with at_once(frozen=True):
    import torch._dynamo  # by PyTorch's first optimiser, for another second

    import trainers.train

__all__ = ["torch", "trainers"]
