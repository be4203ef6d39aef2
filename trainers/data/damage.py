"""The videos that could not be read: counted, named, and no more of them than the search space allows."""

from __future__ import annotations

import logging

from expander.errors import DataError
from expander.trial import Damage
from trainers.data.clips import Damaged

NAMED = 5

logger = logging.getLogger(__name__)


class Ledger:
    """Damaged videos of one trial. total: videos that it reads; share: of these, how many may be damaged, in [0, 1].

    manifest: 'train' or 'val', which lists them. before: the entries of another manifest, which an error takes along.
    """

    def __init__(self, total: int, share: float, manifest: str = "train", before: tuple[Damage, ...] = ()) -> None:
        self.total = total
        self.share = share
        self.manifest = manifest
        self.before = before
        self._reasons: dict[str, str] = {}

    @property
    def videos(self) -> tuple[str, ...]:
        """'path: reason' of each damaged video, sorted; its first reason where it had several."""
        return tuple(f"{path}: {reason}" for path, reason in sorted(self._reasons.items()))

    @property
    def entries(self) -> tuple[Damage, ...]:
        """Each damaged video, also those of `before`."""
        own = (Damage(self.manifest, path, reason) for path, reason in sorted(self._reasons.items()))
        return (*self.before, *own)

    def add(self, damaged: Damaged) -> None:
        """Count a video, once. Raises DataError when more than the share are damaged."""
        if damaged.path not in self._reasons:
            self._reasons[damaged.path] = damaged.reason
            # One from a checkpoint, whose place is not known any more, was logged as it was met.
            if damaged.index >= 0:
                logger.info("damaged video %s: %s", damaged.path, damaged.reason)
        if len(self._reasons) > self.share * self.total:
            error = DataError(self._message())
            error.ledger = self.entries
            raise error

    def _message(self) -> str:
        count = len(self._reasons)
        lines = [f"{count:,} of {self.total:,} videos cannot be read, more than the {self.share:.2%} allowed:"]
        lines += [f"  {video}" for video in self.videos[:NAMED]]
        if count > NAMED:
            lines.append(f"  and {count - NAMED:,} more")
        lines.append("Repair them or take them out of the manifest, or raise the share (data.damage_share in a space).")
        return "\n".join(lines)
