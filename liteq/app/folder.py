"""The folder of a program, and the warning that another program uses the same file."""

import os
import sys

from ..support.childprocess import is_child
from ..support.warning import warn


def warn_of_another_program(name: str | None, module: str) -> None:
    """Warn if the file of applications called `name` was made by a program in another folder.

    `module`: in which the application was made. Nothing is known of those at a prompt.
    """
    folder = folder_of(module)
    if folder is None or is_child():  # the worker itself has warned
        return
    from ..brokers.sqlite.location import default_url, locate
    from ..brokers.sqlite.origin import note_of, noted_folder

    path = locate(default_url(name)).path
    made_in = noted_folder(path, folder)
    if os.path.normcase(made_in) == os.path.normcase(folder):
        return
    warn(
        f"{path} was made by a program in {made_in:.300}, and this one is in {folder}. If they are "
        "two programs, each takes the other's tasks: give one of them another name in LiteQ(...), "
        "or a file of its own with broker=. If it is one that was moved, remove "
        f"{note_of(path)}",
    )


def folder_of(module: str) -> str | None:
    """Return the folder from which `module` is imported; None for a prompt or a notebook."""
    found = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    if file is None or not os.path.exists(file):
        return None
    spec = getattr(found, "__spec__", None)  # of a script that was started by its path: None
    folder: str = os.path.dirname(os.path.realpath(file))
    depth = 0
    if spec is not None:
        depth = spec.name.count(".") + (spec.submodule_search_locations is not None)
    for _ in range(depth):
        folder = os.path.dirname(folder)
    return folder
