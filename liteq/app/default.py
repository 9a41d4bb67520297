"""The application that is there before a program has made one."""

from collections.abc import Callable
from typing import Any

from ..brokers import DEFAULT_URL, chosen_url
from ..brokers.base import Broker
from ..config import Config
from ..result.app import App, made_app, use_default
from ..result.backend import Backend
from ..sending.producer import Producer
from ..support.warning import warn
from .base import LiteQ
from .registry import Registry
from .shared import shared_task


class DefaultApp(LiteQ):
    """The application of modules that are imported before the program makes its own.

    Until then it has settings, tasks and a store of its own. From then on it stands for the one
    that was made: what was bound to it, such as a signature in the body of a class, goes there.
    """

    def __init__(self) -> None:
        super().__init__(set_as_current=False)

    @property
    def _made(self) -> App | None:
        app = made_app()
        return None if app is self else app

    def task(self, function: Any = None, /, **options: Any) -> Any:
        """Make a function a task of this application, and of each that is made."""
        return shared_task(**options) if function is None else shared_task(function)

    def add_function(self, function: Callable[..., Any], /, **options: Any) -> Any:
        """Make `function` a task of this application only."""
        decorate: Any = super().task(**options)
        return decorate(function)

    @property
    def conf(self) -> Config:
        """Return the settings of the application that was made, else its own."""
        made = self._made
        return super().conf if made is None else made.conf

    @property
    def tasks(self) -> Registry:
        """Return the tasks of the application that was made, else its own."""
        made: Any = self._made
        return super().tasks if made is None else made.tasks

    @property
    def broker(self) -> Broker:
        """Return the broker of the application that was made, else its own."""
        made = self._made
        return super().broker if made is None else made.broker

    @property
    def producer(self) -> Producer:
        """Return the producer of the application that was made, else its own."""
        made = self._made
        return super().producer if made is None else made.producer

    @property
    def backend(self) -> Backend:
        """Return the backend of the application that was made, else its own."""
        made = self._made
        return super().backend if made is None else made.backend

    def _connect(self) -> Broker:
        broker = super()._connect()
        if chosen_url(self.conf.broker_url) == DEFAULT_URL:
            warn(
                f"no application was made, so tasks go to {broker.url}: make one with "
                'app = LiteQ("project"), in a module that this program imports',
            )
        return broker


use_default(DefaultApp)
