"""The options that several commands have, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_STORE = "sqlite:///runs/expander.db"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]

# A search, where it is recorded and who trains for it.
Name = Annotated[str, typer.Argument(help="Name of the search.")]
StoreUrl = Annotated[
    str,
    typer.Option("--store", envvar="EXPANDER_STORE", help="URL of the SQL store, as SQLAlchemy writes it."),
]
Space = Annotated[str, typer.Argument(help="A shipped search space or a YAML file.")]
SpaceKeys = Annotated[list[str] | None, typer.Option("--set", help="Set a key of the space: key=value.")]
DispatcherName = Annotated[
    Literal["ray", "inline"],
    typer.Option("--dispatcher", help="Where trials run: on Ray, or on this machine without Ray."),
]
RayAddress = Annotated[
    str | None, typer.Option("--ray-address", help="A Ray cluster, host:port or auto; else a local Ray.")
]

# One network by itself: what is trained or tested, on which videos, and with what.
Config = Annotated[str, typer.Argument(help="A config that `expander export` wrote, or a shipped network: X3D-S.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints, weights and the config that names them.")]
OutsideRoot = Annotated[
    bool, typer.Option("--outside-root", help="Let manifests that you trust name videos outside of --root.")
]
Root = Annotated[
    Path | None, typer.Option(help="Folder that the manifests' paths start from; else the manifest's own.")
]
DamageShare = Annotated[float, typer.Option(min=0, max=1, help="Share of a manifest's videos that may fail to decode.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto takes a GPU where there is one.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of PyTorch; else it decides.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that decode video; 0 decodes in the training's own.")]
