"""`expander data ...`: what is done to videos before a search."""

from __future__ import annotations

import typer

from expander.cli.prepare import prepare

data_app = typer.Typer(help="Gets videos ready for a search.", no_args_is_help=True)
data_app.command()(prepare)
