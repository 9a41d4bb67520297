"""Listeners that are notified through channels of the server.

A listener is a subscription with a connection of its own, and the descriptor that a loop waits for
is that of its socket. No thread stands between: one that reads the messages and notifies the
listener costs two wake-ups and a change of the GIL's owner each time. What arrives is discarded
unread, since all notifications say the same.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from ssl import SSLWantReadError
from typing import Any
from weakref import WeakSet

from redis import exceptions as redis_errors

from ...model.message import Message
from ...support.wakeup import Wakeup
from ..base import Listener
from ..owners import this_process
from .server import Server

_PING_EVERY = 6.0  # seconds; all times here are
_RECONNECT_AFTER = 0.5  # at first, and then up to
_LONGEST_PAUSE = 5.0
_TEND_EVERY = 1.0
_KEEP_IDLE = 60.0
_READ_ENCRYPTED = 0.5  # at once: two threads must not use a TLS connection, so none can end it
_CHUNK = 1 << 16  # bytes
_WRITE_TIMEOUT = 5.0
_MOST_CHANNELS = 128  # tasks of whose progress it is notified; of more it is not
_MOST_SENT = 1000  # tasks, for which a first look is spared
_PING, _PONG = b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"  # while subscribed


class ChannelListener(Listener):
    """A listener on channels of the server.

    If its connection is lost, it is opened again by `wait` or `missed`; then `connected` is called.
    Used by one thread; others may close it, and `tend` it while its thread does not wait.
    """

    def __init__(
        self,
        server: Server,
        channels: Sequence[str],
        connected: Callable[["ChannelListener"], None] = lambda listener: None,
        orders: str = "",
    ) -> None:
        self._server = server
        self._channels = channels
        self._more_channels: Sequence[str] = ()  # of the progress of tasks
        self._orders = orders.encode()  # the channel of orders
        self._end = b""  # of what was read last: a message may come in two parts
        self._ordered = True
        self._connected = connected
        self._pid = os.getpid()
        self._lock = threading.Lock()  # held while something is read
        self._connection: Any = None
        self._socket: Any = None  # the connection's; None while there is none
        self._stand_in: Wakeup | None = None  # its descriptor is given while there is no connection
        self._closed = False
        self._unread = False  # it was notified, and what said so is read already
        self._selector: BaseSelector | None = None
        self._data: object = None  # for the selector
        self._awaits_pong = False
        self._next_ping = 0.0
        self._next_try, self._pause = 0.0, _RECONNECT_AFTER
        self._used_at = time.monotonic()
        self._sent: set[str] = set()  # tasks that were sent since it was connected and cleared
        self._connect()

    # of a listener

    def fileno(self) -> int:
        if self._closed or self._pid != os.getpid():  # a child process does not inherit it
            return -1
        if self._socket is not None:
            return int(self._socket.fileno())
        if self._stand_in is None:
            self._stand_in = Wakeup()
        return self._stand_in.fileno()

    def watch(self, selector: BaseSelector, data: object) -> None:
        self._selector, self._data = selector, data
        self._register()

    def wait(self, timeout: float) -> bool:
        with self._lock:
            notified = self._wait(time.monotonic() + timeout)
            self._used_at = time.monotonic()
            return notified

    def clear(self) -> None:
        with self._lock:
            self._read(0.0)
            self._unread = False
            self._sent.clear()

    def set(self) -> None:
        self._unread = True
        sock = self._socket
        if sock is not None and not _is_encrypted(sock):
            with suppress(OSError):  # then it is notified by that
                sock.sendall(_PING)  # its thread may wait in `recv`: the reply wakes it

    def missed(self) -> bool:
        with self._lock:
            self._check()
            if self._socket is None:
                self._connect()
        return True

    def ordered(self) -> bool:
        ordered, self._ordered = self._ordered, False
        return ordered

    def note_sent(self, ids: Collection[str]) -> None:
        """Note tasks that its thread has just sent."""
        if self._socket is not None and len(self._sent) + len(ids) <= _MOST_SENT:
            self._sent.update(ids)

    def expect(self, ids: Collection[str] | None, progress: Collection[str] = ()) -> None:
        wanted = [] if len(progress) > _MOST_CHANNELS else [*map(self._channel_of, progress)]
        before, self._more_channels = self._more_channels, wanted
        self._tell("UNSUBSCRIBE", [each for each in before if each not in wanted])
        self._tell("SUBSCRIBE", [each for each in wanted if each not in before])

    def is_notified_of(self, ids: Collection[str]) -> bool:
        """Return whether it was not cleared, and its connection not lost, since its thread has sent
        all of these."""
        return self._socket is not None and self._sent.issuperset(ids)

    def close(self) -> None:
        self._closed = True
        self._disconnect()
        if self._stand_in is not None:
            self._stand_in.close()

    def __del__(self) -> None:
        self.close()  # for a thread that ended without closing it

    # for other threads

    def tend(self) -> bool:
        """Read what has arrived, unless its thread waits; return whether it is still connected.

        It stays notified. If its thread has not waited for a minute, it is disconnected.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._unread |= self._read(0.0)
                if time.monotonic() - self._used_at > _KEEP_IDLE:
                    self._disconnect()
            finally:
                self._lock.release()
        return self._socket is not None

    # inside

    def _channel_of(self, id: str) -> str:
        return f"{self._server.location.prefix}:news:progress:{id}"

    def _tell(self, command: str, channels: Sequence[str]) -> None:
        """Send a command about channels. The reply to it is read as a notification."""
        with self._lock:
            sock = self._socket
            if sock is None or not channels:  # once it is connected again, it has all channels
                return
            sock.settimeout(_WRITE_TIMEOUT)
            try:
                for part in self._connection.pack_command(command, *channels):
                    sock.sendall(part)
            except OSError:
                self._disconnect()

    def _wait(self, end: float) -> bool:
        while not self._unread:
            left = max(end - time.monotonic(), 0.0)
            if self._socket is None:
                if not self._connect():
                    time.sleep(min(left, _RECONNECT_AFTER))
                    return False
            elif self._read(min(left, _READ_ENCRYPTED) if _is_encrypted(self._socket) else left):
                break
            else:
                self._check()
                if not left and not self._unread:
                    return False
        self._unread = False
        self._sent.clear()
        return True

    def _read(self, timeout: float) -> bool:
        """Read all that arrives within `timeout` seconds; return whether it was a notification.

        That the connection is lost is one, too.
        """
        sock = self._socket
        if sock is None:
            return False
        try:
            return self._receive(sock, timeout)
        except OSError:
            self._disconnect()
            return True

    def _receive(self, sock: Any, timeout: float) -> bool:
        notified = False
        sock.settimeout(timeout)
        try:
            while data := sock.recv(_CHUNK):
                self._awaits_pong = False
                notified |= bool(data.replace(_PONG, b""))
                if self._orders:
                    self._look_for_orders(data)
                # With TLS, some of what has arrived may not be decrypted yet.
                if len(data) < _CHUNK and not _is_encrypted(sock):
                    return notified
                sock.settimeout(0.0)
        except (BlockingIOError, TimeoutError, SSLWantReadError):
            return notified
        raise ConnectionError("the server has closed the connection")

    def _look_for_orders(self, data: bytes) -> None:
        read = self._end + data
        self._end = read[-len(self._orders) :]
        if self._orders in read:
            self._ordered, self._end = True, b""

    def _check(self) -> None:
        """Write a ping now and then; give a connection up if the last one got no reply."""
        now = time.monotonic()
        if self._socket is None or now < self._next_ping:
            return
        self._unread |= self._read(0.0)  # the reply may have come while nobody read
        if self._awaits_pong or self._socket is None:
            self._disconnect()
            self._unread = True  # something may have been missed
            return
        self._awaits_pong, self._next_ping = True, now + _PING_EVERY
        with suppress(OSError):  # then no reply will come
            self._socket.sendall(_PING)

    def _connect(self) -> bool:
        """Begin to listen, unless that has just failed; return whether it succeeded."""
        now = time.monotonic()
        if self._closed or now < self._next_try:
            return False
        try:
            self._connection = self._server.subscribe([*self._channels, *self._more_channels])
        except (redis_errors.RedisError, OSError):
            # Whoever waits polls as well, and is told then what is wrong with the server.
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            return False
        self._socket = self._connection._sock
        self._pause = _RECONNECT_AFTER
        self._awaits_pong, self._next_ping = False, now + _PING_EVERY
        self._unread = self._ordered = True  # for what was missed until now
        self._register()
        self._connected(self)
        return True

    def _disconnect(self) -> None:
        sock, self._socket = self._socket, None
        if sock is None:
            return
        self._sent.clear()
        # Before its descriptor can be that of another connection; and not that of the parent.
        if self._selector is not None and self._pid == os.getpid():
            with suppress(KeyError, ValueError, RuntimeError):
                self._selector.unregister(sock)
        self._connection.disconnect()

    def _register(self) -> None:
        if self._selector is not None and self._socket is not None:
            self._selector.register(self._socket, EVENT_READ, self._data)


def _is_encrypted(sock: Any) -> bool:
    return hasattr(sock, "pending")


def work_listener(server: Server) -> ChannelListener:
    """Return a listener for work.

    While its connection to the second channel is open, the server knows that this process exists,
    see scripts/leases.lua.
    """
    prefix = server.location.prefix
    own = f"{prefix}:process:{this_process()}"
    return ChannelListener(server, [f"{prefix}:news:work", own], orders=own)


class ResultListeners:
    """The listeners for results: one for each thread, made when that thread first waits.

    A thread that waits again and again stays subscribed. What the server sends it in between has to
    be read, or else fills the server's memory: another thread reads it, each second. That thread
    ends when none of them is connected.
    """

    def __init__(self, server: Server, channel: str) -> None:
        self._server = server
        self._channel = channel
        self._local = threading.local()
        self._reset()

    def of_this_thread(self) -> ChannelListener:
        """Return the listener of the calling thread."""
        listener = self._open_one()
        if listener is None:
            listener = ChannelListener(self._server, [self._channel], self._connected)
            self._local.listener = listener
        return listener

    def note_sent(self, messages: Iterable[Message]) -> None:
        """Note tasks that the calling thread has just sent."""
        if listener := self._open_one():
            listener.note_sent([message.id for message in messages])

    def is_notified_of(self, ids: Collection[str]) -> bool:
        """Return whether the listener of the calling thread is, see `Broker.is_notified_of`."""
        listener = self._open_one()
        return listener is not None and listener.is_notified_of(ids)

    def _open_one(self) -> ChannelListener | None:
        listener: ChannelListener | None = getattr(self._local, "listener", None)
        return None if listener is None or listener.fileno() < 0 else listener

    def close(self) -> None:
        """Close all listeners."""
        for listener in tuple(self._listeners):
            listener.close()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._listeners: WeakSet[ChannelListener] = WeakSet()
        self._thread: threading.Thread | None = None

    def _connected(self, listener: ChannelListener) -> None:
        if self._pid != os.getpid():
            self._reset()  # after a fork: neither threads nor listeners are inherited
        with self._lock:
            self._listeners.add(listener)
            if self._thread is None:
                name = f"liteq-listener {self._channel}"
                self._thread = threading.Thread(target=self._tend, name=name, daemon=True)
                self._thread.start()

    def _tend(self) -> None:
        while True:
            time.sleep(_TEND_EVERY)
            with self._lock:
                if not [each for each in tuple(self._listeners) if each.tend()]:
                    self._thread = None
                    return
