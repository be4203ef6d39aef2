"""What a network multiplies in."""

from __future__ import annotations

import torch

from expander.recipe import Precision


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """`precision` on a GPU; float32 on a CPU, where bfloat16 is no faster in training (docs/decisions.md)."""
    kind = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, kind, enabled=device.type == "cuda" and precision != "float32")
