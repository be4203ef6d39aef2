"""One writer for the folder of a trial: an attempt that a later one has replaced stops before it writes there again.

A coordinator that was taken over, or a machine that was cut off, may leave an attempt training. Where the file system
is shared, it is told by a file beside the checkpoints that names the last attempt.
"""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from expander.errors import TrialError
from expander.files import write_whole

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """What a coordinator trains by. search: its name; key: of this one search, wherever another is named alike.

    number: of its lease. claimed: when it got that, in ISO 8601 in UTC and always with microseconds, so that the later
    is the greater; numbers begin again in a store that is restored. holder: its process.
    """

    search: str
    key: str
    number: int
    claimed: str
    holder: str


@dataclass(frozen=True)
class Fence:
    """One attempt's, in the folder of its trial. claim: None where no coordinator orders it, and nothing is checked."""

    folder: Path
    claim: Claim | None = None
    attempt: str = field(default_factory=lambda: secrets.token_hex(8))

    def begin(self) -> None:
        """Become the last attempt. Raises TrialError where a later coordinator of the same search has begun one."""
        if self.claim is None:
            return
        last = self._last()
        if last is not None and last[0].claimed > self.claim.claimed:
            raise TrialError(self._told(last[0]))
        text = json.dumps(asdict(self.claim) | {"attempt": self.attempt}, indent=2)
        write_whole(self._path(self.claim), text.encode())

    def check(self) -> None:
        """Raises TrialError where this is no longer the last attempt. To be called before anything is written.

        What another attempt writes in the moment between this and the writing is as whole, and of the same training.
        """
        if self.claim is not None and (last := self._last()) is not None and last[1] != self.attempt:
            raise TrialError(self._told(last[0]))

    def _last(self) -> tuple[Claim, str] | None:
        """The last attempt's claim and name; None where nobody has begun one, or the folder was emptied."""
        assert self.claim is not None
        path = self._path(self.claim)
        try:
            values = json.loads(path.read_bytes())
            attempt = values.pop("attempt")
            return Claim(**values), attempt
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as damage:
            logger.warning("%s is damaged (%s); it is written anew by the next attempt", path, damage)
            return None

    def _path(self, claim: Claim) -> Path:
        # One for each search: two that train the same at once have lived side by side.
        return self.folder / f"attempt-{claim.key}.json"

    def _told(self, last: Claim) -> str:
        assert self.claim is not None
        who = f"{last.holder} (lease {last.number} of search {last.search!r}, claimed {last.claimed})"
        if last == self.claim:
            who = f"a later attempt of the same coordinator, {last.holder}"
        return f"this attempt was replaced by {who}, and writes no more to {self.folder}"
