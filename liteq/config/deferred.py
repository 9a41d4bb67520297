"""Settings whose sources are read when a setting is asked for the first time.

An application can so name the module with its settings while that module is being imported.
"""

import threading
from importlib.util import find_spec
from typing import Any

from ..signals import Signal
from . import Config


class DeferredConfig:
    """The settings of `app`, and where they come from."""

    def __init__(self, app: object) -> None:
        self.values = Config()
        self.ready = False
        self.on_configure = Signal("app.on_configure")
        self.on_after_configure = Signal("app.on_after_configure")
        self._app = app
        self._sources: list[tuple[Any, str | None]] = []
        self._lock = threading.RLock()
        self._loading = False
        self._told: list[Any] = []  # connections of `on_after_configure`

    def add(self, source: Any, namespace: str | None, *, silent: bool, force: bool) -> None:
        """Read `source` when it is time; with `force`, or when that time is past, now.

        `silent`: a module that is not there is no source.
        """
        if silent and isinstance(source, str) and not _is_there(source):
            return
        self._sources.append((source, namespace))
        if force or self.ready:
            self.ready = False
            self.load()

    def load(self) -> Config:
        """Read the sources, in order; what is read later counts. Answers the settings."""
        with self._lock:
            if self.ready or self._loading:  # a source may ask for settings itself
                return self.values
            self._loading = True
            try:
                self.on_configure.send(sender=self._app)
                while self._sources:
                    self.values.from_object(*self._sources[0])
                    self._sources.pop(0)  # only now: an error comes again, until it is mended
                self.ready = True
            finally:
                self._loading = False
        self.announce()
        return self.values

    def announce(self, *, complete: bool = False) -> None:
        """Send `on_after_configure` to those who have not heard it yet.

        A handler may be connected after the first look at a setting, or name a task that is
        defined after it. So who failed is asked again when the tasks are `complete`.
        """
        for connection in self.on_after_configure.receivers:
            if connection in self._told:
                continue
            self._told.append(connection)  # before: it may look at settings itself
            answer = self.on_after_configure.send_to(
                connection, self._app, {"source": self.values}, quiet=not complete
            )
            if answer and isinstance(answer[1], Exception) and not complete:
                self._told.remove(connection)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module.partition(":")[0]) is not None
    except ModuleNotFoundError:  # not even its package
        return False
