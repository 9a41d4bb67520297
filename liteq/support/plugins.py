"""Objects that are named by text: in a table of a folder, in a setting, by an entry point."""

from functools import reduce
from importlib import import_module
from typing import Any


def load(where: str) -> Any:
    """Import and return the object that `where` names: "package.module:name".

    The name may be dotted. Without a colon it is what follows the last dot. Raises ImportError or
    AttributeError when it is not there, ValueError for what is no such text.
    """
    module, colon, path = where.partition(":")
    if not colon:
        module, _, path = where.rpartition(".")
    return reduce(getattr, path.split("."), import_module(module))


def load_module_or_name(where: str) -> Any:
    """Import and return the module `where`; when there is none, the object as `load` does.

    Raises what `load` raises.
    """
    if ":" in where:
        return load(where)
    try:
        return import_module(where)
    except ModuleNotFoundError as exc:
        if exc.name != where or "." not in where:
            raise
        return load(where)


def load_entry_point(group: str, name: str) -> Any | None:
    """Import and return the entry point `name` of `group`; None when no package has one."""
    from importlib.metadata import entry_points  # 17 ms: only for names that are not built in

    found = next(iter(entry_points(group=group, name=name)), None)
    return None if found is None else found.load()


def entry_point_names(group: str) -> set[str]:
    """Return the names of all entry points of `group`."""
    from importlib.metadata import entry_points

    return entry_points(group=group).names
