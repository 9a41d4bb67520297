"""The stream of a child that runs an event loop: a thread reads it, and any thread writes to it.

So the loop waits neither for a supervisor that is busy nor for a large result; and while a task
blocks the loop, the thread goes on: it receives answers, sends what has ended, and ends the process
once the supervisor is gone.
"""

import os
import selectors
import socket
import threading
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ..support.wakeup import Wakeup
from .frames import CHUNK, FrameReader, pack

P = ParamSpec("P")
T = TypeVar("T")

# As in `child`: neither `select` nor epoll.
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def or_exit(function: Callable[P, T]) -> Callable[P, T]:
    """Return `function`, with whose errors this process exits.

    They would be lost in a thread, or in a callback of the loop, and with them what a task waits
    for. The supervisor runs the tasks of a process that exits once more.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException:  # noqa: BLE001 - a lack of memory, or a fault of ours
            traceback.print_exc()
            os._exit(1)

    return call


class LoopStream:
    """The child's end of its stream.

    In its thread, `take` gets the frames that came together, and `look` is called each time that
    the seconds are over which it returned; None: after the next frames.
    """

    def __init__(
        self,
        stream: socket.socket,
        take: Callable[[list[Any]], None],
        look: Callable[[], float | None],
    ) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._take = take
        self._look = look
        self._wakeup = Wakeup()
        self._reader = FrameReader()
        # Not a plain lock: an object that is finalized meanwhile may log a line itself.
        self._lock = threading.RLock()
        self._unsent = bytearray()
        self._is_sending = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="liteq-stream", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def send(self, value: Any) -> None:
        """Send one frame; never wait. From any thread."""
        frame = pack(value)
        with self._lock:
            self._unsent += frame
            if not self._is_sending and not self._write():
                self._wakeup.set()  # the thread sends the rest

    def close(self) -> None:
        """Send what is left, and end the thread."""
        with self._lock:
            self._closed = True
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join()

    def _write(self) -> bool:
        """Send as much as the stream takes, with the lock held; return whether nothing is left."""
        self._is_sending = True
        try:
            while self._unsent:
                del self._unsent[: self._stream.send(self._unsent)]
        except BlockingIOError:
            return False
        except OSError:
            os._exit(1)  # the supervisor is gone
        finally:
            self._is_sending = False
        return True

    @or_exit
    def _run(self) -> None:
        selector = _Selector()
        selector.register(self._wakeup, selectors.EVENT_READ)
        selector.register(self._stream, selectors.EVENT_READ)
        pause = self._look()
        while not self._closed or self._unsent:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
            if selector.get_key(self._stream).events != events:
                selector.modify(self._stream, events)
            for key, ready in selector.select(pause):
                if key.fileobj is self._wakeup:
                    self._wakeup.clear()
                    continue
                if ready & selectors.EVENT_WRITE:
                    with self._lock:
                        self._write()
                if ready & selectors.EVENT_READ:
                    self._receive()
            pause = self._look()

    def _receive(self) -> None:
        """Receive what is there. Exits when the supervisor is gone."""
        try:
            data = self._stream.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(1)  # the outcomes of tasks that run cannot be used any more
        if frames := self._reader.feed(data):
            self._take(frames)
