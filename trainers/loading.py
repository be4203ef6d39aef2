"""Items of a data set, read ahead by processes of their own and handed over with little work for who computes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.multiprocessing.reductions import reduce_tensor
from torch.utils.data import DataLoader, Dataset

T = TypeVar("T")
# Items that a process hands over at once, at most, and their bytes: a hand-over takes the receiver 0.2 ms, about as
# long as the clip of one frame takes to read. Each process has two such runs ready.
RUN = 8
RUN_BYTES = 4 * 2**20
# A tensor in shared memory takes both sides half a millisecond, for a file of its own; smaller ones are copied sooner.
SMALL_BYTES = 2**20


def load(
    items: Dataset[T],
    order: Iterable[Any],
    workers: int,
    beat: Callable[[], None] | None = None,
    item_bytes: int = RUN_BYTES,
) -> Generator[T, None, None]:
    """`items` by the keys of `order`, one by one; read ahead where there are workers, which end when it is closed.

    beat: called with each, as that is progress: the one before was computed, and this one read. item_bytes: of an item,
    about; where it is large each is handed over by itself.
    """
    loader = DataLoader(
        items,
        batch_size=max(1, min(RUN, RUN_BYTES // item_bytes)) if workers else 1,
        sampler=order,
        num_workers=workers,
        collate_fn=_as_it_is,
        # Else a process that was forked from a server, as trials without Ray are, starts another server for these.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=_hand_over_small_tensors_as_bytes,
        # Its own: with the global one, what a loader draws would shift the dropout of the training.
        generator=torch.Generator(),
    )
    for run in loader:
        for item in run:
            if beat is not None:
                beat()
            yield item


def _as_it_is(run: list[T]) -> list[T]:
    return run


def _hand_over_small_tensors_as_bytes(_: int) -> None:
    ForkingPickler.register(Tensor, _reduced)


def _reduced(tensor: Tensor) -> Any:
    if tensor.nbytes > SMALL_BYTES:
        return reduce_tensor(tensor)  # type: ignore[no-untyped-call]
    return torch.from_numpy, (tensor.numpy(),)
