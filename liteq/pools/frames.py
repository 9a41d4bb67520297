"""Frames on a stream: a length, then one value.

The values are plain tuples of numbers, text and bytes, written by `marshal`: both ends are the
same interpreter, it is twice as fast as pickle, and it cannot run code. A frame that was cut short
by the exit of its sender is never delivered. What comes from children is checked first, see
`marshalling`.
"""

import marshal
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping
from selectors import EVENT_READ, DefaultSelector
from typing import Any
from weakref import WeakSet

_HEAD = struct.Struct("!Q")
CHUNK = 1 << 16
"""Bytes to receive at most: above 128 KB malloc maps and unmaps memory, for 15 us a call."""

_LONGEST = 1 << 34  # bytes; a longer frame is what two writers have left of the stream
_MARSHAL_ERRORS = (EOFError, MemoryError, SystemError, TypeError, ValueError)


def pack(value: Any) -> bytes:
    """Return `value` as one frame."""
    body = marshal.dumps(value)
    return _HEAD.pack(len(body)) + body


class FrameReader:
    """A parser that cuts the bytes of a stream into values. `loads` decodes one."""

    def __init__(self, loads: Callable[[memoryview], Any] = marshal.loads) -> None:
        self._loads = loads
        self._buffer = bytearray()
        self.broken: bool = False  # from here on nothing can be read

    def feed(self, data: bytes) -> list[Any]:
        """Add `data`; return the values that are complete now.

        Sets `broken` at what is no frame.
        """
        buffer = self._buffer
        buffer += data
        values = []
        start = 0
        while len(buffer) - start >= _HEAD.size:
            (length,) = _HEAD.unpack_from(buffer, start)
            end = start + _HEAD.size + length
            if len(buffer) < end:
                self.broken = length > _LONGEST
                break
            try:
                with memoryview(buffer) as view:
                    values.append(self._loads(view[start + _HEAD.size : end]))
            except _MARSHAL_ERRORS:
                self.broken = True
                break
            start = end
        if start:
            del buffer[:start]
        return values


class Channel:
    """The supervisor's end of a child's stream, which never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        from . import marshalling  # it takes 2 ms, and only the supervisor needs it

        sock.setblocking(False)
        self.socket = sock
        _channels.add(self)
        self.eof: bool = False
        self.broken: bool = False  # it has sent what is no frame, or what no child of ours sends
        self._reader = FrameReader(marshalling.loads)
        self._unsent = bytearray()

    def send(self, value: Any) -> bool:
        """Send `value` as far as the stream takes it; return whether nothing is left to send."""
        self._unsent += pack(value)
        return self.flush()

    def flush(self) -> bool:
        """Send what is left; return whether nothing is left to send."""
        while self._unsent and not self.eof:
            try:
                sent = self.socket.send(self._unsent)
            except BlockingIOError:
                return False
            except OSError:
                self.eof = True
                break
            del self._unsent[:sent]
        return True

    def fail(self) -> None:
        """Receive nothing more: what the other end has sent is none of our frames."""
        self.eof = self.broken = True

    def receive(self) -> list[Any]:
        """Return all values that have arrived.

        Sets `eof` when the other end is closed, or has sent what is no frame.
        """
        values = []
        while not self.eof:
            try:
                data = self.socket.recv(CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.eof = True
                break
            values += self._reader.feed(data)
            if self._reader.broken:
                self.fail()
            if len(data) < CHUNK:
                break
        return values

    def close(self) -> None:
        """Close the stream, which tells the child to exit."""
        self.eof = True
        self.socket.close()


def receive_until_closed(receive: Mapping[Channel, Callable[[], object]], seconds: float) -> None:
    """Call what receives from each channel until its other end is closed, for `seconds` at most."""
    deadline = time.monotonic() + seconds
    with DefaultSelector() as selector:
        for channel in receive:
            selector.register(channel.socket, EVENT_READ, channel)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                receive[key.data]()
                if key.data.eof:
                    selector.unregister(key.fileobj)


# A child lives as long as a process holds the other end of its stream open. If a process that the
# host program forks held it too, children would go on after a kill of the host, while another
# worker rescues their tasks.
_channels: WeakSet[Channel] = WeakSet()


def _close_in_forked() -> None:
    for channel in tuple(_channels):
        channel.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked)
