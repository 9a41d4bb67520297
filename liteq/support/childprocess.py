"""Child processes of workers: whether this is one, and what it imports before it runs tasks.

A child imports the modules of the program. One of them may start an embedded worker when it is
imported, as web modules do. If that worked in a child too, its children would import the module
again, and so on without end.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "LITEQ_CHILD"

_marked = False
_first: list[str] = []  # modules, see `import_in_children`
_importing = False


def mark_as_child() -> None:
    """Mark this process, and the processes that it starts with `multiprocessing`."""
    global _marked
    _marked = True
    os.environ[_VARIABLE] = "1"


def import_in_children(module: str) -> None:
    """Let the child processes of this one's workers import `module` before the program's own."""
    if module not in _first:
        _first.append(module)


def imported_first() -> list[str]:
    """Return the modules that a child process has to import before the program's own."""
    return list(_first)


def is_child() -> bool:
    """Return whether this process is a child of a worker, or a helper of a task in one.

    Helpers are processes of `multiprocessing`, which import modules of the program as children do.
    Any other program that a task starts is a program of its own, and may start workers.
    """
    if _marked:
        return True
    return os.environ.get(_VARIABLE) == "1" and _is_helper()


@contextmanager
def importing_application() -> Iterator[None]:
    """Mark that this child imports the application in the block: it runs no task before the end."""
    global _importing
    _importing = True
    try:
        yield
    finally:
        _importing = False


def is_importing_application() -> bool:
    """Return whether this is a child that still imports the application."""
    return _importing


def _is_helper() -> bool:
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None:
        return False
    # Its own fork server has no parent process, but the mark under which it imports modules.
    importing = getattr(multiprocessing.current_process(), "_inheriting", False)
    return importing or multiprocessing.parent_process() is not None
