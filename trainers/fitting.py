"""Whether a training step fits in a GPU's memory, by taking one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from expander.trial import Trial
from trainers.data.clips import normalise
from trainers.micro_batch import MicroBatch
from trainers.networks.build import build
from trainers.networks.layers import recompute_blocks
from trainers.precision import autocast


def fits(trial: Trial, device: torch.device, micro: MicroBatch) -> bool:
    """Whether a training step of so many groups fits on a GPU, with room for what the allocator cannot use."""
    # What an attempt that failed held is free only now: its exception kept it until that returned.
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    geometry, clips = trial.geometry, micro.groups * trial.recipe.batchnorm_group
    shape = (clips, geometry.frames, geometry.crop, geometry.crop, 3)
    try:
        model: nn.Module = build(geometry, trial.recipe).to(device).train()
        recompute_blocks(model, micro.recompute)
        pixels = torch.zeros(shape, dtype=torch.uint8, device=device)
        with autocast(device, trial.recipe.precision):
            logits = model(normalise(pixels))
        labels = torch.zeros(clips, dtype=torch.long, device=device)
        F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        # The optimiser's momentum, and a tenth for fragments.
        parameters = sum(parameter.numel() for parameter in model.parameters())
        used = torch.cuda.max_memory_reserved(device) + 4 * parameters
        return used < 0.9 * torch.cuda.get_device_properties(device).total_memory
    except torch.OutOfMemoryError:
        return False
    finally:
        model = logits = pixels = None  # type: ignore[assignment]
        torch.cuda.empty_cache()
