"""The search for the application that `-A` means."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from ..exceptions import ConfigurationError
from .base import LiteQ

_NAMES = ("app", "celery")
_SUBMODULES = ("app", "celery", "tasks")


class AppNotFound(ConfigurationError):
    """The error for an `-A` that cannot be imported, or in which there is no application."""


def find_app(reference: str, workdir: str | None = None) -> LiteQ:
    """Return the application of `module`, `package`, `module:name` or `module.name`.

    Looks for `app`, `celery` or the first `LiteQ` in the module, then in its submodules `app`,
    `celery` and `tasks`. `workdir` (the working folder unless given) is added to the import path.
    Raises AppNotFound; its cause is the error that importing raised, if any.
    """
    folder = os.path.abspath(workdir or os.curdir)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = reference.partition(":")
    parent, _, last = module_name.rpartition(".")
    if parent and not attribute:  # `proj.app` may be an attribute, as for Celery
        value = getattr(_imported(parent, reference), last, None)
        if isinstance(value, LiteQ):
            return value
    module = _imported(module_name, reference)
    if attribute:
        return _named(module, attribute, reference)
    for candidate in _candidates(module):
        found = _app_in(candidate)
        if found is not None:
            return found
    raise AppNotFound(
        f"-A {reference}: no LiteQ application in {module_name} or its "
        f"{', '.join(_SUBMODULES)}; name it as -A module:variable"
    )


def _candidates(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    if hasattr(module, "__path__"):
        for name in _SUBMODULES:
            full = f"{module.__name__}.{name}"
            if find_spec(full) is not None:
                yield _imported(full, full)


def _app_in(module: ModuleType) -> LiteQ | None:
    for name in _NAMES:
        value = getattr(module, name, None)
        if isinstance(value, LiteQ):
            return value
    return next((value for value in vars(module).values() if isinstance(value, LiteQ)), None)


def _named(module: ModuleType, attribute: str, reference: str) -> LiteQ:
    value: object = module
    for part in attribute.split("."):
        value = getattr(value, part, None)
    if isinstance(value, LiteQ):
        return value
    found = "nothing" if value is None else f"a {type(value).__name__}"
    raise AppNotFound(f"-A {reference}: {module.__name__} has {found} of that name, not a LiteQ")


def _imported(name: str, reference: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise AppNotFound(f"-A {reference}: importing {name} failed: {exc}") from exc
        raise AppNotFound(
            f"-A {reference}: there is no module {exc.name!r} in {os.getcwd()} or on the path; "
            f"start in the folder that holds it, or give --workdir"
        ) from exc
    except Exception as exc:
        raise AppNotFound(
            f"-A {reference}: importing {name} failed: {type(exc).__name__}: {exc}"
        ) from exc
