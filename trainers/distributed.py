"""A team by torch.distributed."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


class Distributed:
    """The default process group of torch.distributed, which whoever starts the processes has set up.

    gloo on the CPU, NCCL on GPUs. A member that dies makes the others' calls raise RuntimeError.
    """

    @property
    def rank(self) -> int:
        """This process' place in the group."""
        return dist.get_rank()

    @property
    def size(self) -> int:
        """Processes of the group."""
        return dist.get_world_size()

    def sum(self, tensor: Tensor) -> None:
        """All-reduce in place."""
        dist.all_reduce(tensor)

    def gather(self, value: T) -> list[T]:
        """All-gather of pickled values."""
        values = [value] * self.size
        dist.all_gather_object(values, value)
        return values

    def share(self, value: T) -> T:
        """Broadcast of the leader's pickled value."""
        values = [value]
        dist.broadcast_object_list(values, src=0, device=self._device())
        return values[0]

    def _device(self) -> torch.device:
        on_gpu = dist.get_backend() == "nccl"
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
