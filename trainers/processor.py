"""What computes: the processor's name, as its maker gives it."""

from __future__ import annotations

import platform

import torch


def processor_name(device: torch.device) -> str:
    """Of a device of PyTorch: 'NVIDIA H100 80GB HBM3', 'AMD EPYC 9B45'."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


def cpu_name() -> str:
    """The name of the CPU's model, as far as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
            names = (line.partition(":")[2].strip() for line in info if line.startswith("model name"))
            return next(names, "") or platform.machine()
    except OSError:
        return platform.processor() or platform.machine()
