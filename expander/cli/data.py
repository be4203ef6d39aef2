"""`expander data`: looking after the videos themselves, before a search trains on them."""

from __future__ import annotations

import typer

data_app = typer.Typer(
    help="Looks after the videos, before a search trains on them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
