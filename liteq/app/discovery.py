"""Find modules with tasks: `project.shop` has its in `project.shop.tasks`."""

from importlib import import_module
from types import ModuleType


def find_related(package: str, related: str | None) -> ModuleType | None:
    """Import the module `related` of `package`; None when there is no such module.

    `package` may also name something in a package, as Django's INSTALLED_APPS may name a class.
    Raises ModuleNotFoundError for a package that is not there, and whatever importing raises.
    """
    try:
        module = import_module(package)
        if related is None:
            return module
    except ModuleNotFoundError:
        package = package.rpartition(".")[0]
        if not package:
            raise
    name = f"{package}.{related}" if related else package
    try:
        return import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name == name:
            return None
        raise  # it is there, and what it imports is not
