"""The decoding of marshal data from child processes, once it is checked to hold what it declares.

`marshal` allocates a tuple or list as large as five bytes declare it, up to 16 GB, before it reads
the first value of it. A task can write to the stream of its process; so what children send is
checked: all tuples and lists together have at most as many values as the data has bytes. Nothing
passes but what frames consist of.
"""

import marshal
import re
from struct import Struct
from typing import Any

_REFERRED = 0x80  # set in the code of a value that a later one refers to
_SHORT = 64  # bytes; nearly all texts are shorter
_REPEATS = 1000
_LARGE_INTEGER = ord("l")

_size_at = Struct("<i").unpack_from


def _codes(codes: bytes) -> bytes:
    return b"[" + re.escape(codes + bytes(code | _REFERRED for code in codes)) + b"]"


def _short(size: str) -> bytes:
    """Return the pattern of less than 64 bytes behind their number, which is stored as `size`."""
    return b"|".join(re.escape(Struct(size).pack(n)) + b".{%d}" % n for n in range(_SHORT))


# None, True and False, the head and the end of a dict, which declare nothing; integers and
# references; floats; the heads of tuples of up to 255 values, which do no harm; texts and bytes
# that are short. What the loop below does one by one, a match does for all that follow each other:
# 0.3 us for an outcome, instead of 1 us. The number of repeats bounds the memory that matching
# takes; a possessive `*+` would as well, but before Python 3.11.5 it ends in the wrong place.
_small_values = re.compile(
    b"(?:%b|%b.{4}|%b.{8}|%b.|%b(?:%b)|%b(?:%b)){0,%d}"
    % (
        _codes(b"NTF0{"),
        _codes(b"ir"),
        _codes(b"g"),
        _codes(b")"),
        _codes(b"zZ"),
        _short("<B"),
        _codes(b"sutaA"),
        _short("<I"),
        _REPEATS,
    ),
    re.DOTALL,
).match


def loads(data: memoryview) -> Any:
    """Return the value in `data`. Raises ValueError when it is cut off, or not as in a frame."""
    if not _is_complete(data):
        raise ValueError("it declares more than it holds, or is no part of a frame")
    return marshal.loads(data)


def _is_complete(data: memoryview) -> bool:
    at, end = 0, len(data)
    values_left = end  # that tuples and lists may still declare
    while True:
        small = _small_values(data, at)
        assert small is not None  # it matches nothing as well
        begin, at = at, small.end()
        if at - begin >= _REPEATS:  # there may be more, as each takes a byte at least
            continue
        if at >= end - 4:  # too short for the head of another value
            return at == end
        code = data[at] & ~_REFERRED
        (size,) = _size_at(data, at + 1)
        if code in b"zZ":
            at += 2 + data[at + 1]
        elif code == _LARGE_INTEGER:  # digits of two bytes; the sign is that of the size
            at += 5 + 2 * abs(size)
        elif size < 0:
            return False
        elif code in b"sutaA":
            at += 5 + size
        elif code in b"([" and size <= values_left:
            at += 5
            values_left -= size
        else:
            return False
