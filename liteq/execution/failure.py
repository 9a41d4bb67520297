"""Exceptions as bytes, and as text for people.

An exception is stored as a dict: `exc_type`, `exc_module`, `exc_repr` and `exc_args`. The arguments
are bytes within it, so that if they cannot be decoded, the rest still can. No exception is ever
pickled whole, and its class is looked up only in modules that are imported already.
"""

import os
import reprlib
import sys
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType, TracebackType
from typing import Any

from ..exceptions import ChordError, RemoteError, SerializationError, TaskError
from ..serializers.base import Serializer

NOTE_LIMIT = 1024  # characters of a one-line text, as in the log
TEXT_LIMIT = 64 * 1024  # characters of a traceback
_ARGS_LIMIT = 1024 * 1024  # bytes; an exception may hold the whole document it is about
_HEAD = 8 * 1024  # characters kept of the beginning of a long traceback; its end says more
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep

# Child processes run the program's script under another name; the process that waits for a
# result knows it as `__main__`.
_SCRIPT = {"__mp_main__": "__main__"}


class ExceptionInfo:
    """An exception and its traceback, as hooks and signals get them: Celery's `einfo`."""

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception
        self.type: type[BaseException] = type(exception)
        self.tb: TracebackType | None = exception.__traceback__

    @property
    def traceback(self) -> str:
        """Return the traceback as text."""
        return traceback_text(self.exception)

    def __str__(self) -> str:
        return self.traceback

    def __repr__(self) -> str:
        return f"<ExceptionInfo: {describe(self.exception)}>"


# to bytes


def encode_failure(exc: BaseException, serializer: Serializer) -> bytes:
    """Return `exc` as bytes of `serializer`. Nothing in `exc` can make it fail."""
    kind = type(exc)
    return serializer.dumps(
        {
            "exc_type": kind.__qualname__,
            "exc_module": _SCRIPT.get(kind.__module__, kind.__module__),
            "exc_repr": describe(exc),
            "exc_args": _encoded_args(exc, serializer),
        }
    )


def _encoded_args(exc: BaseException, serializer: Serializer) -> bytes | None:
    try:
        data = serializer.dumps(exc.args)
    except SerializationError:
        return None
    return data if len(data) <= _ARGS_LIMIT else None


# and back


def decode_failure(
    data: bytes, serializer: Serializer, traceback: str | None = None
) -> BaseException:
    """Return the exception in `data`: of its own class if this process has imported that, else a
    RemoteError of the same name. `traceback` is the text that was stored with it.

    Raises SerializationError when `encode_failure` did not make `data`.
    """
    fields = serializer.loads(data)
    if not isinstance(fields, dict) or not isinstance(fields.get("exc_type"), str):
        raise SerializationError("the stored error is not one that liteq wrote")
    name, text = fields["exc_type"], str(fields.get("exc_repr"))
    exc = _original(fields, serializer) or remote_error(name, text)
    return with_traceback(exc, traceback)


def remote_error(name: str, text: str) -> RemoteError:
    """Return an error that stands for one of the class `name`, which is not imported here."""
    return _remote_class(_clean(name.rpartition(".")[2]).replace("\0", "\\0"))(text)


def with_traceback(exc: BaseException, traceback: str | None) -> BaseException:
    """Return `exc`, with the text of the traceback that it had in the worker added."""
    if traceback:
        exc.add_note(f"\nThe traceback in the worker:\n{traceback}")
    exc.traceback = traceback  # type: ignore[attr-defined]
    return exc


def _original(fields: dict[str, Any], serializer: Serializer) -> BaseException | None:
    cls = _known_class(str(fields.get("exc_module")), fields["exc_type"])
    data = fields.get("exc_args")
    if cls is None or not isinstance(data, bytes):
        return None
    try:
        args = tuple(serializer.loads(data))
        exc = cls(*args)
    except Exception:  # noqa: BLE001 - a class may raise anything for its arguments
        return None
    return exc if type(exc) is cls else None


def _known_class(module: str, qualname: str) -> type[Exception] | None:
    """Return the class if its module is imported already and it is an Exception.

    Both names come from the store, so nothing may run for them: not `getattr`, by which a module
    may import others and an object runs its properties, nor `isinstance`, which asks an object for
    its `__class__`. A SystemExit of a task must not end the
    program that asks for the task's result.
    """
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        if not issubclass(type(found), ModuleType | type):
            return None
        found = vars(found).get(name)
    is_class = issubclass(type(found), type)
    return found if is_class and issubclass(found, Exception) else None


@lru_cache(256)  # one class for each name, so that `except` catches it again; and a bound
def _remote_class(name: str) -> type[RemoteError]:
    return type(name, (RemoteError,), {"__doc__": RemoteError.__doc__, "__module__": __name__})


def as_error(meta: Any) -> BaseException:
    """Return the error of a task that set its own state to FAILURE, with `meta`."""
    if isinstance(meta, BaseException):
        return meta
    if isinstance(meta, Mapping) and isinstance(meta.get("exc_type"), str):  # Celery's form
        text = meta.get("exc_message")
        lines = text if isinstance(text, list | tuple) else [text]
        return remote_error(meta["exc_type"], "\n".join(map(str, lines)))
    return TaskError(meta)


def chord_error(id: str, exc: BaseException) -> ChordError:
    """Return the error of a chord's body whose header's task `id` failed with `exc`."""
    error = ChordError(f"Dependency {id} raised {describe(exc)}")
    error.__cause__ = exc
    return error


# as text


def describe(exc: BaseException) -> str:
    """Return `exc` as one line of at most `NOTE_LIMIT` characters: `ValueError('no')`.

    It never fails.
    """
    name = type(exc).__name__
    try:
        text = _clean(repr(exc))
    except Exception:  # noqa: BLE001 - a `__repr__` of the user's can raise anything
        return f"{name}(<and its repr fails>)"
    if not text.startswith(name):
        text = f"{name}({text})"
    return text if len(text) <= NOTE_LIMIT else f"{text[: NOTE_LIMIT - 4]}...)"


def bounded_repr(value: Any, limit: int = NOTE_LIMIT) -> str:
    """Return a repr of at most `limit` characters. It never fails, even if the value's own does."""
    kind = type(value)
    if value is None or kind is bool or (kind is int and -(2**63) < value < 2**63):
        return repr(value)
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = shortener.maxlong = limit
    shortener.maxlist = shortener.maxtuple = shortener.maxdict = shortener.maxset = 100
    try:
        text = _clean(shortener.repr(value))
    except Exception:  # noqa: BLE001 - a `__repr__` of the user's can raise anything
        return f"<{kind.__name__}: its repr fails>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def traceback_text(exc: BaseException) -> str:
    """Return the traceback of `exc`, from its first frame outside liteq, cut to `TEXT_LIMIT`."""
    from traceback import format_exception

    trace = exc.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    try:
        text = _clean("".join(format_exception(type(exc), exc, trace)))
    except Exception:  # noqa: BLE001 - it calls the user's `__str__` and `__cause__`
        return describe(exc)
    if len(text) <= TEXT_LIMIT:
        return text
    cut = f"\n... {len(text) - TEXT_LIMIT} characters ...\n"
    return text[:_HEAD] + cut + text[_HEAD + len(cut) - TEXT_LIMIT :]


def _clean(text: str) -> str:
    """Return `text` with lone surrogates escaped: UTF-8 cannot encode them."""
    return text.encode("utf-8", "backslashreplace").decode()
