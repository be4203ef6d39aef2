"""Which videos an epoch's steps of SGD see, in which BN groups, and which member of a team computes them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from expander.recipe import Recipe
from trainers.team import Team

T = TypeVar("T")


def batches(videos: int, recipe: Recipe) -> Iterator[list[int]]:
    """The sizes of the BN groups of each step of SGD over an epoch of `videos` videos.

    From the numbers alone: a video that turns out damaged leaves its place in its group empty.
    """
    sizes: list[int] = []
    for together, ends_batch in groups(range(videos), recipe.batch, recipe.batchnorm_group):
        sizes.append(len(together))
        if ends_batch:
            yield sizes
            sizes = []


def own_groups(groups: int, team: Team) -> range:
    """The groups of a batch that this member computes: consecutive ones, none where there are fewer than members."""
    return range(team.rank * groups // team.size, (team.rank + 1) * groups // team.size)


def own_places(order: Sequence[int], recipe: Recipe, team: Team) -> Iterator[int]:
    """Of an epoch's `order`, the places of the videos that this member decodes, batch by batch."""
    begin = 0
    for sizes in batches(len(order), recipe):
        ends = list(itertools.accumulate(sizes, initial=begin))
        mine = own_groups(len(sizes), team)
        yield from order[ends[mine.start] : ends[mine.stop]]
        begin = ends[-1]


def epoch_order(seed: int, epoch: int, videos: int) -> list[int]:
    """The shuffled places of an epoch's videos; from the seed and the epoch alone, so that it needs no saving."""
    return random.Random(f"{seed} {epoch}").sample(range(videos), videos)


def groups(clips: Iterable[T], batch: int, group: int) -> Iterator[tuple[list[T], bool]]:
    """Clips that share BN statistics, in order, and whether a step of SGD follows: at every `batch` clips and the last.

    A single clip left over, of a batch or of the epoch, joins the group before it: BN has no variance over one clip
    where the network leaves one pixel of it.
    """
    sizes = itertools.cycle(_group_sizes(batch, group))
    held: list[T] = []  # a full group, until it is known whether just one clip follows
    current: list[T] = []
    size, ends = next(sizes)
    held_ends = ends
    for clip in clips:
        current.append(clip)
        if held and len(current) == min(2, size):
            yield held, held_ends
            held = []
        if len(current) == size:
            held, held_ends, current = current, ends, []
            size, ends = next(sizes)
    if len(current) == 1:
        held, current = held + current, []
    if held:
        yield held, True
    if current:
        yield current, True


def _group_sizes(batch: int, group: int) -> list[tuple[int, bool]]:
    """Sizes of the BN groups of a full batch, the last marked."""
    sizes = [group] * (batch // group)
    rest = batch % group
    if sizes and rest == 1:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return [(size, place == len(sizes)) for place, size in enumerate(sizes, start=1)]
