"""The error tree. Every error that a user can meet says what was found, where, what is allowed and what to do.

ExpanderError            exit 1
├── UsageError           exit 2    a wrong argument, a name that exists or does not
│   └── SpaceError       exit 2    a search space or an exported config that is wrong
├── DataError            exit 1    the videos of a manifest
│   └── ManifestError    exit 2    a manifest that is wrong
├── StoreError           exit 1    the SQL store
│   ├── StoreUrlError    exit 2    a URL that names no store
│   ├── StoreAway        exit 1    its server cannot be reached: it may be back in a moment
│   └── LeaseLost        exit 1    another process runs the search now, or may soon
├── FileError            exit 2    a file that cannot be written, or read back: a full disk, a mount that is gone
├── TrialError           exit 1    one training that cannot go on
│   ├── Diverged         exit 1    ... as its loss or gradients are no numbers, or far beyond chance
│   └── DeviceMemoryError  exit 1  ... as not even the smallest piece fits in the device's memory
├── StepFailed           exit 1    a step without the outcomes that its decision needs
└── Interrupted          exit 130  Ctrl-C
"""

from __future__ import annotations

from typing import Any


class ExpanderError(Exception):
    """Base of every error that is reported without a traceback."""

    exit_code = 1


class UsageError(ExpanderError):
    """The user's mistake: fix the command and run it again."""

    exit_code = 2


class SpaceError(UsageError):
    """A search space or an exported config is wrong; lists every mistake of the file."""


class DataError(ExpanderError):
    """More videos of a manifest are damaged than the space allows. ledger: these, each a Damage."""

    ledger: tuple[Any, ...] = ()


class ManifestError(DataError):
    """A manifest cannot be read, or says what cannot be; lists every mistake of the file."""

    exit_code = 2


class StoreError(ExpanderError):
    """The SQL store is unreachable, unreadable or written by another version."""


class StoreUrlError(StoreError):
    """A URL that no store can be at."""

    exit_code = 2


class StoreAway(StoreError):
    """The store's server cannot be reached. A write that it ends may have been recorded or not."""


class LeaseLost(StoreError):
    """This process may not write to its search any more: another one runs it now, or may soon."""


class FileError(ExpanderError):
    """A file that cannot be written, or read back; whatever was there is unchanged. Its cause is the OSError.

    number: that one's errno, kept where the error is sent to another process.
    """

    exit_code = 2

    def __init__(self, text: str, number: int | None = None) -> None:
        super().__init__(text)
        self.number = number


class TrialError(ExpanderError):
    """One training that cannot go on, such as a loss that is not a number."""


class Diverged(TrialError):
    """A training whose loss or gradients are no numbers, or whose loss is far beyond chance."""


class DeviceMemoryError(TrialError):
    """A training of which not even the smallest piece fits in the device's memory."""


class StepFailed(ExpanderError):
    """A step lacks the outcomes that its decision needs."""


class Interrupted(ExpanderError):
    """Stopped by the user; everything recorded is kept."""

    exit_code = 130
