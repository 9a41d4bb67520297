"""The finder of `celery.*`, `kombu.*` and `billiard.*`, and the modules that it serves."""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from ..exceptions import ImproperlyConfigured
from .counterparts import ROOTS, SERVED, why_missing


def install() -> None:
    """Serve Celery's modules from now on, in this process; later calls do nothing.

    Raises ImproperlyConfigured when one of them is already imported from somewhere else.
    """
    for root in ROOTS:
        module = sys.modules.get(root)
        if module is not None and not isinstance(module, ServedModule):
            where = getattr(module, "__file__", None) or "an unknown place"
            raise ImproperlyConfigured(
                f"liteq cannot serve {root!r}: the real one is already imported, from {where}. "
                "Import liteq.as_celery before anything that imports Celery, or start with "
                "python -m liteq --as-celery"
            )
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())  # first: Celery may be installed as well


class ServedModule(ModuleType):
    """A module of Celery's whose names are those of modules of liteq."""

    _sources: Sequence[ModuleType] = ()  # private, as `import *` takes what is not

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        if full in SERVED:
            return import_module(full)
        if not name.startswith("__"):
            for source in self._sources:
                value = getattr(source, name, self)  # set later than at the import, or private
                if value is not self and not isinstance(value, ModuleType):
                    return value
        raise AttributeError(why_missing(full), name=name, obj=self)


class Finder(MetaPathFinder):
    """A finder of the modules of `SERVED`; to import others under their roots is an error."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of a module that is served; None for one that is none of Celery's."""
        if fullname.partition(".")[0] not in ROOTS:
            return None
        if fullname not in SERVED:
            callers = _callers_in_importlib()
            if "_find_and_load" not in callers:
                return None  # `importlib.util.find_spec` only asks
            # Of `from celery import x`, Python drops a ModuleNotFoundError, and so its reason.
            of_name = "_handle_fromlist" in callers
            raise (ImportError if of_name else ModuleNotFoundError)(
                why_missing(fullname), name=fullname
            )
        # All are packages: for `from celery.result import x` Python then looks for a module
        # `celery.result.x` if there is no such name, and the error above tells why there is none.
        return ModuleSpec(fullname, _Loader(), origin="liteq", is_package=True)


def _callers_in_importlib() -> set[str]:
    """Return the names of importlib's functions that have called the finder."""
    names = set()
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_globals["__name__"]:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    return names


class _Loader(Loader):
    """A loader that fills a module with the names of its counterparts."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return ServedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert isinstance(module, ServedModule)
        module._sources = [import_module(name) for name in SERVED[module.__name__]]
        for source in module._sources:
            module.__doc__ = module.__doc__ or source.__doc__
            module.__dict__.update({name: getattr(source, name) for name in _names(source)})


def _names(source: ModuleType) -> Iterator[str]:
    """Yield the names that `source` offers: those of `__all__`, else the public ones."""
    if hasattr(source, "__all__"):
        yield from source.__all__
        return
    for name, value in vars(source).items():
        if not name.startswith("_") and not isinstance(value, ModuleType):
            yield name
