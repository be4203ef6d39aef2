"""What a search is carried out with, and which changes of it would mix results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# How many parts of a version are compared; None is all of it. What differs in these trains or decides otherwise.
MIXING: Mapping[str, int | None] = {"trainer": None, "code": None, "torch": 2, "av": 1}
# Of these, what a user may accept. Another trainer version gives trials other names: only a fork takes them.
ACCEPTABLE = ("code", "torch", "av")
# What each of them is.
MEANING: Mapping[str, str] = {
    "trainer": "the version of the training itself",
    "code": "the sources that decide and train",
    "torch": "PyTorch, whose kernels a trial is computed with",
    "av": "PyAV, which decodes the videos",
}


@dataclass(frozen=True)
class Change:
    """One part that is not what it was. kind: a key of the versions. trial: whose it is; None for the search's own."""

    kind: str
    recorded: str
    now: str
    trial: str | None = None

    @property
    def mixes(self) -> bool:
        """Whether going on would mix results."""
        return not same(self.kind, self.recorded, self.now)

    @property
    def line(self) -> str:
        """For people."""
        whose = f" (trial {self.trial})" if self.trial else ""
        return f"{self.kind}: {self.recorded} recorded{whose}, {self.now} now"


def changes(recorded: Mapping[str, str], now: Mapping[str, str], trial: str | None = None) -> tuple[Change, ...]:
    """What both have and what differs, in the order of `recorded`."""
    return tuple(
        Change(kind, recorded[kind], now[kind], trial)
        for kind in recorded
        if kind in now and recorded[kind] != now[kind]
    )


def mixing(recorded: Mapping[str, str], now: Mapping[str, str], trial: str | None = None) -> tuple[Change, ...]:
    """Those of the changes that would mix results."""
    return tuple(change for change in changes(recorded, now, trial) if change.mixes)


def same(kind: str, one: str, other: str) -> bool:
    """Whether two versions of `kind` give the same results: torch 2.6.0 and 2.6.1 do."""
    if kind not in MIXING or one == other:
        return True
    parts = MIXING[kind]
    return parts is not None and one.split(".")[:parts] == other.split(".")[:parts]
