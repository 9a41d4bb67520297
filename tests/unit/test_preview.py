"""Previews of stored values: short, and made without running anything."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import os
import pickle
import struct
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pytest

from liteq.execution.failure import encode_failure
from liteq.serializers import get
from liteq.serializers.preview import preview, preview_call, preview_error
from liteq.serializers.signed import Signer


@dataclasses.dataclass
class Point:
    x: int
    y: str


class Colour(enum.Enum):
    RED = 1


class Call:
    """A value whose pickle calls a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def pickled(value: Any) -> str | None:
    return preview(pickle.dumps(value, 5), "pickle")


MOMENT = dt.datetime(2030, 1, 31, 18, tzinfo=dt.UTC)
ID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, -2.5, "text", b"bytes", bytearray(b"x"), [], (1,), {1, 2}, {"a": [None]}),
        *(MOMENT, MOMENT.date(), dt.timedelta(1), decimal.Decimal("1.50"), ID),
    ],
)
def test_a_plain_value_is_shown_as_python_shows_it(value: Any) -> None:
    assert pickled(value) == repr(value)


@pytest.mark.parametrize("value", [None, 1, "text", [1, {"a": 2}], MOMENT, decimal.Decimal("1.5")])
def test_a_value_in_json_is_shown_as_python_shows_it(value: Any) -> None:
    assert preview(get("json").dumps(value), "json") == repr(value)


def test_a_value_of_a_class_is_shown_by_its_name_and_fields() -> None:
    assert pickled(Point(1, "a")) == f"{__name__}.Point(x=1, y='a')"
    assert pickled(Colour.RED) == f"{__name__}.Colour(1)"
    assert pickled(ValueError("no")) == "ValueError('no')"
    assert pickled(collections.Counter("aab")) == "collections.Counter({'a': 2, 'b': 1})"


def test_nothing_that_a_pickle_names_is_called(tmp_path: Path) -> None:
    path = tmp_path / "made"
    shown = pickled([Call(os.mkdir, str(path)), Call(Path.mkdir, path), Call(exec, "1 / 0")])
    assert shown is not None
    assert shown.startswith(f"[posix.mkdir({str(path)!r}), ")
    assert "exec('1 / 0')" in shown
    assert not path.exists()


def test_nothing_of_this_process_can_be_changed_by_a_pickle() -> None:
    # BUILD sets attributes on whatever is below it: here, what the pickle has named.
    attack = b"cuuid\nUUID\n(dS'__str__'\nS'changed'\nsb."
    before = vars(uuid.UUID).copy()
    preview(attack, "pickle")
    assert vars(uuid.UUID) == before


def test_what_is_large_or_deep_is_shown_in_part() -> None:
    bomb: Any = ["x"] * 10
    for _ in range(30):
        bomb = [bomb] * 10
    itself: list[Any] = []
    itself.append(itself)
    for value in (bomb, itself, "x" * 10_000, b"x" * 10_000, list(range(9999)), 10**5000):
        shown = pickled(value)
        assert shown is not None
        assert len(shown) < 5000


def shared(start: bytes, step: bytes, times: int) -> bytes:
    """A pickle whose parts each hold the one before more than once, by the memo."""
    return (
        b"\x80\x05"
        + start
        + b"\x94"
        + b"".join(
            b"h%c" % n * step.count(b"#") + step.replace(b"#", b"") + b"\x94" for n in range(times)
        )
    )


HEAVY = {
    "a size of 2 GB": b"\x80\x05\x96" + struct.pack("<Q", 2**31) + b".",
    "a tuple of tuples as a key": shared(b")", b"##\x86", 40) + b"}\x94h%cNs." % 40,
    "a state of states": shared(b")", b"##\x86", 40) + b"c__main__\nC\n)\x81h%cb." % 40,
    "a date of dates": shared(b")", b"", 0)[:-2]
    + b"cdatetime\ndatetime\n\x94"
    + b"".join(b"h\x00" + (b"h%c" % n) * 3 + b"\x87R\x94" for n in range(40))
    + b".",
    "many objects of the same arguments": b"\x80\x05("
    + b"K\x01" * 9000
    + b"t\x94cm\nC\n\x94("
    + b"h\x01h\x00\x81" * 3000
    + b"l.",
    "many states": b"\x80\x05}\x94("
    + b"K\x01K\x01" * 4000
    + b"ucm\nC\n)\x81"
    + b"h\x00b" * 3000
    + b".",
    "a huge decimal": b"\x80\x05cdecimal\nDecimal\n\x8b"
    + struct.pack("<i", 60_000)
    + b"\x7f" * 60_000
    + b"\x85R.",
    "a set of numbers that collide": pickle.dumps({n * (2**61 - 1) for n in range(3000)}, 5),
    "many names": b"\x80\x05(" + b"\x8c\x01m\x8c\x01n\x93" * 5000 + b"l.",
}


@pytest.mark.parametrize("kind", HEAVY)
def test_no_pickle_claims_much_memory_or_time(kind: str) -> None:
    tracemalloc.start()
    try:
        shown = preview(HEAVY[kind], "pickle")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shown is not None
    assert len(shown) < 10_000
    assert peak < 2**25, f"{peak} bytes"


def test_what_is_shown_is_one_line_without_control_characters() -> None:
    evil = "\x1b[2J\n\u202e"
    for shown in (
        pickled([evil, evil.encode(), {evil: 1}]),
        preview(b"\x80\x05\x8c\x04m\x1b\n!\x8c\x03C\x1b\n\x93)R.", "pickle"),
        preview_call(pickle.dumps(((), {evil: 1})), "pickle"),
        preview_error(pickle.dumps({"exc_repr": evil}), "pickle"),
        preview(b"", evil),
    ):
        assert shown is not None
        assert shown.isprintable(), ascii(shown)


@pytest.mark.parametrize(
    ("data", "serializer"),
    [
        (b"\x80\x05r\xff\xff\xff\x7f.", "pickle"),  # a memo of 16 GB, in C
        (b"", "pickle"),
        (b"(" * 100_000, "pickle"),
        (b"{", "json"),
        (b"x", "own"),
        (b"[" + b" " * (1 << 20) + b"]", "json"),
    ],
)
def test_what_cannot_be_read_is_shown_by_its_size(data: bytes, serializer: str) -> None:
    size = f"<{len(data)} bytes of {serializer}>"
    assert preview(data, serializer) == size
    assert preview_call(data, serializer) == size


def test_a_call_is_shown_as_it_is_written() -> None:
    payload = pickle.dumps(((1, Point(2, "b")), {"to": "ann"}))
    shown = f"1, {__name__}.Point(x=2, y='b'), to='ann'"
    assert preview_call(payload, "pickle") == shown
    assert preview_call(Signer("k" * 32).sign(payload, ("task",)), "pickle") == shown
    assert preview_call(b'[[1], {"n": null}]', "json") == "1, n=None"
    assert preview_call(b"[1]", "json") == "<3 bytes of json>"


@pytest.mark.parametrize("name", ["json", "pickle"])
def test_an_error_is_shown_as_it_was_in_the_worker(name: str) -> None:
    serializer = get(name)
    assert preview_error(encode_failure(KeyError("a"), serializer), name) == "KeyError('a')"
    assert preview_error(serializer.dumps(1), name) is None
    assert preview_error(None, None) is None
