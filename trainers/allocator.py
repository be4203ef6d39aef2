"""What glibc's allocator does with memory that is freed."""

from __future__ import annotations

import ctypes
import os
import platform

# Of glibc's mallopt.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc keep the pages of freed activations and pictures; nothing with another C library, or
    EXPANDER_KEEP_MEMORY=off.

    By default it gives them back and maps them anew at every step, or frame, which costs up to a quarter of the time.
    """
    if platform.libc_ver()[0] == "glibc" and os.environ.get("EXPANDER_KEEP_MEMORY") != "off":
        libc = ctypes.CDLL(None)
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(option, LARGEST_INT)
