"""Items read ahead by processes: the same items in the same order, and nothing left of the processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from contextlib import closing
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from trainers.data.clips import Clip, Damaged
from trainers.loading import RUN, RUN_BYTES, SMALL_BYTES, load

SIDE = 16
LARGE = 1 + SMALL_BYTES // (SIDE * SIDE * 3)  # frames of a clip that goes through shared memory


class Clips(Dataset[Clip | Damaged]):
    """Item (epoch, place) is drawn from its key; every seventh cannot be read, every fifth is a large one."""

    def __getitem__(self, key: tuple[int, int]) -> Clip | Damaged:
        epoch, place = key
        if place % 7 == 6:
            return Damaged(f"{place}.mp4", "torn", place)
        frames = LARGE if place % 5 == 4 else 1
        generator = torch.Generator().manual_seed(100 * epoch + place)
        pixels = torch.randint(256, (frames, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)
        return Clip(pixels.flip(2) if place % 2 else pixels, place % 3, place, (0.5 * place,))


class Parents(Dataset[int]):
    """Each item is the process that has started the one which reads it."""

    def __getitem__(self, key: int) -> int:
        return os.getppid()


def plain(item: Clip | Damaged) -> Any:
    return item if isinstance(item, Damaged) else (item.pixels.numpy().tobytes(), item.label, item.index, item.times)


@pytest.mark.parametrize("item_bytes", [1, RUN_BYTES // 3, 10 * RUN_BYTES])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_items_are_the_same_however_they_are_handed_over(workers: int, item_bytes: int) -> None:
    keys = [(epoch, place) for epoch in (1, 2) for place in range(RUN + 3)]
    beats: list[None] = []
    with closing(load(Clips(), iter(keys), workers, lambda: beats.append(None), item_bytes)) as items:
        found = [plain(item) for item in items]
    clips = Clips()
    assert found == [plain(clips[key]) for key in keys]
    assert len(beats) == len(keys)


def test_an_item_that_was_handed_over_can_be_written_to() -> None:
    with closing(load(Clips(), [(1, 0), (1, 4)], 1, item_bytes=1)) as items:
        for item in items:
            assert isinstance(item, Clip)
            item.pixels.zero_()
            assert not item.pixels.any()


def test_processes_end_with_the_loading() -> None:
    with closing(load(Clips(), ((1, 0) for _ in range(10_000)), 2, item_bytes=1)) as items:
        next(items)
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []


def parents_of_loaders(answers: Any) -> None:
    with closing(load(Parents(), [0], 1)) as items:
        answers.put((os.getpid(), list(items)))


@pytest.mark.skipif(sys.platform != "linux", reason="loaders are forked on Linux alone")
def test_a_process_of_a_forkserver_forks_its_loaders_itself() -> None:
    context = multiprocessing.get_context("forkserver")
    answers = context.Queue()
    process = context.Process(target=parents_of_loaders, args=(answers,))
    process.start()
    own, parents = answers.get(timeout=120)
    process.join()
    assert parents == [own]
