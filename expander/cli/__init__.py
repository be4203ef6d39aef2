"""The command `expander`: the only place where everything meets."""

from __future__ import annotations

import atexit
import gc
import sys

from expander.cli.password import hide_password
from expander.errors import ExpanderError, Interrupted


def main() -> None:
    """Run the command line; a user's mistake ends with a message and exit code 2, never a traceback."""
    hide_password()
    # The interpreter's last collection would go through all of PyTorch, for half a second, and free what ends anyway.
    atexit.register(gc.freeze)
    # Only now, as it may have begun this command anew.
    from expander.cli.commands import app
    from expander.cli.output import notes, print_json

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
