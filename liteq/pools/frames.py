"""Frames on a stream: a length, then one value.

The values are plain tuples of numbers, text and bytes, written by `marshal`: both ends are the
same interpreter, it is twice as fast as pickle, and it cannot run code. A frame that was cut
short by a death is never delivered.
"""

import marshal
import os
import socket
import struct
from typing import Any
from weakref import WeakSet

_HEAD = struct.Struct("!Q")
_CHUNK = 1 << 18


def pack(value: Any) -> bytes:
    """One frame."""
    body = marshal.dumps(value)
    return _HEAD.pack(len(body)) + body


class FrameReader:
    """Cuts the bytes of a stream into values."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The values that are complete now."""
        buffer = self._buffer
        buffer += data
        values = []
        start = 0
        while len(buffer) - start >= _HEAD.size:
            (length,) = _HEAD.unpack_from(buffer, start)
            end = start + _HEAD.size + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                values.append(marshal.loads(view[start + _HEAD.size : end]))
            start = end
        if start:
            del buffer[:start]
        return values


class Channel:
    """The supervisor's end of a child's stream: never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        _channels.add(self)
        self.eof = False
        self._reader = FrameReader()
        self._unsent = bytearray()

    def send(self, value: Any) -> bool:
        """Send what goes now; say whether everything went."""
        self._unsent += pack(value)
        return self.flush()

    def flush(self) -> bool:
        """Go on sending; say whether everything went."""
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

    def receive(self) -> list[Any]:
        """All values that have come. Sets `eof` when the other end is closed."""
        values = []
        while not self.eof:
            try:
                data = self.socket.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.eof = True
                break
            values += self._reader.feed(data)
            if len(data) < _CHUNK:
                break
        return values

    def close(self) -> None:
        """Close the stream: the child sees its end."""
        self.eof = True
        self.socket.close()


# A child lives as long as somebody holds its stream open. If a process that the host program
# forks held it too, children would go on after a kill of the host, while others rescue their tasks.
_channels: WeakSet[Channel] = WeakSet()


def _close_in_forked() -> None:
    for channel in tuple(_channels):
        channel.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked)
