"""Frames on the stream from a child to the supervisor."""

import marshal
import random
import socket
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from liteq.pools.frames import Channel, pack


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, childs = socket.socketpair()
    channel = Channel(ours)
    with childs:
        yield channel, childs
    channel.close()


def received(ends: tuple[Channel, socket.socket], data: bytes) -> list[Any]:
    channel, child = ends
    values = []
    for start in range(0, len(data), 1 << 15):
        child.sendall(data[start : start + (1 << 15)])
        values += channel.receive()
    return values


# values of all kinds and sizes

LEAVES: list[Any] = [None, True, False, 0, -1, 2**31, -(2**31), 2**63, -(2**200), 1.5, float("inf")]
LEAVES += ["", "succeeded", "näh", "\udc80", b"", b"\x00\xff(\xff\xff\xff\x7f"]
SIZES = [0, 1, 2, 63, 64, 65, 255, 256, 300, 70_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", ["x", "ä", "\U0001f40d", b"(", b"\xff"], ids=ascii)
def test_texts_and_bytes_of_all_sizes_arrive(
    ends: tuple[Channel, socket.socket], text: str | bytes, size: int
) -> None:
    value = (1, [(7, text * size, "end")])

    assert received(ends, pack(value)) == [value]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_and_tuples_of_all_sizes_arrive(
    ends: tuple[Channel, socket.socket], kind: Any, size: int
) -> None:
    value = kind((n, LEAVES[n % len(LEAVES)]) for n in range(size))

    assert received(ends, pack(value)) == [value]
    assert received(ends, pack(kind([value, value]))) == [kind([value, value])]


def test_values_in_each_other_arrive(ends: tuple[Channel, socket.socket]) -> None:
    chance = random.Random(7)

    def value(depth: int) -> Any:
        if depth == 0 or chance.random() < 0.3:
            return chance.choice(LEAVES)
        kind: Any = chance.choice([list, tuple, dict])
        parts = [value(depth - 1) for _ in range(chance.randrange(6))]
        return dict(enumerate(parts)) if kind is dict else kind(parts)

    values = [value(6) for _ in range(200)]
    assert received(ends, b"".join(map(pack, values))) == values


# what a task may write there

MANY = struct.pack("<i", 2**24)  # values, so that 128 MB are allocated if it is believed
FALSE = {
    "a tuple": b"(" + MANY,
    "a tuple that is referred to": b"\xa8" + MANY,
    "a list": b"[" + MANY,
    "a tuple in an outcome": b")\x02i\x01\x00\x00\x00[\x01\x00\x00\x00)\x02(" + MANY + b"NN",
    "a tuple behind a text": b")\x03s\x46\x00\x00\x00" + b"(" * 70 + b"z\x01((" + MANY,
    "tuples in each other": (b"(" + struct.pack("<i", 100_000)) * 200 + b"N" * 100_000,
    "fewer than none": b"[\xff\xff\xff\xff",
    "a text of fewer bytes than none": b"s\xf6\xff\xff\xffNNNN",
    "a text that is cut off": b"z\xffN",
    "a set": b"<" + MANY,
    "code": marshal.dumps(compile("1", "", "exec")),
    "a dict that is cut off": marshal.dumps({"a": 1})[:-1],
    "nothing": b"",
    "a head": b"i\x00",
}


@pytest.mark.parametrize("kind", FALSE)
def test_what_declares_more_than_it_holds_is_refused_before_memory_is_claimed(
    ends: tuple[Channel, socket.socket], kind: str
) -> None:
    channel, _ = ends
    body = FALSE[kind]
    tracemalloc.start()
    try:
        values = received(ends, struct.pack("!Q", len(body)) + body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (values, channel.broken) == ([], True)
    assert peak < 2**23, f"{peak} bytes"
