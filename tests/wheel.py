"""Build the wheel, install it in a fresh environment outside the checkout and use it there: `make smoke`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXPECTED = (
    "expander/cli/__init__.py",
    "trainers/train.py",
    "results/store.py",
    "results/report.html.jinja",
    "search_spaces/x3d_published.yaml",
)
UNWANTED = ("tests/", "runs/", "docs/", "benchmarks/")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(Path(folder))
        check_contents(wheel)
        check_install(wheel, Path(folder))


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    names = sorted(zipfile.ZipFile(wheel).namelist())
    print(f"{wheel.name}: {len(names)} files", *names, sep="\n  ")
    missing = [name for name in EXPECTED if name not in names]
    stray = [name for name in names if name.startswith(UNWANTED)]
    spaces = {f"search_spaces/{path.name}" for path in (ROOT / "search_spaces").glob("*.yaml")} - set(names)
    if missing or stray or spaces:
        sys.exit(f"the wheel lacks {missing + sorted(spaces)} and holds {stray} that it should not")


def check_install(wheel: Path, folder: Path) -> None:
    environment = folder / "env"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints, wheel], check=True
    )
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [environment / "bin" / "expander", "plan", "x3d_published", "--json"]
    planned = subprocess.run(command, check=True, cwd=folder, env=outside, stdout=subprocess.PIPE, text=True)
    names = [instance["name"] for instance in json.loads(planned.stdout)["instances"]]
    print("expander plan x3d_published:", *names)
    if names != ["X3D-XS", "X3D-S", "X3D-M", "X3D-L", "X3D-XL", "X3D-XXL"]:
        sys.exit(f"the installed command planned {names}")


if __name__ == "__main__":
    main()
