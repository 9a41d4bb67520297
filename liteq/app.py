"""The application: settings, tasks and a store, put together."""

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from importlib import import_module
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar, overload

from . import brokers, result
from .backend import Backend
from .brokers.base import Broker
from .canvas import Signature, signature
from .config import Config
from .current import current_task, forget, introduce, set_current, set_default
from .discovery import find_related
from .exceptions import ImproperlyConfigured
from .mainscript import NAME as SCRIPT
from .mainscript import only_definitions
from .options import Named, TaskOptions, check_arguments, check_name
from .producer import Producer
from .registry import Registry, annotate, task_of
from .serializers import Codecs, Serializer, get
from .signals import Signal, import_modules
from .task import Task

P = ParamSpec("P")
R = TypeVar("R")

# Above us, so they are named and not imported.
_WORKER = "liteq.worker.worker:Worker"
_REFERENCE = "liteq.worker.reference:refer_to"
_COMMAND = "liteq.cli:main"


class LiteQ:
    """A task queue: `app = LiteQ("project")`.

    `main`: its name; it stands for `__main__` in the names of tasks, and the store is found by
    it when no `broker` is given. `broker`: URL of the store, or a Broker. `result_backend`
    (Celery's `backend`): None or the same URL, since results are kept with the tasks. `include`:
    modules that a worker imports. `set_as_current`: make it the current app. `task_cls`: base
    class of its tasks. `config_source`, `namespace`: see `config_from_object`. Other keywords are
    settings.

    Raises ImproperlyConfigured for settings that cannot be.
    """

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | Broker | None = None,
        result_backend: str | None = None,
        backend: str | None = None,
        include: Iterable[str] = (),
        set_as_current: bool = True,
        task_cls: type[Task[..., Any]] = Task,
        config_source: Any = None,
        namespace: str | None = None,
        **settings: Any,
    ) -> None:
        self.main = main
        self.on_configure = Signal("app.on_configure")
        self.on_after_configure = Signal("app.on_after_configure")
        self.on_after_finalize = Signal("app.on_after_finalize")
        self.Task: type[Task[..., Any]] = type("Task", (task_cls,), {"app": self})
        self._lock = threading.RLock()
        self._registry = Registry()
        self._packages: list[tuple[Any, str | None]] = []  # where a worker looks for tasks
        self._sources: list[tuple[Any, str | None]] = []  # of settings, not yet read
        self._configured = self._configuring = self._finalized = False
        self._broker = broker if isinstance(broker, Broker) else None
        self._backend: Backend | None = None
        self._producer: Producer | None = None
        self._conf = Config()
        url = broker if isinstance(broker, str) else None
        given = {"broker_url": url, "result_backend": result_backend or backend}
        given |= {"include": tuple(include) or None, **settings}
        self._conf.update({name: value for name, value in given.items() if value is not None})
        if broker is not None:
            self._check_result_backend(self._conf)
        if config_source is not None:
            self.config_from_object(config_source, namespace=namespace)
        if set_as_current:
            self.set_current()
        introduce(self)

    # settings

    @property
    def conf(self) -> Config:
        """The settings, by attribute and by item."""
        if not self._configured:
            self._configure()
        return self._conf

    def config_from_object(
        self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from `source`: a module, class, object or mapping, or its dotted name.

        `namespace="CELERY"`: only names that begin with `CELERY_`. It is read when settings are
        asked for the first time, so that the application may be made while `source` is being
        imported; `force` reads it now. `silent`: a module that is not there is no error.
        """
        if silent and isinstance(source, str) and not _is_there(source):
            return
        self._sources.append((source, namespace))
        if force or self._configured:
            self._configured = False
            self._configure()

    def config_from_envvar(
        self, variable_name: str, silent: bool = False, force: bool = False
    ) -> None:
        """Take settings from the module that the environment variable names.

        Raises ImproperlyConfigured when it is not set, unless `silent`.
        """
        import os

        name = os.environ.get(variable_name)
        if name:
            self.config_from_object(name, silent=silent, force=force)
        elif not silent:
            raise ImproperlyConfigured(
                f"the environment variable {variable_name} is not set: it should name the module "
                f"with the settings of {self!r}"
            )
