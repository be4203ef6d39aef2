"""A password in --store, out of sight: a list of processes shows arguments to everyone, an environment to its owner."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

VARIABLE = "EXPANDER_STORE"
# user:password@ before the host, or a password among the options.
PASSWORD = re.compile(r"://[^/?]*:[^/?]*@|[?&][^=]*pass[^=]*=", re.IGNORECASE)


def hide_password() -> None:
    """Start this command anew without the password among its arguments, which are then in its environment."""
    arguments, url = without_store(sys.orig_argv[1:])
    if url is not None and PASSWORD.search(url) and sys.platform != "win32":
        os.execve(sys.executable, [sys.executable, *arguments], {**os.environ, VARIABLE: url})


def without_store(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments without --store, and what it was; None where it is not there, the last where it is twice."""
    left: list[str] = []
    url, given = None, iter(arguments)
    for argument in given:
        if argument == "--store":
            url = next(given, None)
        elif argument.startswith("--store="):
            url = argument.removeprefix("--store=")
        else:
            left.append(argument)
    return left, url
