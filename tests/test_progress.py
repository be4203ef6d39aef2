"""What a search says of itself while it runs."""

from __future__ import annotations

from spaces import space_of

from expander.cli.progress import Progress
from expander.plan import plan
from expander.search import next_step
from expander.trial import Epoch
from expander.units import duration
from results.store import open_store


def test_the_time_left_counts_no_epoch_from_before_the_search_was_resumed() -> None:
    space = space_of(expansion={"axes": ["depth"]}, recipe={"epochs": 100})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store, space)
    progress.watch(step, None)
    assert progress._left() == "?"
    assert progress.board is not None
    progress.board.began -= 100  # seconds of this epoch
    progress.watch(step, Epoch(step.trials[0].id, 41, 100, loss=1.0, top1=0.5, rate=0.1, seconds=100))
    assert progress._left() == "1 h 38 min"


def test_the_time_left_to_the_search_follows_the_assumed_path() -> None:
    path = {"axes": ["depth"], "path": ["depth", "depth"], "max_steps": 2}
    space = space_of(expansion=path, recipe={"epochs": 10}, regimes={"bounds": {"Far": 1e15}})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    first, second = (planned.step for planned in plan(space).steps)
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store, space)
    progress.watch(step, None)
    assert progress.board is not None
    progress.board.began -= 36_000
    progress.watch(step, Epoch(step.trials[0].id, 1, 10, loss=1.0, top1=0.5, rate=0.1, seconds=36_000))
    # Ten hours for a tenth of the first step: nine more of these, and the second step at its own complexity.
    assert first.candidates[0].solution is not None
    assert second.candidates[0].solution is not None
    growth = second.candidates[0].solution.complexity.flops / first.candidates[0].solution.complexity.flops
    assert progress._left() == f"3 d 18 h, the search in about {duration(324_000 + 360_000 * growth)}"
