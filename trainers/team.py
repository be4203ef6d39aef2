"""The processes that train one trial together: each has a rank, all of them call the same methods in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from expander.errors import ExpanderError, TrialError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Team(Protocol):
    """Who trains a trial. Member 0, the leader, alone writes files and reports.

    Every method is called by every member, in the same order; it returns when all have called it.
    """

    @property
    def rank(self) -> int:
        """This member's place, from 0."""

    @property
    def size(self) -> int:
        """Members."""

    def sum(self, tensor: Tensor) -> None:
        """Replace `tensor` by the sum over the members: the same bits on each of them."""

    def gather(self, value: T) -> list[T]:
        """The value of every member, by rank; plain values that pickle."""

    def share(self, value: T) -> T:
        """The leader's value."""


class Alone:
    """A team of one."""

    rank = 0
    size = 1

    def sum(self, tensor: Tensor) -> None:
        """Nothing: the sum over one member."""

    def gather(self, value: T) -> list[T]:
        """The one value."""
        return [value]

    def share(self, value: T) -> T:
        """The value."""
        return value


def led(team: Team, act: Callable[[], T]) -> T:
    """What `act` returns, on every member; the leader alone calls it.

    What it raises every member raises, so that none waits for a leader who is gone, and all know the reason.
    """
    if team.size == 1:
        return act()
    value: T | None = None
    failure: Exception | None = None
    if team.rank == 0:
        try:
            value = act()
        except Exception as error:  # noqa: BLE001  raised below, once the others know
            failure = error
    value, told = team.share((value, _sendable(failure)))
    if failure is not None:
        raise failure
    if told is not None:
        raise told
    return value  # type: ignore[return-value]  # of a T that may be None itself


def _sendable(failure: Exception | None) -> ExpanderError | None:
    """An error that pickles, whatever the leader's is."""
    if failure is None or isinstance(failure, ExpanderError):
        return failure
    return TrialError(f"the process that leads the others failed: {type(failure).__name__}: {failure}")


ALONE = Alone()
