"""Previews of stored values: short, and made without running anything."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import os
import pickle
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
