"""Processes that carry out tasks side by side, each of which may crash or hang without harm to the others."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Crashed:
    """What came of a task whose process ended, or was ended, without a result. reason: one line for people."""

    reason: str


def carry_out(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
    limit: Callable[[Task], float] | None = None,
) -> Iterator[tuple[Task, Result | Crashed]]:
    """Each task with what `work` made of it, as they are done; their order is that of the tasks at one process only.

    work: a function of a module; tasks and results pickle. An error that it raises is written to stderr and is a crash.
    limit: the seconds after which a task is given up and its process killed. The processes heed no Ctrl-C; they end
    with the iteration, also where it is given up, and with this process.
    """
    waiting = deque(tasks)
    crew: list[_Worker[Task, Result]] = []
    try:
        while waiting or crew:
            for worker in crew:
                if waiting and worker.task is None and worker.give(waiting[0]):
                    waiting.popleft()
            crew = [worker for worker in crew if worker.task is not None or worker.dismiss()]
            while waiting and len(crew) < processes:
                crew.append(_Worker(work, limit))
                if crew[-1].give(waiting[0]):
                    waiting.popleft()
            busy = [worker for worker in crew if worker.task is not None]
            until = min((worker.deadline for worker in busy), default=math.inf)
            pause = None if until == math.inf else max(0.0, until - time.monotonic())
            # For nothing, one would wait for ever.
            ready = wait([worker.connection for worker in busy], pause) if busy else []
            for worker in busy:
                if worker.connection in ready:
                    yield worker.take()
                elif time.monotonic() > worker.deadline:
                    yield worker.give_up()
    finally:
        for worker in crew:
            worker.kill()


class _Worker(Generic[Task, Result]):
    """One process, and the task that it has in hand."""

    def __init__(self, work: Callable[[Task], Result], limit: Callable[[Task], float] | None) -> None:
        # Spawned: a fork would hold the pipes of the others open.
        context = multiprocessing.get_context("spawn")
        self.task: Task | None = None
        self.limit = limit
        self.deadline = math.inf
        self.seconds = 0.0
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(work, theirs), daemon=True)
        # Ignored from its first moment on: Ctrl-C reaches all processes of a terminal.
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.process.start()
        finally:
            signal.signal(signal.SIGINT, heeded)
        theirs.close()

    def give(self, task: Task) -> bool:
        """Hand a task over; False where the process is gone."""
        try:
            self.connection.send(task)
        except OSError:
            return False
        self.task = task
        if self.limit is not None:
            self.seconds = self.limit(task)
            self.deadline = time.monotonic() + self.seconds
        return True

    def take(self) -> tuple[Task, Result | Crashed]:
        """The task in hand with its result; blocks until there is one."""
        task = self.task
        assert task is not None
        self.task = None
        try:
            result: Result = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return task, Crashed(_end(self.process.exitcode))
        return task, result

    def give_up(self) -> tuple[Task, Crashed]:
        """The task in hand, whose process is killed."""
        task = self.task
        assert task is not None
        self.task = None
        self.process.kill()
        self.connection.close()  # it gets no other
        return task, Crashed(f"the process that read it did not end within {self.seconds:.0f} s, and was killed")

    def dismiss(self) -> bool:
        """End a process without a task; always False."""
        self.connection.close()
        self.process.join()
        return False

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _end(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"the process that read it was ended by {signal.Signals(-exitcode).name}"
    return f"the process that read it ended with exit code {exitcode}"


def _serve(work: Callable[[Task], Result], connection: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(work(task))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
