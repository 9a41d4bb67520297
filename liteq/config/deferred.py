"""Settings whose sources are read at the first access to a setting.

So an application can name the module with its settings while that module is being imported.
"""

import os
import threading
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..signals import Signal
from . import Config


class DeferredConfig:
    """The settings of `app`, and the sources they are read from."""

    def __init__(self, app: object) -> None:
        self.values: Config = Config(on_source=self._note_source)
        self.ready: bool = False
        self.settled: bool = False  # ready, and without a source that could change
        self.on_configure: Signal = Signal("app.on_configure")
        self.on_after_configure: Signal = Signal("app.on_after_configure")
        self._app = app
        self._sources: list[tuple[Any, str | None]] = []
        self._lock = threading.RLock()
        self._loading = False
        self._loaded = False  # from any source
        self._notified: list[Any] = []  # connections of `on_after_configure`

    def add(self, source: Any, namespace: str | None, *, silent: bool, force: bool) -> None:
        """Add a source; it is read now with `force`, or once the settings have been read.

        `silent`: ignore the name of a module that does not exist.
        """
        if silent and isinstance(source, str) and not _exists(source):
            return
        self._sources.append((source, namespace))
        if force or self.ready:
            self.ready = self.settled = False
            self.load()

    def add_named_by(self, variable: str, *, silent: bool, force: bool) -> None:
        """Add the module that an environment variable names.

        Raises ImproperlyConfigured when it is not set, unless `silent`.
        """
        name = os.environ.get(variable)
        if name:
            self.add(name, None, silent=silent, force=force)
        elif not silent:
            raise ImproperlyConfigured(
                f"the environment variable {variable} is not set: it should name the module with "
                f"the settings of {self._app!r}"
            )

    def current(self) -> Config:
        """Return the settings, with what has changed in their sources."""
        if not self.ready:
            return self.load()
        if self.values.outdated():
            with self._lock:
                self.values.reload()
        return self.values

    def load(self) -> Config:
        """Read the sources in order, later ones overriding earlier ones; return the settings."""
        with self._lock:
            if self.ready or self._loading:  # a source may ask for settings itself
                return self.values
            self._loading = True
            try:
                self.on_configure.send(sender=self._app)
                while self._sources:
                    self.values.from_object(*self._sources[0])
                    self._sources.pop(0)  # only now: until its error is fixed, it is raised again
                self.ready, self.settled = True, not self._loaded
            finally:
                self._loading = False
        self.send_after_configure()
        return self.values

    def _note_source(self) -> None:
        self._loaded, self.settled = True, False

    def send_after_configure(self, *, complete: bool = False) -> None:
        """Send `on_after_configure` to the receivers that have not been called yet.

        A receiver may be connected after the first access to a setting, or name a task that is
        defined later. So one that failed is called again when the tasks are `complete`.
        """
        for connection in self.on_after_configure.receivers:
            if connection in self._notified:
                continue
            self._notified.append(connection)  # before the call: it may read settings itself
            called = self.on_after_configure.send_to(
                connection, self._app, {"source": self.values}, quiet=not complete
            )
            if called and isinstance(called[1], Exception) and not complete:
                self._notified.remove(connection)


def _exists(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module.partition(":")[0]) is not None
    except ModuleNotFoundError:  # not even its package
        return False
