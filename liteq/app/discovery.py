"""The modules with tasks that a worker imports."""

from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType

from ..exceptions import ImproperlyConfigured
from .django import installed_packages

Packages = Iterable[str] | Callable[[], Iterable[str]] | None
"""Names of packages, or a function that returns them; None for the installed apps of Django."""


class Discovery:
    """The packages whose modules with tasks are still to be imported."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Packages, str | None]] = []

    def add(self, packages: Packages, related: str | None) -> None:
        """Import the module `related` of each of `packages` at the next `run`."""
        self._waiting.append((packages, related))

    def run(self) -> None:
        """Import what is waiting, each once."""
        while self._waiting:
            packages, related = self._waiting.pop(0)
            given = installed_packages if packages is None else packages
            names = given() if callable(given) else given
            for package in (names,) if isinstance(names, str) else names:
                find_related(package, related)


def find_related(package: str, related: str | None) -> ModuleType | None:
    """Import the module `related` of `package`; return None when there is no such module.

    `package` may also name something in a package, as Django's INSTALLED_APPS may name a class.
    Raises ModuleNotFoundError for a package that does not exist, and whatever importing raises.
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
        raise  # the module exists; what it imports does not


def import_named(names: Iterable[str]) -> None:
    """Import the modules of the settings `imports` and `include`, each once.

    Raises ImproperlyConfigured for one that cannot be imported.
    """
    for name in dict.fromkeys(names):
        try:
            import_module(name)
        except ImportError as exc:
            raise ImproperlyConfigured(
                f"{name!r} of `include` or `imports` cannot be imported: {exc}"
            ) from exc
