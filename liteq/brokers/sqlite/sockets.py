"""Notifications between processes: a datagram to the socket of each listener.

They are Unix sockets in a folder of the user's own or, where there are none, UDP sockets on the
loopback address. A datagram only wakes; its content tells at most that there are orders.

A listener has a key: 31 bits that name its socket in the folder or, with one more bit, its port. So
whoever finds a key in the memory that all processes share knows the address as well, unless the
listener's process has another folder.
"""

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress

from ...support.portable import portable
from ...support.randomness import sample
from ..base import Listener
from . import forks
from .runtime import runtime_folder

NEWS, AN_ORDER = b"!", b"o"
"""Datagrams"""

_PORT = 2**31  # in a key: the rest is a port
_UNIX = hasattr(socket, "AF_UNIX") and os.name == "posix"


class SocketListener(forks.ForkAware, Listener):
    """A listener on a datagram socket.

    `changed` returns whether the store was written to since its last call.
    """

    def __init__(self, changed: Callable[[], bool]) -> None:
        self._changed = changed
        self.address: str
        self._socket, self.address = _bind()
        self.key: int = key_of(self.address)
        forks.register(self)
        self._socket.setblocking(False)
        self._ordered = True

    def fileno(self) -> int:
        return self._socket.fileno()

    def missed(self) -> bool:
        changed = self._changed()
        self._ordered = self._ordered or changed
        return changed

    def ordered(self) -> bool:
        ordered, self._ordered = self._ordered, False
        return ordered

    def wait(self, timeout: float) -> bool:
        try:
            return self._wait(timeout)
        except OSError:
            if self._socket.fileno() >= 0:
                raise
            return True  # another thread has closed it: look again

    def _wait(self, timeout: float) -> bool:
        try:
            if data := self._socket.recv(16):
                self._take(data)
                return True
        except BlockingIOError:
            pass
        self._socket.settimeout(max(timeout, 1e-6))
        try:
            data = self._socket.recv(16)
        except TimeoutError:
            return False
        finally:
            self._socket.setblocking(False)
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        """Discard the notifications so far, of which `data` was the first."""
        self._ordered = self._ordered or data == AN_ORDER
        self.clear()

    def clear(self) -> None:
        with suppress(BlockingIOError):
            while data := self._socket.recv(16):
                if data == AN_ORDER:
                    self._ordered = True

    def set(self) -> None:
        with suppress(OSError):  # full: it is notified already; closed: nobody waits any more
            if self.address.startswith("udp:"):
                self._socket.sendto(NEWS, self._socket.getsockname())
            else:
                self._socket.sendto(NEWS, self.address)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        forks.unregister(self)
        self._socket.close()
        _unlink(self.address)
        self.leave()

    def leave(self) -> None:
        """Tell others that it is closed."""

    def after_fork_in_child(self) -> None:
        self._socket.close()  # a forked child must not receive what is sent to its parent


class _Unbound(socket.socket):
    """A socket to send from. It is closed in silence, should it be finalized before its owner.

    That happens when nobody closes a broker that is a part of a cycle.
    """

    def __del__(self) -> None:
        self.close()


class Notifier:
    """The sockets by which one thread notifies listeners of other processes."""

    def __init__(self) -> None:
        self._unix: socket.socket | None = None
        self._inet: socket.socket | None = None
        self._prefix: str | None = None  # of the paths of Unix sockets
        self._closed = False

    def notify(self, addresses: Iterable[str], data: bytes = NEWS) -> None:
        """Notify each address, with this datagram.

        One that is closed, or whose buffer is full, is no error; nor is what no listener has
        written, as any program that can write the store may have.
        """
        for address in addresses:
            with suppress(AttributeError, TypeError, ValueError, OverflowError):
                self.send(address, data)

    def notify_key(self, key: int) -> bool:
        """Notify the listener of that key; return False if there is none in our folder."""
        if key & _PORT:
            return self.send(f"udp:{key - _PORT}")
        if self._prefix is None:
            self._prefix = os.path.join(_folder() or "", "")
        return self.send(f"{self._prefix}{key:08x}")

    def send(self, address: str, data: bytes = NEWS) -> bool:
        """Notify a listener; return False if nobody listens there."""
        if self._closed:
            return True
        try:
            if address.startswith("udp:"):
                self._loopback().sendto(data, ("127.0.0.1", int(address[4:])))
            else:
                self._local().sendto(data, address)
        except (FileNotFoundError, ConnectionRefusedError, OverflowError, ValueError):
            return False  # the last two: such an address was not written by a listener
        except OSError:
            pass  # its buffer is full, so it is notified already
        return True

    def _local(self) -> socket.socket:
        if self._unix is None:
            self._unix = _Unbound(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._unix.setblocking(False)
        return self._unix

    def _loopback(self) -> socket.socket:
        if self._inet is None:
            self._inet = _Unbound(socket.AF_INET, socket.SOCK_DGRAM)
            self._inet.setblocking(False)
        return self._inet

    def close(self) -> None:
        """Close the sockets; what is notified after it, by a thread that still ends, is dropped."""
        self._closed = True
        for each in (self._unix, self._inet):
            if each is not None:
                each.close()


def remove_closed_sockets(at_most: int) -> None:
    """Remove files of sockets whose processes were killed, whatever their store was.

    Of so many files it asks the system whether a socket is still bound to them, so that those of
    other containers with the same folder stay. They are chosen at random: the next call finds more.
    """
    folder = _folder()
    if folder is None:
        return
    names = os.listdir(folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        for name in sample(names, min(at_most, len(names))):
            path = os.path.join(folder, name)
            with suppress(OSError):
                if stat.S_ISSOCK(os.lstat(path).st_mode) and _is_closed(probe, path):
                    os.unlink(path)


def _is_closed(probe: socket.socket, path: str) -> bool:
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        return True
    return False


def _folder() -> str | None:
    """Return the folder of the sockets; None where they are on the loopback address."""
    return runtime_folder() if _UNIX and not portable() else None


def _bind() -> tuple[socket.socket, str]:
    folder = _folder()
    with ExitStack() as on_error:
        if folder is None:
            loopback = on_error.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            loopback.bind(("127.0.0.1", 0))
            bound = loopback, f"udp:{loopback.getsockname()[1]}"
        else:
            local = on_error.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            bound = local, _bind_in(folder, local)
        on_error.pop_all()
    return bound


def _bind_in(folder: str, local: socket.socket) -> str:
    while True:
        # From the system, which gives no two processes the same.
        address = os.path.join(folder, f"{int.from_bytes(os.urandom(4)) % _PORT or 1:08x}")
        try:
            local.bind(address)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise
        else:
            return address


def key_of(address: str) -> int:
    """Return the key of a listener. Raises ValueError for what is no address of one."""
    if address.startswith("udp:"):
        return _PORT | int(address[4:]) & 0xFFFF
    return int(os.path.basename(address), 16) & _PORT - 1


def keys_of(addresses: Iterable[str]) -> dict[int, str]:
    """Return the addresses by key, without what is no address of a listener."""
    found: dict[int, str] = {}
    for address in addresses:
        with suppress(AttributeError, TypeError, ValueError):
            found[key_of(address)] = address
    return found


def _unlink(address: str) -> None:
    if not address.startswith("udp:"):
        with suppress(OSError):
            os.unlink(address)
