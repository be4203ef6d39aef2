"""`expander data ...`: what is done to videos before a search."""

from __future__ import annotations

import typer

from expander.cli.prepare import prepare

data_app = typer.Typer(
    help="Looks after the videos, before a search trains on them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app.command("prepare")(prepare)
