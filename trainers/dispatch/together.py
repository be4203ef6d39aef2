"""One attempt at a trial by several processes: on Ray or on this machine, one after another as some are lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from expander.trial import Completed, Event, Failed, FailureKind, GoesOn, Started, Trial, Warned
from trainers.dispatch.wire import Gone, Here, Leave, Message, Post, Switchboard

# How often who waits for a word looks whether there is still somebody to say one.
LOOK_SECONDS = 0.2
# So many teams in a row that are lost without an epoch between them: then the trial itself ends its workers.
BARREN = 2


class Members(Protocol):
    """The processes of a team."""

    size: int

    def run(self) -> bool:
        """Whether they still train; not so, once one of them is lost."""

    def end(self, group: str | None) -> str:
        """End those that are left, and return what is known of those that were lost. group: as its members told."""


class Launcher(Protocol):
    """Starts teams."""

    @property
    def host(self) -> str:
        """An address of this machine that the members reach."""

    @property
    def elastic(self) -> bool:
        """Whether a team that loses a member is followed by another."""

    def launch(self, trial: Trial, post: Post, avoid: Sequence[str]) -> Members:
        """Start a team: as large as it should be or, elastic, as there is room for. Waits for room. avoid: machines, by
        Ray's ids, that no member may be started on."""

    def reason(self, worker: str, said: str) -> tuple[FailureKind, str]:
        """What kind of failure, and one line for people: why `worker` was lost, given what `Members.end` said."""


def attempt_together(
    launcher: Launcher, trial: Trial, tell: Callable[[Event], None], avoid: Sequence[str] = ()
) -> bool:
    """As `attempt`, with a team. An elastic team that loses a member is followed by another, from the last checkpoint.

    Then a further Started is told, with the workers that go on. Returns whether the trial completed.
    """
    barren = 0
    while True:
        heard = _train(launcher, trial, tell, avoid)
        if heard.outcome is not None:
            return isinstance(heard.outcome, Completed)
        barren = 1 if heard.epochs else barren + 1
        if not launcher.elastic or barren > BARREN:
            tell(heard.failure(launcher, trial, barren))
            return False


@dataclass
class _Heard:
    """What a team has told. places: 'host:pid' by rank; nodes: their machines. died: ranks that ended without a last
    word, first first."""

    size: int
    places: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    group: str | None = None
    epochs: int = 0
    outcome: Completed | Failed | None = None
    left: set[int] = field(default_factory=set)
    died: list[int] = field(default_factory=list)
    lost: str | None = None
    said: str = ""

    def take(self, rank: int, message: Message, trial: Trial, tell: Callable[[Event], None]) -> None:
        """Note a message, and tell what others should know at once: all but a failure, which waits for the end."""
        match message:
            case Here():
                self.places, self.nodes, self.group = message.places, message.nodes, message.group
                shared = message.nodes[0] if len(set(message.nodes)) == 1 else None
                tell(Started(trial.id, shown(message.places), shared, message.versions))
            case Leave():
                self.left.add(rank)
                self.lost = self.lost or message.lost
            case Gone():
                if rank not in self.left:
                    self.died.append(rank)
            case Failed():
                # Where all members fail alike, one tells it; of a failure that is the leader's alone, the leader.
                if self.outcome is None or rank == 0:
                    self.outcome = message
            case GoesOn() | Warned():  # neither is an epoch more
                tell(message)
            case Completed():
                self.outcome = message
                tell(message)
            case epoch:
                self.epochs += 1
                tell(epoch)

    def failure(self, launcher: Launcher, trial: Trial, barren: int) -> Failed:
        """That the team was lost, and why."""
        often = f", {barren} times without an epoch in between" if barren > BARREN else ""
        if self.lost and not self.died:
            line = f"the {self.size} workers lost each other{often}: {self.lost}"
            return Failed(trial.id, line, self.said, kind=FailureKind.LOST)
        first = self.died[0] if self.died and self.places else None
        one = "that was starting" if first is None else self.places[first]
        kind, line = launcher.reason(f"{one}, one of {self.size}," if self.size > 1 else one, self.said)
        node = self.nodes[first] if first is not None and self.nodes else None
        return Failed(trial.id, line + often, self.said, kind=kind, node=node)


def _train(launcher: Launcher, trial: Trial, tell: Callable[[Event], None], avoid: Sequence[str]) -> _Heard:
    """One team, from its start until none of its processes is left."""
    board = Switchboard(launcher.host)
    members, heard = None, _Heard(0)
    try:
        members = launcher.launch(trial, board.post, avoid)
        heard.size = members.size
        while members.run():
            if (word := board.next(LOOK_SECONDS)) is not None:
                heard.take(*word, trial, tell)
    finally:
        heard.said = members.end(heard.group) if members else ""
        under_way = list(board.close())
    for word in under_way:
        heard.take(*word, trial, tell)
    if isinstance(heard.outcome, Failed):
        # Told only now, when nobody is left to write what the next attempt reads.
        tell(heard.outcome)
    return heard


def shown(places: Sequence[str]) -> str:
    """Places by host: 'here:17,18 there:40'."""
    by_host = groupby((place.rpartition(":") for place in places), key=lambda parts: parts[0])
    return " ".join(f"{host}:{','.join(pid for _, _, pid in parts)}" for host, parts in by_host)
