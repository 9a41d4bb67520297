"""The end of a process that a task has forked with `os.fork`, and which returns from the task.

It is a copy of the worker's: if it went on there, the task would end twice.
"""

import os
import sys
from contextlib import suppress
from typing import NoReturn

_CODES = 256  # exit codes that the system has


def exit_forked(error: BaseException | None) -> NoReturn:
    """Exit as a program does whose code has ended by `error`, or without one."""
    code = 0
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        code = (error.code or 0) % _CODES
    elif error is not None:
        code = 1
        with suppress(BaseException):  # an error of the program's runs its own code
            _print(error)
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):  # it is closed, or None
            stream.flush()
    os._exit(code)


def _print(error: BaseException) -> None:
    if isinstance(error, SystemExit):
        sys.stderr.write(f"{error.code}\n")
        return
    import traceback  # takes 10 ms, so only where it is needed

    traceback.print_exception(error)
