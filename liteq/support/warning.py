"""Warnings about what a program says, shown at a line of the program."""

import os
import sys
import warnings

from .childprocess import is_child

_OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
_PYTHON = os.path.dirname(os.__file__) + os.sep
_INSTALLED = (_PYTHON + "site-packages", _PYTHON + "dist-packages")
_COMMAND = os.sep + "liteq"  # the script that pip makes


def warn(text: str) -> None:
    """Warn of something in the program, at its line that led here.

    Not in child processes of a worker: they import what the worker has imported, and was warned of.
    """
    if not is_child():
        warnings.warn(text, stacklevel=_level_of_program())


def _level_of_program() -> int:
    """Return the `stacklevel` of the program's line; if there is none, one beyond all lines.

    Settings are read when the first is asked for, which may be by the command line.
    """
    level = 1  # that of `warn`
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame, level = frame.f_back, level + 1
        if _is_of_program(frame.f_code.co_filename):
            return level
    return level + 1


def _is_of_program(file: str) -> bool:
    if file.startswith((_OURS, "<frozen ")) or file.endswith(_COMMAND):
        return False
    return not file.startswith(_PYTHON) or file.startswith(_INSTALLED)
