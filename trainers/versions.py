"""What trains here: versions of the packages, of the training itself and of the sources that decide and train."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from expander.errors import TrialError
from expander.inputs import Change, mixing
from expander.trial import TRAINER

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "av", "numpy", "x3d-expander")
# Below the root, folders with all that is in them. What only starts, reads, writes, watches or exports is left out, and
# so is what reads manifests and spaces: what they hold is compared itself.
DECIDE = tuple(
    f"expander/{name}.py"
    for name in ("axis", "complexity", "cost", "efficientnet3d", "geometry", "recipe", "search", "solve", "trial")
)
TRAIN = (
    *(
        f"trainers/{name}.py"
        for name in (
            *("batches", "distributed", "evaluate", "fitting", "gradients", "graphs", "learner", "loading"),
            *("micro_batch", "precision", "schedule", "team", "train", "training"),
        )
    ),
    *(
        f"trainers/data/{name}.py"
        for name in ("clips", "converter", "damage", "decode", "frames", "jpeg", "packets", "pictures")
    ),
    *("trainers/networks", "trainers/networks/gpu", "trainers/networks/kernels"),
)
# Python, and what a compiler makes of C.
SUFFIXES = (".py", ".c", ".h")
GIT_SECONDS = 10


def versions() -> dict[str, str]:
    """Versions by name: Python, packages whose version can change a result, `trainer` and `code`; `commit`, `cuda` and
    `cudnn` where there are such.

    Of the sources as they were when this process first asked, which is when it loads them.
    """
    return {**_versions(), **_processor()}


@cache
def sources() -> Mapping[str, str]:
    """Eight hexadecimal digits of each source that decides or trains, by its path below the root."""
    files = [path for name in (*DECIDE, *TRAIN) for path in sorted(_files(ROOT / name))]
    return {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:8] for path in files}


def refuse_others(wanted: Mapping[str, str] | None, place: str) -> None:
    """Raise TrialError where this process would train otherwise than one with the versions `wanted`."""
    if found := mixing(wanted or {}, versions()):
        raise TrialError(not_the_same({place: found}))


def not_the_same(others: Mapping[str, Sequence[Change]]) -> str:
    """What to say where places have other versions than the coordinator. others: by place, from what it has."""
    listed = "; ".join(
        f"{place} has {', '.join(f'{c.kind} {c.now} where the coordinator has {c.recorded}' for c in found)}"
        for place, found in others.items()
    )
    return f"not all machines would train the same: {listed}. Install the coordinator's versions there"


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    digest = hashlib.sha256(json.dumps(dict(sources()), sort_keys=True).encode()).hexdigest()[:16]
    found |= {"trainer": str(TRAINER), "code": digest}
    return found | ({"commit": commit} if (commit := _commit()) else {})


def _processor() -> dict[str, str]:
    # Importing torch takes seconds, and who trains has done so.
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "version") or torch.version.cuda is None:
        return {}
    cudnn = torch.backends.cudnn.version()
    return {"cuda": torch.version.cuda} | ({"cudnn": str(cudnn)} if cudnn else {})


def _files(path: Path) -> list[Path]:
    return [each for each in path.iterdir() if each.suffix in SUFFIXES] if path.is_dir() else [path]


def _commit() -> str | None:
    """The commit that the sources are of: of their checkout, or of what the package was installed from."""
    if (ROOT / ".git").exists():
        asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
        try:
            return subprocess.run(asked, capture_output=True, text=True, timeout=GIT_SECONDS, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None
    try:
        origin = json.loads(distribution("x3d-expander").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    commit = origin.get("vcs_info", {}).get("commit_id")
    return str(commit) if commit else None
