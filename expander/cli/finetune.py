"""`expander finetune`: an instance with its weights, trained further for another task."""

from __future__ import annotations

import typer

finetune_app = typer.Typer(
    help="Trains an instance further, from its weights, for another task.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
