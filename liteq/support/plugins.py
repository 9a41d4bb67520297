"""Objects that are named by text: in the table of a folder, or by an entry point of a package."""

from importlib import import_module
from typing import Any


def load(where: str) -> Any:
    """Import and return the object that `where` names, as in "package.module:name".

    Raises ImportError or AttributeError when it is not there.
    """
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def load_entry_point(group: str, name: str) -> Any | None:
    """Import and return the entry point `name` of `group`; None when no package has one."""
    from importlib.metadata import entry_points  # 17 ms: only for names that are not built in

    found = next(iter(entry_points(group=group, name=name)), None)
    return None if found is None else found.load()


def entry_point_names(group: str) -> set[str]:
    """Return the names of all entry points of `group`."""
    from importlib.metadata import entry_points

    return entry_points(group=group).names
