"""What keeps a lease while the main thread waits for trials, and stops the process before another may take it over."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Lock, Thread
from types import TracebackType

from expander.errors import LeaseLost


class Heartbeat:
    """A context manager. A lease has four quarters: it is renewed in each; where it could not be, trouble is said, and
    after the third the process stops, so that the last is left for stopping.

    renew: one transaction; raises LeaseLost once another process has the search, and anything else where the store
    cannot be reached. seconds: of the lease. lost: set where it is lost, by whoever notices first; he alone acts.
    say: is given a line for people. stop: makes the main thread stop. Both are called from threads.
    """

    def __init__(
        self,
        renew: Callable[[], None],
        seconds: float,
        lost: Flag,
        *,
        say: Callable[[str], None],
        stop: Callable[[], None],
    ) -> None:
        self.reason: str | None = None
        self._renew = renew
        self._quarter = seconds / 4
        self._lost = lost
        self._say = say
        self._stop = stop
        self._over = Flag()
        self._sooner = Flag()
        self._lock = Lock()
        self._renewed = time.monotonic()
        self._trouble: str | None = None
        # Two, because a server that has vanished keeps the one that asks it waiting for minutes.
        self._threads = [Thread(target=work, name="lease", daemon=True) for work in (self._beat, self._watch)]

    def __enter__(self) -> Heartbeat:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._end()
        # One that still waits for a server is left to it: what it renews then is no longer held.
        for thread in self._threads:
            thread.join(min(1.0, self._quarter))

    def wait_out(self, trouble: str, seconds: float) -> bool:
        """Wait so long for a store that another has found away; False where the lease is lost, or would be by now.

        trouble: why. It is said if nothing was yet, and the lease is renewed at once: so it is seen when that is over.
        """
        self._complain(trouble, "the store of this search cannot be reached")
        self._sooner.set()
        if self._lost.wait(seconds):
            with self._lock:  # until `stop` was called
                return False
        return not self._over.is_set() or self._left() + self._quarter > 0

    def _beat(self) -> None:
        while not self._over.is_set():
            # From before it was asked: the store's clock can only have read later.
            begun = time.monotonic()
            try:
                self._renew()
            except LeaseLost as error:
                self._lose(str(error))
                return
            except Exception as error:  # noqa: BLE001  whatever it is, the lease was not renewed
                if not self._over.is_set():
                    self._complain(str(error), "the lease of this search cannot be renewed")
                pause = self._quarter / 5
            else:
                self._renewed = begun
                self._recover()
                pause = self._quarter
            self._sooner.wait(pause)
            self._sooner.clear()

    def _watch(self) -> None:
        # Who was stopped for long (SIGSTOP) has a quarter from when it goes on to learn whether it was taken over.
        while not self._over.wait(max(0.01, self._left())):
            if self._left() <= 0 and not self._over.wait(self._quarter) and self._left() <= 0:
                seconds = time.monotonic() - self._renewed
                why = self._trouble or "the store does not answer, or this process was stopped meanwhile"
                self._lose(
                    f"the lease of this process could not be renewed for {seconds:.0f} seconds ({why}): this process"
                    " stops before another may take the search over; everything recorded is kept, and `expander resume`"
                    " goes on once the store answers"
                )
                return

    def _left(self) -> float:
        """Seconds until the second quarter is over."""
        return self._renewed + 2 * self._quarter - time.monotonic()

    def _complain(self, trouble: str, what: str) -> None:
        before, self._trouble = self._trouble, trouble
        if before is None:
            left = max(0.0, self._left() + self._quarter)
            self._say(
                f"{what} ({trouble}): trying on; unless the store answers within {left:.0f} seconds this process stops"
            )

    def _recover(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self._say("the store answers again, and the lease of this search is renewed")

    def _lose(self, reason: str) -> None:
        with self._lock:
            if self._over.is_set() or self._lost.is_set():
                return
            self.reason = reason
            self._lost.set()
            self._end()
            self._stop()

    def _end(self) -> None:
        self._over.set()
        self._sooner.set()
