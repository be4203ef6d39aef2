"""The command `expander`: the only place where everything meets."""

from __future__ import annotations

import sys

from expander.cli.lazy import Place, group
from expander.cli.output import notes, print_json
from expander.cli.password import hide_password
from expander.errors import ExpanderError, Interrupted

DATA = {
    "check": "expander.cli.data:check",
    "prepare": "expander.cli.prepare:prepare",
}
FINETUNE = {
    "charades": "expander.cli.charades:charades",
    "ava": "expander.cli.ava:ava",
}
STORE = {
    "upgrade": "expander.cli.store:upgrade",
    "check": "expander.cli.store:check",
}
COMMANDS: dict[str, Place] = {
    "plan": "expander.cli.plan:plan",
    "cost": "expander.cli.plan:cost",
    "search": "expander.cli.search:search",
    "resume": "expander.cli.search:resume",
    "retry": "expander.cli.search:retry",
    "fork": "expander.cli.fork:fork",
    "status": "expander.cli.status:status",
    "export": "expander.cli.export:export",
    "train": "expander.cli.train:train",
    "report": "expander.cli.export:report",
    "convert": "expander.cli.convert:convert",
    "test": "expander.cli.train:evaluate",
    "data": group("Looks after the videos, before a search trains on them.", DATA),
    "finetune": group("Trains an instance further, from its weights, for another task.", FINETUNE),
    "store": group("Look after the SQL store.", STORE),
}

app = group("Searches for efficient video networks by expanding a tiny 2D one, axis by axis (X3D).", COMMANDS)


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
