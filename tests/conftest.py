"""What several test files share: a small set of real videos, and the command as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers import PostgresServer
    from torch import nn

    from trainers.networks.kernels.calls import Kernels

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
# Before anything imports Triton: where there is no GPU, its interpreter runs the kernels of test_triton.py. Nothing
# else that is tested uses it.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")


@dataclass(frozen=True)
class Videos:
    """The manifests of a set of videos."""

    train: Path
    val: Path


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Videos:
    """Six classes, four training and two validation videos each."""
    from trainers.data.synthetic import write_videos

    return Videos(*write_videos(tmp_path_factory.mktemp("videos"), train_per_class=4, val_per_class=2))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """PostgreSQL, running; skips where it cannot."""
    import servers

    if reason := servers.missing():
        pytest.skip(reason)
    with servers.postgres() as running:
        yield running


@pytest.fixture(scope="session")
def create_x3d() -> Callable[..., nn.Module]:
    """PyTorchVideo 0.1.5's; skips where it is not installed.

    Its age: it imports torchvision for a layer that X3D has not.
    """
    stubs = {name: ModuleType(name) for name in ("torchvision", "torchvision.ops")}
    stubs["torchvision.ops"].RoIAlign = None  # type: ignore[attr-defined]
    added = [name for name in stubs if sys.modules.setdefault(name, stubs[name]) is stubs[name]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = pytest.importorskip("pytorchvideo.models.x3d", reason="PyTorchVideo is not installed (extra dev)")
    finally:
        for name in added:
            del sys.modules[name]
    created: Callable[..., nn.Module] = module.create_x3d
    return created


Expander = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def expander(tmp_path: Path) -> Expander:
    """`expander ARGUMENTS...` in an empty folder; its output, and its exit code checked."""

    def run(*arguments: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command(*arguments), cwd=tmp_path, env=environment(), capture_output=True, text=True)
        assert code in (None, done.returncode), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def command(*arguments: object) -> list[str]:
    """The installed command, beside the interpreter that runs the tests."""
    return [str(Path(sys.executable).parent / "expander"), *map(str, arguments)]


def heed_ctrl_c() -> None:
    """For `preexec_fn`: tests that run in the background have SIGINT ignored, and what they start inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def environment() -> dict[str, str]:
    """Warnings of ours are errors in the command too; none of the user's settings reach it."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("EXPANDER_", "RAY_"))}
    return inherited | {"COLUMNS": "120"}


@pytest.fixture
def kernels() -> Kernels:
    """The compiled kernels of this process."""
    from trainers.networks import paths
    from trainers.networks.kernels import library

    try:
        library.find_compiler()
    except library.Unavailable as error:
        pytest.skip(str(error))
    found = paths.compiled()
    assert found is not None
    return found
