"""How what is large is imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_once(*, frozen: bool = False) -> Iterator[None]:
    """Import without the collector of garbage, which else goes through all that is imported, time and again: of the
    time that PyTorch takes, a quarter. frozen: what is there afterwards is never collected, nor gone through; for a
    process that has done nothing yet."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
        if frozen:
            gc.freeze()
    finally:
        if on:
            gc.enable()
