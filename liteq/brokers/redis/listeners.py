"""Listeners that are notified through channels of the server.

A thread subscribes, and notifies the listeners of this process. So each listener keeps one
descriptor for a `selectors` loop, while the connection behind it may be lost and opened again.
"""

import os
import threading
import time
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from ..listeners import LocalListener
from ..owners import this_process
from .server import Server

_POLL = 1.0  # seconds; all times here are
_PING_EVERY = 5.0
_LOST_AFTER = 12.0  # without a reply to a ping, the connection is taken for lost
_RECONNECT_AFTER = 0.5


class Subscription:
    """A subscription to one channel, in a thread that runs while there are open listeners.

    With `shows_process` also to a channel that is named after this process. So while its connection
    is open the server knows that the process exists, see scripts/leases.lua.
    """

    def __init__(self, server: Server, channel: str, *, shows_process: bool = False) -> None:
        self._server = server
        self._channel = channel
        self._shows_process = shows_process
        self._lock = threading.Lock()
        self._listeners: WeakSet[LocalListener] = WeakSet()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._subscribed = threading.Event()

    def listener(self) -> LocalListener:
        """Return a new listener. It is subscribed by then, unless the server cannot be reached."""
        listener = LocalListener()
        with self._lock:
            if self._pid != os.getpid():
                # After a fork: neither threads nor listeners are inherited.
                self._pid, self._thread, self._listeners = os.getpid(), None, WeakSet()
                self._subscribed = threading.Event()
            self._listeners.add(listener)
            if self._thread is None:
                self._subscribed.clear()
                self._thread = threading.Thread(
                    target=self._run, name=f"liteq-listener {self._channel}", daemon=True
                )
                self._thread.start()
        self._subscribed.wait(self._server.location.timeout)
        return listener

    def close(self) -> None:
        """Close all listeners, which ends the thread."""
        with self._lock:
            for listener in tuple(self._listeners):
                listener.close()

    def _run(self) -> None:
        while self._has_listeners():
            pubsub = None
            try:
                pubsub = self._server.client.pubsub()
                pubsub.subscribe(*self._channels())
                self._receive(pubsub)
            except Exception:  # noqa: BLE001 - whatever it is: those that wait also poll
                self._subscribed.set()
                time.sleep(_RECONNECT_AFTER)
            finally:
                if pubsub is not None:
                    with suppress(Exception):
                        pubsub.close()

    def _channels(self) -> list[str]:
        if not self._shows_process:
            return [self._channel]
        return [self._channel, f"{self._server.location.prefix}:process:{this_process()}"]

    def _receive(self, pubsub: Any) -> None:
        last_message = last_ping = time.monotonic()
        while self._has_listeners():
            message = pubsub.get_message(timeout=_POLL)
            now = time.monotonic()
            if message is not None:
                last_message = now
                if message["type"] == "subscribe":
                    self._subscribed.set()
                if message["type"] in ("message", "subscribe"):
                    self._notify()  # on "subscribe": messages before it were missed
            elif now - last_message > _LOST_AFTER:
                return
            if now - last_ping > _PING_EVERY:
                last_ping = now
                pubsub.ping()

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener.set()

    def _has_listeners(self) -> bool:
        """Return whether there are open listeners; if not, this thread ends.

        Both under the lock, so that a new listener either is seen here or starts a new thread.
        """
        with self._lock:
            if any(listener.fileno() >= 0 for listener in tuple(self._listeners)):
                return True
            self._thread = None
            return False
