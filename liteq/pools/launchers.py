"""The port of launchers, which start child processes for a pool.

There are two: of children that are forked from a fork server, and of fresh interpreters.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from selectors import BaseSelector
from typing import TYPE_CHECKING, Any, NamedTuple

from .protocol import Setup

if TYPE_CHECKING:
    from .spawn import SpawnedProcess

EXIT_TIMEOUT = 5.0  # seconds that a process may take to exit after its stream was closed


class Callbacks(NamedTuple):
    """The functions of the pool that a launcher calls."""

    started: Callable[[int, int], None]  # slot, pid
    exited: Callable[[int, int | None], None]  # pid, exit code (negative: the signal)
    start_failed: Callable[[str], None]  # traceback of an application that cannot be imported
    # Children that are launched from now on have the new code, which tells this of itself.
    code_renewed: Callable[[Any], None]
    unguarded: Callable[[], None]  # nobody will kill the children when this process is killed


class Launcher(ABC):
    """A launcher, which starts children and reports when they have started and exited."""

    def __init__(self, setup: Setup, callbacks: Callbacks) -> None:
        self.setup = setup
        self.callbacks = callbacks

    @abstractmethod
    def start(self, selector: BaseSelector) -> None:
        """Prepare to launch children."""

    @abstractmethod
    def launch(self, slot: int, stream: socket.socket) -> None:
        """Start a child for `slot` with `stream`, which is closed in this process.

        Raises OSError if the machine has no room for a process.
        """

    @abstractmethod
    def renew(self) -> None:
        """Import the application anew for children that are launched later."""

    @abstractmethod
    def stream_closed(self, pid: int) -> None:
        """Make sure that the exit of `pid`, which has closed its stream, is reported."""

    @abstractmethod
    def close(self) -> None:
        """Kill the children that are left, and release all resources."""


def spawn_with_scoreboard(function: str, stream: socket.socket, setup: Setup) -> "SpawnedProcess":
    """Start a process that can open the scoreboard in `setup`."""
    from .spawn import spawn  # `subprocess` takes 4 ms; a forked fork server needs none

    handle = setup["scoreboard"]
    keep = (handle,) if isinstance(handle, int) else ()  # on Windows it is opened by its path
    return spawn(function, stream, setup, keep=keep)
