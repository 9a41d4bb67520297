"""Exceptions as bytes and back: they arrive as they were, and nothing in them can fail."""

import json
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import RemoteError, SerializationError
from liteq.execution.failure import (
    NOTE_LIMIT,
    TEXT_LIMIT,
    ExceptionInfo,
    bounded_repr,
    decode_failure,
    describe,
    encode_failure,
    remote_error,
    stored_failure,
    traceback_text,
)
from liteq.serializers import Serializer, get
from liteq.serializers.base import guarded
from liteq.testing import drain

from .conftest import make_task


class Custom(Exception):
    """An exception that is importable here."""

    class Nested(Exception):
        """One that is importable as well."""


class Empty(Exception):
    """An exception of a program that is false, as one with a list of errors may be."""

    def __len__(self) -> int:
        return 0


class KeywordOnly(Exception):
    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


class Unpicklable(Exception):
    def __reduce__(self) -> Any:
        raise RuntimeError("no way")


@pytest.fixture(params=["pickle", "json"])
def serializer(request: pytest.FixtureRequest) -> Serializer:
    return get(request.param)


def sent(exc: BaseException, serializer: Serializer, traceback: str | None = None) -> Any:
    return decode_failure(encode_failure(exc, serializer), serializer, traceback)


# what arrives


class Properties:
    """An object that a module holds, as Django's settings are."""

    ran = False

    @property
    def error(self) -> type[Exception]:
        Properties.ran = True
        return ValueError

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        Properties.ran = True
        return Properties


held = Properties()


def stored_error(module: str, name: str) -> BaseException:
    fields = {"exc_type": name, "exc_module": module, "exc_repr": "no"}
    return decode_failure(json.dumps(fields).encode(), get("json"))


def test_a_stored_error_runs_neither_a_property_nor_the_getattr_of_a_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    lazy = types.ModuleType("lazy")
    vars(lazy)["__getattr__"] = asked.append  # it would import what it is asked for (PEP 562)
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    monkeypatch.setattr(Properties, "ran", False)  # pytest itself asks what `held` is

    assert isinstance(stored_error("lazy", "Error"), RemoteError)
    assert isinstance(stored_error(__name__, "held"), RemoteError)
    assert isinstance(stored_error(__name__, "held.error"), RemoteError)
    assert not asked
    assert not Properties.ran


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", ".", "a..b"])
def test_a_stored_error_may_have_any_name(name: str) -> None:
    assert isinstance(stored_error(__name__, name), RemoteError)


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("no", 1),
        KeyError("key"),
        Custom(),
        Custom.Nested("inner"),
        FileNotFoundError(2, "gone"),
        ZeroDivisionError(),
    ],
)
def test_an_exception_of_a_known_class_arrives_as_it_was(
    exc: Exception, serializer: Serializer
) -> None:
    arrived = sent(exc, serializer)

    assert type(arrived) is type(exc)
    assert arrived.args == exc.args


def test_the_traceback_comes_along_as_a_note_and_an_attribute(serializer: Serializer) -> None:
    arrived = sent(ValueError("no"), serializer, "Traceback: here")

    assert arrived.traceback == "Traceback: here"
    assert "Traceback: here" in arrived.__notes__[0]


def test_an_unknown_class_is_a_remote_error_of_the_same_name(
    serializer: Serializer, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("elsewhere")
    gone: Any = type("GoneError", (Exception,), {"__module__": "elsewhere"})
    module.GoneError = gone  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    data = encode_failure(gone("bye"), serializer)
    monkeypatch.delitem(sys.modules, "elsewhere")

    arrived = decode_failure(data, serializer)

    assert isinstance(arrived, RemoteError)
    assert type(arrived).__name__ == "GoneError"
    assert str(arrived) == "GoneError('bye')"
    assert type(decode_failure(data, serializer)) is type(arrived)


def test_no_module_is_imported_for_an_exception() -> None:
    json = get("json")
    data = json.dumps({"exc_type": "TooHard", "exc_module": "antigravity", "exc_repr": "TooHard()"})

    assert isinstance(decode_failure(data, json), RemoteError)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("name", ["getcwd", "path.join", "no.such", "__name__"])
def test_what_is_no_exception_class_is_not_called(name: str) -> None:
    json = get("json")
    data = json.dumps({"exc_type": name, "exc_module": "os", "exc_repr": "x", "exc_args": b"[]"})

    assert isinstance(decode_failure(data, json), RemoteError)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_program_does_not_end_the_one_that_waits(
    kind: type[BaseException], serializer: Serializer
) -> None:
    arrived = sent(kind(3), serializer)

    assert isinstance(arrived, RemoteError)
    assert type(arrived).__name__ == kind.__name__


def test_a_class_of_the_script_is_the_same_in_its_child_processes(
    serializer: Serializer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = type("Mine", (Exception,), {"__module__": "__main__"})
    there = type("Mine", (Exception,), {"__module__": "__mp_main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Mine", here, raising=False)

    assert type(sent(there("x"), serializer)) is here


# what can go wrong


HARD: dict[str, Callable[[], BaseException]] = {
    "needs a keyword": lambda: KeywordOnly(reason="why"),
    "its repr raises": lambda: Unspeakable("x"),
    "its pickling raises": lambda: Unpicklable("x"),
    "holds an object": lambda: ValueError(object()),
    "holds a function": lambda: ValueError(lambda: 1),
    "half a surrogate pair": lambda: ValueError("\ud800"),
    "huge": lambda: ValueError("x" * 3_000_000),
    "a group": lambda: ExceptionGroup("many", [ValueError("a"), TypeError("b")]),
    "five arguments": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
}


@pytest.mark.parametrize("make", HARD.values(), ids=HARD)
def test_any_exception_can_be_sent(
    make: Callable[[], BaseException], serializer: Serializer
) -> None:
    exc = make()
    data = encode_failure(exc, serializer)

    arrived = decode_failure(data, serializer, traceback_text(exc))

    assert len(data) < 3_000_000
    assert type(arrived).__name__ == type(exc).__name__
    assert describe(exc)


def test_arguments_that_cannot_be_read_cost_only_themselves(serializer: Serializer) -> None:
    fields = serializer.loads(encode_failure(ValueError("no"), serializer))
    fields["exc_args"] = b"garbage"

    arrived = decode_failure(serializer.dumps(fields), serializer)

    assert isinstance(arrived, RemoteError)
    assert str(arrived) == "ValueError('no')"


@pytest.mark.parametrize("value", [None, [], {"exc_type": 5}, "ValueError"])
def test_bytes_that_are_no_failure_say_so(value: Any, serializer: Serializer) -> None:
    with pytest.raises(SerializationError, match="stored error"):
        decode_failure(serializer.dumps(value), serializer)


def test_a_remote_error_has_the_last_part_of_a_dotted_name() -> None:
    assert type(remote_error("Outer.Inner", "x")).__name__ == "Inner"


# in words


def test_a_description_is_one_bounded_line() -> None:
    assert describe(ValueError("no")) == "ValueError('no')"
    assert len(describe(ValueError("x" * 10_000))) == NOTE_LIMIT
    assert describe(Unspeakable()).startswith("Unspeakable")


def test_a_description_begins_with_the_class_whatever_its_repr() -> None:
    class Odd(Exception):
        def __repr__(self) -> str:
            return "odd!"

    assert describe(Odd()) == "Odd(odd!)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (None, "None"), ("x", "'x'"), ([1, "a"], "[1, 'a']"), ({"a": 1}, "{'a': 1}")],
)
def test_the_repr_of_what_is_small_is_the_usual_one(value: Any, text: str) -> None:
    assert bounded_repr(value) == text


BIG: dict[str, Any] = {
    "text": "x" * 10**6,
    "list": [0] * 10**6,
    "dict": {n: n for n in range(10**4)},
    "number": 10**5000,
    "unspeakable": Unspeakable(),
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("value", BIG.values(), ids=BIG)
def test_the_repr_of_anything_is_bounded_and_can_be_written(value: Any) -> None:
    assert len(bounded_repr(value).encode()) <= NOTE_LIMIT


def fail(depth: int = 0) -> None:
    if depth:
        fail(depth - 1)
    raise ValueError("here")


def caught(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011 - any
        function()
    return info.value


def test_a_traceback_ends_with_the_error_and_shows_where_it_was_raised() -> None:
    text = traceback_text(caught(fail))

    assert text.startswith("Traceback (most recent call last):")
    assert 'raise ValueError("here")' in text
    assert text.endswith("ValueError: here\n")


def test_a_long_traceback_is_cut_in_the_middle() -> None:
    def fail() -> None:
        raise ValueError("first" + "x" * 10**6 + "last")

    text = traceback_text(caught(fail))

    assert len(text) == TEXT_LIMIT
    assert text.startswith("Traceback")
    assert text.endswith("last\n")
    assert " characters ..." in text


def test_a_traceback_can_always_be_written() -> None:
    assert traceback_text(ValueError("\ud800")).encode()
    assert "Unspeakable" in traceback_text(Unspeakable())

    looped = ValueError("a")
    looped.__cause__ = TypeError("b")
    looped.__cause__.__cause__ = looped
    assert "TypeError: b" in traceback_text(looped)


def test_an_exception_info_is_what_hooks_of_celery_expect() -> None:
    exc = caught(fail)
    info = ExceptionInfo(exc)

    assert (info.exception, info.type, info.tb) == (exc, ValueError, exc.__traceback__)
    assert str(info) == info.traceback == traceback_text(exc)


def text_only() -> Serializer:
    """A serializer as Celery's programs register them: JSON that knows no bytes."""
    return guarded("text", lambda value: json.dumps(value).encode(), json.loads)


def test_a_serializer_of_texts_carries_an_error_with_its_arguments() -> None:
    error = ValueError("no", 7)
    error.__cause__ = KeyError("a")
    serializer = text_only()
    found = decode_failure(encode_failure(error, serializer), serializer)
    assert (type(found), found.args) == (ValueError, ("no", 7))
    assert isinstance(found.__cause__, KeyError)


def test_an_error_is_stored_as_json_where_the_serializer_carries_none() -> None:
    def refuse(value: object) -> bytes:
        raise TypeError("only numbers")

    data, name = stored_failure(ValueError("no"), guarded("numbers", refuse, refuse))
    assert name == "json"
    assert repr(decode_failure(data, get("json"))) == "ValueError('no')"


def test_an_error_that_is_false_comes_back_as_any_other(app: LiteQ) -> None:
    def fail() -> None:
        raise Empty("none")

    def retry(self: Any) -> None:
        raise self.retry(exc=Empty("none"), max_retries=0)

    for task in (
        make_task(app, fail, name="fail"),
        make_task(app, retry, name="retry", bind=True),
    ):
        result = task.delay()
        drain(app)
        assert type(result.get(timeout=0, propagate=False)) is Empty
