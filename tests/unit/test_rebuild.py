"""Exceptions of any shape come back as themselves, and nothing of their classes is run for it."""

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from liteq.exceptions import RemoteError
from liteq.execution.failure import decode_failure, describe, encode_failure, traceback_text
from liteq.serializers import Serializer, get


@pytest.fixture(params=["pickle", "json"])
def serializer(request: pytest.FixtureRequest) -> Serializer:
    return get(request.param)


def sent(exc: BaseException, serializer: Serializer) -> Any:
    return decode_failure(encode_failure(exc, serializer), serializer)


def raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except Exception as exc:
        return exc
    raise AssertionError("nothing was raised")


# what comes back


class ApiError(Exception):
    def __init__(self, status: int, detail: str = "none") -> None:
        super().__init__(f"HTTP {status}: {detail}")
        self.status, self.detail = status, detail


class KeywordOnly(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Silent(Exception):
    def __init__(self, name: str, code: int) -> None:
        self.name, self.code = name, code

    def __str__(self) -> str:
        return f"{self.name}/{self.code}"


class Slotted(ValueError):
    __slots__ = ("code", "unset")

    def __init__(self, code: int) -> None:
        self.code = code


class Refused(OSError):
    def __init__(self, *, path: str) -> None:
        super().__init__(13, "refused", path)


def noted() -> Exception:
    exc = ValueError("seen")
    exc.add_note("on the way")
    return exc


SHAPES: dict[str, tuple[Callable[[], BaseException], tuple[str, ...]]] = {
    "a text made of its arguments": (lambda: ApiError(503, "down"), ("status", "detail")),
    "keywords only": (lambda: KeywordOnly(code=7), ("code",)),
    "no super().__init__": (lambda: Silent("disk", 5), ("name", "code")),
    "slots": (lambda: Slotted(5), ("code",)),
    "a file name": (lambda: raised(Path("/no/such/file").read_bytes), ("errno", "filename")),
    "a class of its own with a file name": (lambda: Refused(path="/x"), ("errno", "filename")),
    "JSON": (lambda: raised(lambda: json.loads("{'a': 1}")), ("pos", "lineno", "doc")),
    "Unicode": (lambda: raised(b"\xff".decode), ("start", "reason", "object")),
    "an import": (lambda: ImportError("no", name="it", path="/it"), ("name", "path")),
    "a lone surrogate": (lambda: UnicodeEncodeError("utf-8", "x", 0, 1, "no"), ("object",)),
    "syntax": (lambda: raised(lambda: compile("1 +", "here", "eval")), ("lineno", "msg")),
    "a note": (noted, ("__notes__",)),
}


@pytest.mark.parametrize(("make", "attributes"), SHAPES.values(), ids=SHAPES)
def test_an_exception_comes_back_with_its_class_its_text_and_its_attributes(
    make: Callable[[], BaseException], attributes: tuple[str, ...], serializer: Serializer
) -> None:
    exc = make()
    back = sent(exc, serializer)

    assert type(back) is type(exc)
    assert str(back) == str(exc)
    assert {n: getattr(back, n) for n in attributes} == {n: getattr(exc, n) for n in attributes}


def test_causes_come_back_one_behind_the_other(serializer: Serializer) -> None:
    exc, cause = KeyError("a"), ApiError(503)
    exc.__cause__, cause.__cause__ = cause, ValueError("first")

    back = sent(exc, serializer)

    assert type(back.__cause__) is ApiError
    assert back.__cause__.status == 503
    assert type(back.__cause__.__cause__) is ValueError


def test_causes_in_a_circle_end(serializer: Serializer) -> None:
    exc = ValueError("a")
    exc.__cause__ = TypeError("b")
    exc.__cause__.__cause__ = exc

    back = sent(exc, serializer)

    assert type(back.__cause__.__cause__) is ValueError


def test_a_group_comes_back_with_its_members(serializer: Serializer) -> None:
    group = ExceptionGroup("both", [ApiError(1), ExceptionGroup("inner", [KeyError("b")])])

    back = sent(group, serializer)

    assert type(back) is ExceptionGroup
    assert vars(back.exceptions[0])["status"] == 1
    assert str(back.exceptions[1]) == "inner (1 sub-exception)"
    assert back.exceptions[1].exceptions[0].args == ("b",)


def test_an_exception_among_the_arguments_or_attributes_comes_back(serializer: Serializer) -> None:
    exc = ValueError(ApiError(1), "text")
    exc.reason = KeywordOnly(code=2)  # type: ignore[attr-defined]

    back = sent(exc, serializer)

    assert (back.args[0].status, back.args[1], back.reason.code) == (1, "text", 2)


def test_what_the_serializer_cannot_carry_is_left_out_alone(serializer: Serializer) -> None:
    exc: Any = ApiError(503)
    exc.lock, exc.doc = lambda: 1, "x" * 3_000_000
    exc.args = (*exc.args, lambda: 1)

    back = sent(exc, serializer)

    assert vars(back) == {"status": 503, "detail": "none", "traceback": None}
    assert back.args[0] == "HTTP 503: none"
    assert back.args[1].startswith("<function ")
    assert len(encode_failure(exc, serializer)) < 10_000


# a class that is not here


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Callable[..., BaseException]:
    """Return a function that makes an exception whose class is not here when it is read."""

    def make(*bases: type, **names: Any) -> BaseException:
        cls: Any = type("GoneError", bases, {"__module__": "elsewhere", **names})
        exc: BaseException = cls("bye")
        return exc

    return make


def test_an_unknown_class_is_caught_by_its_nearest_base_class(
    gone: Callable[..., BaseException], serializer: Serializer
) -> None:
    back = sent(gone(KeyError), serializer)

    assert isinstance(back, RemoteError)
    assert isinstance(back, KeyError)
    assert (type(back).__name__, str(back)) == ("GoneError", "GoneError('bye')")
    assert type(back) is type(sent(gone(KeyError), serializer))


def test_an_error_that_stands_for_another_one_can_be_sent_on(
    gone: Callable[..., BaseException], serializer: Serializer
) -> None:
    back = sent(sent(gone(KeyError), serializer), serializer)

    assert isinstance(back, RemoteError)
    assert isinstance(back, KeyError)
    assert str(back) == "GoneError('bye')"


def test_an_unknown_class_is_caught_by_a_base_of_the_program_that_has_a_constructor(
    gone: Callable[..., BaseException], serializer: Serializer
) -> None:
    back = sent(gone(ApiError), serializer)

    assert isinstance(back, RemoteError)
    assert isinstance(back, ApiError)
    assert str(back) == "GoneError('HTTP bye: none')"
    assert vars(back)["status"] == "bye"


# what is not run


class Watched(Exception):
    """An exception that notes whatever is run of its class."""

    ran: ClassVar[list[str]] = []

    def __new__(cls, *args: Any) -> Self:
        Watched.ran.append("__new__")
        return super().__new__(cls)

    def __init__(self, *args: Any) -> None:
        Watched.ran.append("__init__")
        super().__init__(*args)

    def __init_subclass__(cls) -> None:
        Watched.ran.append("__init_subclass__")

    def __getattribute__(self, name: str) -> Any:
        Watched.ran.append(f"get {name}")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        Watched.ran.append(f"set {name}")

    def __setstate__(self, state: Any) -> None:
        Watched.ran.append("__setstate__")

    def __reduce__(self) -> Any:
        Watched.ran.append("__reduce__")
        return Watched, ()

    def add_note(self, note: str) -> None:
        Watched.ran.append("add_note")

    @property
    def code(self) -> int:
        Watched.ran.append("property")
        return 1

    @code.setter
    def code(self, value: int) -> None:
        Watched.ran.append("setter")


HOSTILE: dict[str, dict[str, Any]] = {
    "the class itself": {"exc_type": "Watched"},
    "as a base class": {"exc_type": "Other", "exc_bases": [[__name__, "Watched"]]},
    "as a cause": {"exc_type": "Other", "exc_cause": {"exc_type": "Watched", "exc_args": []}},
    "with attributes": {
        "exc_type": "Watched",
        "exc_args": [],
        "exc_attributes": dict.fromkeys(("code", "__class__", "__cause__", "__notes__"), b"5"),
    },
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE)
def test_a_stored_error_runs_nothing_of_a_class(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watched, "ran", [])
    codec = get("json")
    whole = {"exc_module": __name__, "exc_repr": "no", "exc_args": b"[1]", **fields}
    if "exc_cause" in whole:
        whole["exc_cause"]["exc_module"] = __name__

    decode_failure(codec.dumps(whole), codec, "the traceback")

    assert Watched.ran == []


class HostileMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(f"asked for {name}")

    def __subclasscheck__(cls, subclass: type) -> bool:
        raise RuntimeError("asked for a subclass")

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("asked for an instance")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("compared")

    def __hash__(cls) -> int:
        return 1


class Hostile(Exception, metaclass=HostileMeta):
    __slots__ = ("code",)

    code: int


class OfHostile(Hostile):
    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(f"asked for {name}")

    def __repr__(self) -> str:
        raise KeyboardInterrupt


def test_a_class_whose_metaclass_fails_at_whatever_is_asked_comes_back(
    serializer: Serializer,
) -> None:
    for name, cls in (("Hostile", Hostile), ("OfHostile", OfHostile)):
        exc = cls("text")
        exc.code = 5
        back = sent(exc, serializer)

        assert type(back) is cls
        assert BaseException.args.__get__(back) == ("text",)  # type: ignore[attr-defined]
        assert object.__getattribute__(back, "code") == 5
        assert describe(exc).startswith(f"{name}(")
        assert traceback_text(exc)


def test_a_module_that_fails_at_whatever_is_asked_is_passed_over(
    serializer: Serializer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Module(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(f"asked for {name}")

    data = encode_failure(Silent("disk", 5), serializer)
    monkeypatch.setitem(sys.modules, __name__, Module(__name__))

    assert isinstance(decode_failure(data, serializer), RemoteError)


def test_a_base_class_is_not_imported() -> None:
    codec = get("json")
    fields = {"exc_type": "Gone", "exc_module": "gone", "exc_bases": [["antigravity", "Error"]]}

    assert type(decode_failure(codec.dumps(fields), codec)).__bases__ == (RemoteError,)
    assert "antigravity" not in sys.modules


ODD: list[Any] = [None, 5, [], {}, [[]], ["x", 5], [{"exc_type": "ValueError"}], {"a": 5}, "text"]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("part", ["exc_args", "exc_attributes", "exc_cause", "exc_bases"])
def test_a_part_that_liteq_did_not_write_costs_only_itself(part: str, value: Any) -> None:
    codec = get("json")
    fields = {"exc_type": "ValueError", "exc_module": "builtins", "exc_repr": "ValueError('no')"}

    back = decode_failure(codec.dumps({**fields, "exc_args": b"[1]", part: value}), codec)

    assert isinstance(back, ValueError)


def test_a_module_that_holds_something_else_under_the_name_is_no_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codec = get("json")
    module = types.ModuleType("odd")
    module.Error = type("Error", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "odd", module)
    fields = {"exc_type": "Error", "exc_module": "odd", "exc_repr": "no", "exc_args": b"[]"}

    assert isinstance(decode_failure(codec.dumps(fields), codec), RemoteError)
