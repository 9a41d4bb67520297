"""The command line: one file for each command.

To add one: a module beside this file with `configure` and `run` (`check_celery` for
`check-celery`), its line in `COMMANDS` of `commands.py`, and a heading in docs/reference/cli.md (a
test compares).
"""

import os
import sys
import traceback
from io import TextIOWrapper

from ..pools import PoolBroken
from .commands import module_of
from .exits import exit_code
from .output import complain
from .parsing import parse


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code (docs/reference/cli.md has the table)."""
    arguments = sys.argv[1:] if argv is None else argv
    # Characters that the terminal's encoding lacks are shown as escapes.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    args = parse(arguments)
    args.as_program = argv is None  # and not called by a program that goes on afterwards
    try:
        if args.as_celery:  # before the application is imported
            from .. import as_celery  # noqa: F401 - to import it is to install it
        code = module_of(args.command).run(args)
        sys.stdout.flush()  # here, where the error of a closed pipe is caught below
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has closed its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as exc:  # noqa: BLE001 - any error ends in one line and an exit code
        known = exit_code(exc)
        if known is None or args.verbose:
            traceback.print_exc()
        elif isinstance(exc, PoolBroken):
            print(exc.traceback, file=sys.stderr)  # of the user's own code, from a child process
        complain(exc)
        return 1 if known is None else known
