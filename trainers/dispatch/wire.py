"""How the processes of a team tell what happens to the one that holds their trial, and how it notices who is gone."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from queue import Empty, SimpleQueue
from threading import Thread

from expander.trial import Completed, Epoch, Failed, GoesOn, Warned

# Members connect at the same moment.
BACKLOG = 1024
# How long what was sent by processes that have ended may be under way.
DRAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Post:
    """Where members tell: an address, and the key without which nobody is heard."""

    host: str
    port: int
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Here:
    """All members have met, says the leader. places: 'host:pid' by rank. group: what Ray reserved for them, if Ray.

    nodes: their machines by rank. versions: of what trains there, the same for all in what matters.
    """

    places: tuple[str, ...]
    group: str | None = None
    nodes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Leave:
    """The last word of a member. lost: what it saw where the others were gone, None where it ends by itself."""

    lost: str | None = None


@dataclass(frozen=True)
class Gone:
    """Heard of a member after its last word; or without one, when it has died."""


Message = Here | Epoch | GoesOn | Warned | Completed | Failed | Leave | Gone


def dial(post: Post) -> Connection:
    """The wire of one member, which sends its rank and then messages."""
    return Client((post.host, post.port), authkey=post.key)


class Switchboard:
    """Listens at `host`, an address of this machine that every member reaches.

    A connection of its own, not `ray.train.report`, which every member would have to call as often, and which arrives
    at Ray Train's next look at its workers; and no actor, which is one more process for each trial.
    """

    def __init__(self, host: str) -> None:
        key = secrets.token_bytes(32)
        self._listener = Listener((host, 0), backlog=BACKLOG, authkey=key)
        self.post = Post(host, self._listener.address[1], key)
        self._heard: SimpleQueue[tuple[int, Message]] = SimpleQueue()
        self._closed = False
        self._wires: list[tuple[Connection, Thread]] = []
        self._thread = Thread(target=self._accept, name="switchboard", daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> tuple[int, Message] | None:
        """The next message and the rank that it is from; None where none comes within `seconds`."""
        with suppress(Empty):
            return self._heard.get(timeout=seconds)
        return None

    def close(self) -> Iterator[tuple[int, Message]]:
        """Hang up, and give what was still under way. For when no member runs any more."""
        self._closed = True
        with suppress(OSError):
            socket.create_connection((self.post.host, self.post.port), timeout=1).close()  # wakes who accepts
        self._thread.join()
        self._listener.close()
        for wire, thread in self._wires:
            thread.join(DRAIN_SECONDS)
            if thread.is_alive():  # its machine is gone, and nobody says so
                with suppress(OSError), socket.socket(fileno=wire.fileno()) as half_open:
                    half_open.shutdown(socket.SHUT_RDWR)
                    half_open.detach()
                thread.join()
        while not self._heard.empty():
            yield self._heard.get()

    def _accept(self) -> None:
        while True:
            # A stranger is sent away.
            with suppress(AuthenticationError, EOFError, OSError):
                wire = self._listener.accept()
                thread = Thread(target=self._hear, args=(wire,), name="wire", daemon=True)
                self._wires.append((wire, thread))
                thread.start()
            if self._closed:
                return

    def _hear(self, wire: Connection) -> None:
        with wire, suppress(EOFError, OSError):
            rank: int = wire.recv()
            try:
                while True:
                    self._heard.put((rank, wire.recv()))
            finally:
                self._heard.put((rank, Gone()))
