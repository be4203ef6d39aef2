"""What a search says of itself while it runs."""

from __future__ import annotations

from spaces import space_of

from expander.cli.progress import Progress
from expander.search import next_step
from expander.trial import Epoch
from results.store import open_store


def test_the_time_left_counts_no_epoch_from_before_the_search_was_resumed() -> None:
    space = space_of(expansion={"axes": ["depth"]}, recipe={"epochs": 100})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store)
    progress.watch(step, None)
    assert progress._left() == "?"
    assert progress.board is not None
    progress.board.began -= 100  # seconds of this epoch
    progress.watch(step, Epoch(step.trials[0].id, 41, 100, loss=1.0, top1=0.5, rate=0.1, seconds=100))
    assert progress._left() == "1 h 38 min"
