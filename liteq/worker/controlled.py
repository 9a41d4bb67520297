"""What liteq's own commands get: the worker, as the thread of its loop may change it."""

from typing import Any, NamedTuple

from .adjusting import Adjustable
from .control import State


class Controlled(NamedTuple):
    """The worker that an order is for."""

    state: State  # what the commands of a program get
    supervisor: Adjustable

    @property
    def app(self) -> Any:
        """Return the application."""
        return self.state.app

    @property
    def worker(self) -> Any:
        """Return the `Worker`."""
        return self.state.worker
