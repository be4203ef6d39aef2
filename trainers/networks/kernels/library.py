"""The C kernels as a library: compiled by the system's compiler at first use, and kept in the user's cache."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from expander.errors import FileError
from expander.files import digest, write_whole

SOURCES = (
    *("activations.h", "norm.h", "product.h", "channelwise.h", "channelwise.c", "norm.c", "pointwise.h"),
    "pointwise.c",
)
# `native`: made for the machine that compiles, so the processor is in the name. Signs and NaN are kept, traps are not.
FLAGS = (
    *("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-march=native"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC"),
    *(("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()),
)
# "off" leaves everything to PyTorch.
VARIABLE = "EXPANDER_KERNELS"
SECONDS = 300

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """Why there are no compiled kernels here."""


@cache
def library() -> ctypes.CDLL | None:
    """The kernels, or None: then PyTorch computes, and one line of the log says why, unless they are switched off."""
    if os.environ.get(VARIABLE) == "off":
        return None
    try:
        return ctypes.CDLL(str(compiled(folder())))
    except (Unavailable, FileError, OSError) as error:
        logger.warning("PyTorch computes what compiled kernels would, 1.2 to 2 times slower: %s", error)
        return None


def folder() -> Path:
    """Where this user's libraries are kept. Raises Unavailable for a user without a home."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "x3d-expander" / "kernels"
    try:
        return Path.home() / ".cache" / "x3d-expander" / "kernels"
    except RuntimeError as error:
        raise Unavailable(f"there is nowhere to keep them ({error}); set XDG_CACHE_HOME to a folder") from error


def compiled(where: Path) -> Path:
    """The library in `where`, which is made if need be, or anew where it is damaged. Of processes that need it at once
    one makes it.

    Raises Unavailable without a compiler that can, FileError or OSError where `where` cannot be written to.
    """
    compiler = find_compiler()
    path = where / f"{_key(compiler)}.so"
    if not _whole(path):
        # What is loaded runs as this user: nobody else may write there.
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w") as lock:
            with suppress(OSError):  # a file system without locks: several compile, and the last one's stays
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _whole(path):
                _compile(compiler, path)
    if (owner := where.stat().st_uid) != os.getuid():
        raise Unavailable(f"{where} is another user's ({owner})")
    return path


def find_compiler() -> str:
    """CC, or the system's. Raises Unavailable."""
    if platform.system() != "Linux":
        raise Unavailable("they are made for Linux")
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise Unavailable(f"there is no C compiler ({', '.join(names)}); install gcc, or set {VARIABLE}=off")
    return found


def _key(compiler: str) -> str:
    """Names what the library depends on: its sources and flags, the compiler's version and the processor."""
    parts = [(Path(__file__).parent / name).read_text() for name in SOURCES]
    parts += [*FLAGS, _output([compiler, "--version"]), platform.machine(), _instructions()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _instructions() -> str:
    """The processor's model and what it can; of the first core."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
        first = info.read().partition("\n\n")[0]
    return "\n".join(line for line in first.splitlines() if line.startswith(("model", "flags", "Features", "CPU ")))


def _whole(path: Path) -> bool:
    """Whether the library is there, and is what was compiled: a damaged one would take the process down."""
    try:
        return digest(path) == path.with_suffix(".sha256").read_text()
    except (FileError, OSError, UnicodeDecodeError):
        return False


def _compile(compiler: str, path: Path) -> None:
    made = path.with_suffix(f".{platform.node()}-{os.getpid()}")
    sources = [str(Path(__file__).parent / name) for name in SOURCES if name.endswith(".c")]
    try:
        _output([compiler, *FLAGS, *sources, "-o", str(made), "-lm"])
        write_whole(path.with_suffix(".sha256"), digest(made).encode())
        os.replace(made, path)
    finally:
        made.unlink(missing_ok=True)


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise Unavailable(f"{command[0]} does not compile them: {lines[0] if lines else done.returncode}")
    return done.stdout
