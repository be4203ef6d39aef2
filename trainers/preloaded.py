"""What a process imports that trials are forked from: all that a trial needs."""

from __future__ import annotations

from importlib import import_module

from expander.imports import at_once

with at_once(frozen=True):
    import_module("trainers.train")
    import_module("torch._dynamo")  # by PyTorch's first optimiser, for another second
