"""The check that this program runs in a Python interpreter, which child processes are made of."""

import os
import re
import sys

from ..exceptions import ImproperlyConfigured

# python3.12, python.exe, pythonw.exe, Python (macOS), pypy3, graalpy
_INTERPRETER = re.compile(r"(python|pypy|graalpy)[\w.-]*", re.IGNORECASE)


def check_interpreter() -> None:
    """Raise ImproperlyConfigured if `sys.executable` is no Python interpreter.

    A child process would then be a second run of the whole program, which would start its own.
    """
    frozen = getattr(sys, "frozen", False) or "__compiled__" in vars(sys.modules["__main__"])
    program = sys.executable or ""
    if frozen:
        what = "this program is frozen into one executable"
    elif not _INTERPRETER.fullmatch(os.path.basename(program)):
        what = f"this program runs in {program or 'an unknown executable'}"
    else:
        return
    raise ImproperlyConfigured(
        f"child processes need a Python interpreter, and {what}: use a pool inside this process, "
        "app.Worker(pool='threads') or --pool threads"
    )
