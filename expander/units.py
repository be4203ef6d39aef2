"""Counts and times as people read them."""

from __future__ import annotations

PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def human(count: float, digits: int = 4) -> str:
    """A count with its SI prefix, to so many digits: 605256512 as '605.3 M', 41000000 as '41.00 M'."""
    for prefix in PREFIXES[:-1]:
        if abs(count) < 1000:
            return _scaled(count, digits, prefix)
        count /= 1000
    return _scaled(count, digits, PREFIXES[-1])


def _scaled(count: float, digits: int, prefix: str) -> str:
    return (f"{count:#.{digits}g}".removesuffix(".") + f" {prefix}").rstrip()


def duration(seconds: float) -> str:
    """Seconds as people say them: '42 s', '3 min 05 s', '2 h 10 min', '3 d 4 h'."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
