"""What each process of a team runs, wherever it was started."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from expander import files
from expander.errors import TrialError
from expander.inputs import mixing
from expander.trial import Completed, Told, Trial
from trainers.dispatch.attempt import failed, this_node, this_place
from trainers.dispatch.wire import Here, Leave, Post, dial
from trainers.team import ALONE, Team, led
from trainers.versions import not_the_same, versions

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

# How long a member waits for the others in one call. The longest that they differ for good reason: the leader writes a
# checkpoint to a slow disk, one decodes a video to its time limit, one compiles its first step. All the while the GPUs
# of the others stand still, so that torch's own 30 minutes for gloo would cost hours of GPU for each member that hangs.
# A member that dies is noticed at once, or at Ray Train's next look.
PATIENCE_SECONDS = 300


class TeamTraining(Protocol):
    """A training that may have a team: every member calls it with the same trial, and the leader reports."""

    def __call__(self, trial: Trial, report: Callable[[Told], None], team: Team = ALONE, /) -> Completed:
        """Train `trial`; all members return the same."""


class MembersLost(Exception):
    """A member cannot reach the others: one has died, or waits for nobody any more."""


def take_part(
    training: TeamTraining,
    trial: Trial,
    post: Post,
    shared: Path | None,
    group: str | None = None,
    wanted: Mapping[str, str] | None = None,
) -> None:
    """Train as one member of torch.distributed's default process group, and tell `post` of it.

    shared: a folder that all members must see. wanted: the versions that all members must have, else those of the
    leader. Raises what the training raises, once that has been told, and
    MembersLost, of which nothing is told as a failure: who started the members decides what becomes of the trial.
    """
    team = _Tied()
    with dial(post) as wire:
        wire.send(team.rank)
        lost = None
        try:
            differs = mixing(team.share(wanted or versions()), versions())
            met = team.gather((this_place(), this_node(), differs))
            if team.rank == 0:
                places, nodes, _ = zip(*met, strict=True)
                wire.send(Here(places, group, nodes, versions()))
            if others := {place: changes for place, _, changes in met if changes}:
                raise TrialError(not_the_same(others))
            if shared is not None:
                check_shared(shared, team)
            completed = training(trial, wire.send if team.rank == 0 else _nothing, team)
            if team.rank == 0:
                wire.send(completed)
        except MembersLost as error:
            lost = str(error)
            raise
        except Exception as error:
            wire.send(failed(trial.id, error))
            raise
        finally:
            wire.send(Leave(lost))


def check_shared(folder: Path, team: Team) -> None:
    """Raise TrialError where a member does not see what the leader writes into `folder`, FileError where it cannot."""

    def mark() -> str:
        files.make_folder(folder)
        name = f".seen-{secrets.token_hex(8)}"
        files.write_whole(folder / name)
        return name

    marker = folder / led(team, mark)
    leader = team.share(this_place())
    found = team.gather((this_place(), marker.exists()))
    if team.rank == 0:
        marker.unlink()
    if blind := [place for place, sees in found if not sees]:
        raise TrialError(not_shared(folder, leader, blind))


def not_shared(folder: Path, writer: str, blind: list[str]) -> str:
    """What to say where `blind` do not see what `writer` has written into `folder`."""
    return (
        f"{folder} is not the same folder everywhere: {', '.join(blind)} cannot see what {writer} has written there,"
        " and checkpoints would be lost. Give --runs a folder on a file system that every machine mounts at this path"
    )


class _Tied:
    """The process group, with an error of its own for the loss of others: it is not the training's failure."""

    def __init__(self) -> None:
        from trainers.distributed import Distributed

        self._group = Distributed()
        self.rank = self._group.rank
        self.size = self._group.size

    def sum(self, tensor: Tensor) -> None:
        with _others():
            self._group.sum(tensor)

    def gather(self, value: T) -> list[T]:
        with _others():
            return self._group.gather(value)

    def share(self, value: T) -> T:
        with _others():
            return self._group.share(value)


@contextmanager
def _others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise MembersLost(f"{type(error).__name__}: {error}".splitlines()[0]) from error


def _nothing(_: Told) -> None: ...
