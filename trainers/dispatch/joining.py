"""The way to a Ray: one of one's own, or a cluster. Without PyTorch, which only a process that trains needs."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from typing import Any

import ray
from ray._private import ray_constants
from ray._raylet import Config  # type: ignore[attr-defined]

from expander.errors import ExpanderError, UsageError

# Read by Ray Tune: no result files, no tables on stdout, no tracebacks in the log (they are in each Failed), and no
# change of directory in a worker, which would give a relative path another meaning there. Read by Ray: no statistics
# for its makers, and no processes before they are asked for, as Tune's have an environment of their own.
ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",
}
CONNECT_SECONDS = 10
LOOPBACK = ("127.0.0.1", "localhost")
# Whether this Ray knows clusters at all, which those for Windows and macOS do not unless told to.
CLUSTERS: bool = ray_constants.ENABLE_RAY_CLUSTER


class Joining:
    """A local Ray, or a cluster, from `join` to `leave`.

    address: 'host:port', 'auto', or None for RAY_ADDRESS where that is set, else a local Ray. threads: for OpenMP in
    each worker.
    """

    def __init__(self, address: str | None, threads: int) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._threads = threads
        self._joined = False

    @property
    def local(self) -> bool:
        """Whether it is a Ray of one's own."""
        return self._address == "local"

    def join(self) -> None:
        """Start the local Ray, or join the cluster, where that has not been done. Raises UsageError where there is no
        such cluster, ExpanderError where a local one does not start."""
        if not self._joined:
            os.environ.update(ENVIRONMENT)
            _connect(self._address, self._threads)
            self._joined = True

    def leave(self) -> None:
        """End the local Ray, or leave the cluster."""
        self._joined = False
        ray.shutdown()


def _connect(address: str, threads: int) -> None:
    """Start a local Ray or join a cluster, with `threads` threads for OpenMP in each worker and nothing on stdout."""
    if "://" in address:
        raise UsageError(
            f"--ray-address {address}: through Ray Client, epochs cannot be reported as they happen; run this command "
            "on a machine of the cluster, with --ray-address auto"
        )
    if address not in ("local", "auto"):
        _probe(address)
    # Ray listens on every address of a machine, and looks for itself at its outer one, unless this switch for Windows
    # says that there are no clusters.
    ray_constants.ENABLE_RAY_CLUSTER = CLUSTERS and address.partition(":")[0] not in ("local", *LOOPBACK)
    # Only messages pass through the object store, for which Ray would reserve a third of the memory.
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": 100 * 2**20} if address == "local" else {}
    environment = {
        "OMP_NUM_THREADS": str(threads),
        # A process takes its next trial once the thread of the last one has ended; Tune gives that so many seconds.
        "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
        # A trial is in a thread of its process, for which glibc would have a heap of its own. What is freed there it
        # gives back, whatever it is told (trainers/allocator.py), and maps it anew: 2 to 3 % of a step.
        "MALLOC_ARENA_MAX": "1",
    }
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": environment},
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    before = signal.getsignal(signal.SIGTERM)
    if address != "local":
        _show_token(address)
    try:
        ray.init(address, **options, **own)
    except Exception as error:  # as Ray itself raises, where a machine is too busy
        if address == "local":
            raise ExpanderError(
                f"Ray does not start on this machine: {error} `expander resume NAME` tries again, and with --dispatcher"
                " inline it goes without Ray"
            ) from error
        if not isinstance(error, ConnectionError | RuntimeError | ValueError):
            raise
        raise UsageError(
            f"cannot join the Ray cluster at {address}: {error}. If it asks for a token, set RAY_AUTH_TOKEN_PATH to the"
            " file of it, or RAY_AUTH_MODE=token for ~/.ray/auth_token"
        ) from error
    if threading.current_thread() is threading.main_thread():
        # Ray takes SIGTERM to itself and exits at once; its caller has trials to stop and a store to tell.
        signal.signal(signal.SIGTERM, before)
    # Ray prints the death of a worker to stdout, whatever log_to_driver says. The trial's Failed tells it.
    ray._private.worker.print_to_stdstream = _discard


def _show_token(address: str) -> None:
    """Show the cluster a token where the user names one, which ray.init alone does not.

    The file in the home, which every local Ray makes, says nothing about this cluster; and one that asks for no token
    fails those who show theirs.
    """
    if "RAY_AUTH_MODE" not in os.environ and {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        os.environ["RAY_AUTH_MODE"] = "token"
        Config.initialize("")  # it has read the environment before
    if os.environ.get("RAY_AUTH_MODE") != "token":
        logging.getLogger(__name__).warning(
            "the Ray cluster at %s is joined without a token: whoever reaches its ports can run programs on it;"
            " docs/operations.md says how to give it one",
            address,
        )


def _discard(*args: Any, **kwargs: Any) -> None: ...


def _probe(address: str) -> None:
    # Ray itself goes on trying a wrong address for minutes.
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"--ray-address {address}: no Ray cluster answers there ({error}); expected host:port as "
            "'ray start --head' prints it, 'auto', or nothing for a local Ray"
        ) from error
