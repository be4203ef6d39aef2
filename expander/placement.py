"""How many GPUs each trial of a step gets, so that the step ends soonest; a part of one where that is enough."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from expander.axis import Factors
from expander.complexity import measure
from expander.efficientnet3d import AnyGeometry
from expander.geometry import Basis, realise
from expander.recipe import Recipe
from expander.trial import Trial

# What is left of twice the GPUs: about 90 % from 8 to 256 of them for ResNet-50 (Goyal et al., arXiv 1706.02677), five
# doublings. An X3D has a fifth of its weights or fewer to exchange, and less to compute between two exchanges.
DOUBLING = 0.98
# Six trainings of X2D on one GPU are to be so many times as fast as one after the other: a target of this project, not
# measured. Trainings that move more than X2D leave less of a GPU to others; from so many times X2D's on, nothing.
SHARING_GAIN = 2.5
# No more trials than that on one GPU: each has its own copy of CUDA's context, and of a network's buffers.
MOST_ON_A_GPU = 8


@dataclass(frozen=True)
class Work:
    """A training to be placed. seconds: on one GPU, or in any unit, as only their ratio counts. groups: BN groups of a
    batch, which GPUs do not share. occupancy: the part of one GPU that keeps it from going faster."""

    seconds: float
    groups: int
    occupancy: float = 1.0

    def on(self, size: float) -> float:
        """Seconds on `size` GPUs, or on a part of one."""
        return self.seconds / speed(size, self.groups, self.occupancy)


def speed(size: float, groups: int, occupancy: float = 1.0) -> float:
    """How many times as fast as one GPU `size` of them are, or a part of one."""
    if size < 1:
        return min(1.0, size / occupancy)
    # Whole groups: the member with the most of them sets the pace.
    return float(groups / math.ceil(groups / size) * DOUBLING ** math.log2(size))


@cache
def occupancy(geometry: AnyGeometry) -> float:
    """The part of a GPU that a training of `geometry` keeps busy; an estimate, from what it moves."""
    full = SHARING_GAIN * measure(realise(Factors(), Basis())).activations
    return min(1.0, measure(geometry).activations / full)


def groups_of(recipe: Recipe) -> int:
    """BN groups of a full batch: at most so many GPUs have something to compute."""
    return max(1, recipe.batch // recipe.batchnorm_group)


def allowed(least: float, most: int, groups: int, *, several: bool = True, parts: bool = False) -> list[float]:
    """The sizes that are worth trying for one trial, ascending: `least`, where `several` larger parts of a GPU and more
    whole ones up to `most`, and where `parts` also smaller parts."""
    found = {float(least)}
    if several:
        found |= {1 / count for count in range(1, MOST_ON_A_GPU + 1) if 1 / count > least}
        # Between these no member has fewer groups.
        useful = (math.ceil(groups / each) for each in range(1, groups + 1))
        found |= {float(size) for size in useful if least <= size <= most}
    if parts and least <= 1:
        found |= {1 / count for count in range(1, MOST_ON_A_GPU + 1)}
    return sorted(found)


def work_of(geometry: AnyGeometry, recipe: Recipe) -> Work:
    """What a training is placed by, before anything is known of its pace: its length is what it moves."""
    return Work(float(recipe.epochs * measure(geometry).activations), groups_of(recipe), occupancy(geometry))


def length(trial: Trial) -> float:
    """How long training it takes, in any unit."""
    return work_of(trial.geometry, trial.recipe).seconds


def sizes_of(trials: Sequence[Trial], gpus: int, least: float) -> dict[str, float]:
    """GPUs of each of `trials`, by its id, the longest first: `least` or more, and parts of one where that is one."""
    works = [work_of(trial.geometry, trial.recipe) for trial in trials]
    found = sizes(works, gpus, [allowed(least, gpus, work.groups) for work in works])
    order = sorted(range(len(works)), key=lambda place: -works[place].on(found[place]))
    return {trials[place].id: found[place] for place in order}


def sizes(works: Sequence[Work], gpus: int, choices: Sequence[Sequence[float]]) -> list[float]:
    """GPUs of each of `works`, out of its ascending `choices`, with which all have ended soonest on `gpus` of them.

    For each time in which a work could end, every work gets the fewest GPUs that suffice for it, and all are scheduled,
    the longest first: side by side where there is room, so that all end together, else one after the other. Of equal
    ends the one that holds fewer GPU-seconds is taken.
    """
    if not works:
        return []
    times = [[(work.on(size), size) for size in own] for work, own in zip(works, choices, strict=True)]
    # Where parts are allowed, whole GPUs one after the other may still be better for all.
    options = [times, [[each for each in own if each[1] >= 1] or own for own in times]]
    best: tuple[float, float, list[float]] | None = None
    for target, option in itertools.product(sorted({seconds for own in times for seconds, _ in own}), options):
        chosen = [next((each for each in own if each[0] <= target), None) for own in option]
        found = [each for each in chosen if each is not None]
        if len(found) < len(times):
            continue
        end = makespan(found, gpus)
        held = sum(seconds * size for seconds, size in found)
        sooner = best is None or end < best[0] * (1 - 1e-9)
        if sooner or (best is not None and end <= best[0] * (1 + 1e-9) and held < best[1] * (1 - 1e-9)):
            best = end, held, [size for _, size in found]
    assert best is not None
    return best[2]


def makespan(jobs: Sequence[tuple[float, float]], gpus: int) -> float:
    """Until all have ended, of (seconds, GPUs): the longest first, and whatever fits begins."""
    waiting = sorted(jobs, reverse=True)
    running: list[tuple[float, float]] = []
    now, free = 0.0, float(gpus)
    while waiting:
        later = []
        for seconds, size in waiting:
            if size <= free + 1e-9:
                free -= size
                heapq.heappush(running, (now + seconds, size))
            else:
                later.append((seconds, size))
        if waiting := later:
            now, size = heapq.heappop(running)
            free += size
    return max((end for end, _ in running), default=now)
