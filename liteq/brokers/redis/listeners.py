"""Listeners that are notified by what the server publishes.

A thread listens, and notifies the listeners of this process: so they keep one descriptor for a
`selectors` loop, while the connection behind them comes and goes.
"""

import os
import threading
import time
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from ..listeners import LocalListener
from .server import Server

_TICK = 1.0  # seconds
_PING_EVERY = 5.0
_SILENCE = 12.0  # seconds without an answer to a ping after which the connection is taken for dead
_PAUSE = 0.5  # before the next attempt to connect


class Subscription:
    """Notifies listeners when something is published in one channel. Runs while there are any."""

    def __init__(self, server: Server, channel: str) -> None:
        self._server = server
        self._channel = channel
        self._lock = threading.Lock()
        self._listeners: WeakSet[LocalListener] = WeakSet()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._listening = threading.Event()

    def listener(self) -> LocalListener:
        """A new listener. It is heard when this returns, unless the server cannot be reached."""
        listener = LocalListener()
        with self._lock:
            if self._pid != os.getpid():  # a thread is not inherited, nor are listeners
                self._pid, self._thread, self._listeners = os.getpid(), None, WeakSet()
                self._listening = threading.Event()
            self._listeners.add(listener)
            if self._thread is None:
                self._listening.clear()
                self._thread = threading.Thread(
                    target=self._run, name=f"liteq-listener {self._channel}", daemon=True
                )
                self._thread.start()
        self._listening.wait(self._server.location.timeout)
        return listener

    def close(self) -> None:
        """Close all listeners; the thread ends by itself."""
        with self._lock:
            for listener in tuple(self._listeners):
                listener.close()

    def _run(self) -> None:
        while self._wanted():
            pubsub = None
            try:
                pubsub = self._server.client.pubsub()
                pubsub.subscribe(self._channel)
                self._listen(pubsub)
            except Exception:  # noqa: BLE001 - whatever it is: who waits looks now and then anyway
                self._listening.set()
                time.sleep(_PAUSE)
            finally:
                if pubsub is not None:
                    with suppress(Exception):
                        pubsub.close()

    def _listen(self, pubsub: Any) -> None:
        heard = pinged = time.monotonic()
        while self._wanted():
            message = pubsub.get_message(timeout=_TICK)
            now = time.monotonic()
            if message is not None:
                heard = now
                if message["type"] == "subscribe":
                    self._listening.set()
                if message["type"] in ("message", "subscribe"):
                    self._notify()  # on "subscribe": what was said before was not heard
            elif now - heard > _SILENCE:
                return
            if now - pinged > _PING_EVERY:
                pinged = now
                pubsub.ping()

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener.set()

    def _wanted(self) -> bool:
        """Whether anybody listens. The last look and the end of the thread are one step."""
        with self._lock:
            if any(listener.fileno() >= 0 for listener in tuple(self._listeners)):
                return True
            self._thread = None
            return False
