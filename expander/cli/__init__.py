"""The command `expander`: the only place where everything meets."""

from __future__ import annotations

import sys

import typer

from expander.cli.ava import ava
from expander.cli.charades import charades
from expander.cli.convert import convert
from expander.cli.data import data_app
from expander.cli.export import export, report
from expander.cli.finetune import finetune_app
from expander.cli.fork import fork
from expander.cli.output import notes, print_json
from expander.cli.password import hide_password
from expander.cli.plan import cost, plan
from expander.cli.prepare import prepare
from expander.cli.search import resume, retry, search
from expander.cli.status import status
from expander.cli.store import store_app
from expander.cli.train import evaluate, train
from expander.errors import ExpanderError, Interrupted

app = typer.Typer(
    help="Searches for efficient video networks by expanding a tiny 2D one, axis by axis (X3D).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (plan, cost, search, resume, retry, fork, status, export, train, report, convert):
    app.command()(command)
data_app.command("prepare")(prepare)
app.command("test")(evaluate)
app.add_typer(data_app, name="data")
finetune_app.command()(charades)
finetune_app.command()(ava)
app.add_typer(finetune_app, name="finetune")
app.add_typer(store_app, name="store")


def main() -> None:
    """Run the command line; a user's mistake ends with a message and exit code 2, never a traceback."""
    hide_password()
    try:
        app()
    except SystemExit as ended:
        # Typer ends with 1 where Ctrl-C came before or after the parts that answer it themselves.
        if isinstance(getattr(ended.__context__, "__cause__", None), KeyboardInterrupt):
            sys.exit(Interrupted.exit_code)
        raise
    except ExpanderError as error:
        if "--json" in sys.argv:
            print_json({"error": str(error), "exit_code": error.exit_code})
        if not isinstance(error, Interrupted):
            notes().print("[bold red]error:[/] ", end="")
        notes().print(str(error), markup=False)
        sys.exit(error.exit_code)
