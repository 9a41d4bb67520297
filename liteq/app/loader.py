"""The search for the application that `-A` means."""

import logging
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from ..exceptions import ConfigurationError
from ..result.app import default_app
from ..support.plugins import load
from .base import LiteQ
from .current import Proxy, app_or_default, found

logger: logging.Logger = logging.getLogger(__name__)

_NAMES = ("app", "celery")
_OF_CELERY = ("celery", "kombu", "billiard")  # not installed
_SUBMODULES = ("app", "celery", "tasks")


class AppNotFound(ConfigurationError):
    """The error for an `-A` that cannot be imported, or in which there is no application."""


def find_app(reference: str, workdir: str | None = None) -> LiteQ:
    """Return the application of `module`, `package`, `module:name` or `module.name`.

    Looks for `app`, `celery` or the first `LiteQ` in the module, then in its submodules `app`,
    `celery` and `tasks`. Where there is none, and one of them uses `current_app` or shared tasks,
    that is the current application. `workdir` (the working folder unless given) is added to the
    import path. Raises AppNotFound; its cause is the error that importing raised, if any.
    """
    folder = os.path.abspath(workdir or os.curdir)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = reference.partition(":")
    parent, _, last = module_name.rpartition(".")
    if parent and not attribute:  # `proj.app` may be an attribute, as for Celery
        value = found(getattr(_imported(parent, reference), last, None))
        if isinstance(value, LiteQ):
            return value
    module = _imported(module_name, reference)
    if attribute:
        return _named(module_name, attribute, reference)
    uses_current_app = False
    for candidate in _candidates(module):
        app = _app_in(candidate)
        if app is not None:
            return app
        uses_current_app |= _uses_current_app(candidate)
    if uses_current_app:
        return _current(reference)
    raise AppNotFound(
        f"-A {reference}: no LiteQ application in {module_name} or its "
        f"{', '.join(_SUBMODULES)}; name it as -A module:variable"
    )


def _candidates(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    if hasattr(module, "__path__"):
        from importlib.util import find_spec

        for name in _SUBMODULES:
            full = f"{module.__name__}.{name}"
            if find_spec(full) is not None:
                yield _imported(full, full)


def _app_in(module: ModuleType) -> LiteQ | None:
    for name in _NAMES:
        value = found(getattr(module, name, None))
        if isinstance(value, LiteQ):
            return value
    # By the type alone: proxies are not asked what they stand for, as that ends the definitions.
    values = vars(module).values()
    return next((value for value in values if issubclass(type(value), LiteQ)), None)


def _uses_current_app(module: ModuleType) -> bool:
    """Return whether `module` has `current_app`, or tasks that are shared, among its variables."""
    return any(type(value) is Proxy for value in vars(module).values())


def _current(reference: str) -> LiteQ:
    app: LiteQ = found(app_or_default())
    kind = "default one" if app is default_app() else "current one"
    logger.warning("-A %s: no application in %s, so the %s is used", reference, reference, kind)
    return app


def _named(module: str, attribute: str, reference: str) -> LiteQ:
    try:
        value = found(load(f"{module}:{attribute}"))
    except AttributeError:
        value = None
    if isinstance(value, LiteQ):
        return value
    kind = "nothing" if value is None else f"a {type(value).__name__}"
    raise AppNotFound(f"-A {reference}: {module} has {kind} of that name, not a LiteQ")


def _imported(name: str, reference: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            cure = "; try it with --as-celery" if exc.name in _OF_CELERY else ""
            raise AppNotFound(f"-A {reference}: importing {name} failed: {exc}{cure}") from exc
        raise AppNotFound(
            f"-A {reference}: there is no module {exc.name!r} in {os.getcwd()} or on the path; "
            f"start in the folder that holds it, or give --workdir"
        ) from exc
    except Exception as exc:
        raise AppNotFound(
            f"-A {reference}: importing {name} failed: {type(exc).__name__}: {exc}"
        ) from exc
