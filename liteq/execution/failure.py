"""Exceptions as bytes, and as text for people.

An exception is stored as a dict: `exc_type`, `exc_module`, `exc_repr`, `exc_bases`, `exc_args`,
`exc_attributes` and `exc_cause`. Arguments and attributes are bytes within it, so that if some
cannot be decoded, the rest still can; a serializer that carries no bytes gets
`{"exc_base64": text}`. Exceptions within it are such dicts too: none is ever pickled whole.
"""

import os
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from ..exceptions import ChordError, RemoteError, SerializationError, TaskError
from ..serializers.base import Serializer
from .rebuild import (
    add_note,
    args_of,
    attributes_of,
    bases_of,
    build,
    build_remote,
    cause_of,
    full_name_of,
    is_a,
    known_class,
    name_of,
    set_attributes,
    set_cause,
    trace_of,
)

NOTE_LIMIT = 1024  # characters of a one-line text, as in the log
TEXT_LIMIT = 64 * 1024  # characters of a traceback
_SIZE_LIMIT = 1024 * 1024  # bytes; an exception may hold the whole document it is about
_EXCEPTION_LIMIT = 1000  # of causes, and of members of groups
_DEPTH_LIMIT = 20  # of causes of causes, which may be a circle
_HEAD = 8 * 1024  # characters kept of the beginning of a long traceback; its end says more
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep

# Child processes run the program's script under another name; the process that waits for a
# result knows it as `__main__`.
_SCRIPT = {"__mp_main__": "__main__"}
_BASE64 = "exc_base64"
_OURS = ("traceback",)  # attributes that are set anew where the exception is read


class ExceptionInfo:
    """An exception and its traceback, as hooks and signals get them: Celery's `einfo`."""

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception
        self.type: type[BaseException] = type(exception)
        self.tb: TracebackType | None = trace_of(exception)

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
    """Return `exc` as bytes of `serializer`. Nothing in `exc` can make it fail.

    Raises SerializationError for a serializer that cannot carry a dict of texts.
    """
    try:
        return serializer.dumps(_Encoder(serializer).fields(exc))
    except SerializationError:  # it carries no bytes, as many that are registered by programs
        return serializer.dumps(_Encoder(serializer, as_text=True).fields(exc))


def stored_failure(exc: BaseException, serializer: Serializer) -> tuple[bytes, str]:
    """Return `exc` as bytes, and the name of the serializer that reads them.

    That is `serializer`, or JSON if it can carry no errors. It never fails.
    """
    try:
        return encode_failure(exc, serializer), serializer.name
    except SerializationError:
        from ..serializers.json import SERIALIZER as JSON  # hardly any serializer leads here

        return encode_failure(exc, JSON), JSON.name


class _Encoder:
    """An encoder of one exception, those that it is made of, and those that have caused it.

    `as_text`: write bytes as base64 in a dict, for a serializer that carries texts only.
    """

    def __init__(self, serializer: Serializer, *, as_text: bool = False) -> None:
        self._dumps = serializer.dumps
        self._as_text = as_text
        self._bytes_left = _SIZE_LIMIT
        self._exceptions_left = _EXCEPTION_LIMIT

    def fields(self, exc: BaseException, depth: int = 0) -> dict[str, Any]:
        kind = type(exc)
        module, qualname = _names_of(kind)
        fields: dict[str, Any] = {
            "exc_type": qualname,
            "exc_module": module,
            "exc_repr": _description(exc),
        }
        if bases := [[*_names_of(base)] for base in bases_of(kind)][1:]:
            fields["exc_bases"] = bases
        self._exceptions_left -= 1
        if depth > _DEPTH_LIMIT or self._exceptions_left < 0:
            return fields
        fields["exc_args"] = self._args(exc, depth)
        attributes = {
            name: part
            for name, value in attributes_of(exc).items()
            if name not in _OURS and (part := self._part(value, depth)) is not None
        }
        if attributes:
            fields["exc_attributes"] = attributes
        if (cause := cause_of(exc)) is not None:
            fields["exc_cause"] = self.fields(cause, depth + 1)
        return fields

    def _args(self, exc: BaseException, depth: int) -> Any:
        """Return the arguments as bytes; each by itself where not all can be carried so."""
        args = args_of(exc)
        if not any(isinstance(value, BaseException | list | tuple) for value in args):
            data = self._part(args, depth)
            if data is not None:
                return data
        parts = (self._part(value, depth) for value in args)
        return [
            bounded_repr(value) if part is None else part
            for value, part in zip(args, parts, strict=True)
        ]

    def _part(self, value: Any, depth: int) -> Any:
        """Return bytes, or what stands for an exception, or a list of exceptions.

        None for what the serializer cannot carry, or is too large.
        """
        if isinstance(value, BaseException):
            return self.fields(value, depth + 1)
        if _are_exceptions(value):
            return [self.fields(each, depth + 1) for each in value if self._exceptions_left > 0]
        try:
            data = self._dumps(value)
        except SerializationError:
            return None
        if len(data) > self._bytes_left:
            return None
        self._bytes_left -= len(data)
        return {_BASE64: _as_base64(data)} if self._as_text else data


def _as_base64(data: bytes) -> str:
    from base64 import b64encode  # few serializers need it

    return b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    from base64 import b64decode

    return b64decode(text)


def _description(exc: BaseException) -> str:
    """Return `describe(exc)`, or what it has returned before if `exc` stands for another error."""
    text = args_of(exc)[0] if is_a(exc, RemoteError) and args_of(exc) else None
    if isinstance(text, str) and text.startswith(f"{name_of(type(exc))}("):
        return _clean(text)
    return describe(exc)


def _are_exceptions(value: Any) -> bool:
    is_list = isinstance(value, list | tuple) and bool(value)
    return is_list and all(isinstance(each, BaseException) for each in value)


def _names_of(kind: type) -> tuple[str, str]:
    """Return the names of a class's module and of the class, as those who read the result know
    them."""
    module, name = full_name_of(kind)
    return _SCRIPT.get(module, module), name


# and back


def decode_failure(
    data: bytes, serializer: Serializer, traceback: str | None = None
) -> BaseException:
    """Return the exception in `data`, with its arguments, attributes, notes and cause.

    It is of its own class if this process has imported that, else a RemoteError of the same name
    that also derives from the nearest base class which is imported. No constructor of the class
    is run. `traceback` is the text that was stored with it.

    Raises SerializationError when `encode_failure` did not make `data`.
    """
    fields = serializer.loads(data)
    if not _is_failure(fields):
        raise SerializationError("the stored error is not one that liteq wrote")
    return with_traceback(_decoded(fields, serializer, 0), traceback)


def _is_failure(fields: Any) -> bool:
    return isinstance(fields, dict) and isinstance(fields.get("exc_type"), str)


def _decoded(fields: Any, serializer: Serializer, depth: int) -> BaseException:
    if not _is_failure(fields) or depth > _DEPTH_LIMIT + 1:
        raise SerializationError("the stored error has a part that liteq did not write")
    exc = _original(fields, serializer, depth)
    if exc is None:
        bases = filter(None, (known_class(*name) for name in _names(fields)))
        exc = build_remote(_last_name(fields["exc_type"]), str(fields.get("exc_repr")), bases)
    attributes = fields.get("exc_attributes")
    for name, part in attributes.items() if isinstance(attributes, dict) else ():
        with suppress(SerializationError):  # of a class that is not here, perhaps
            set_attributes(exc, {str(name): _value(part, serializer, depth)})
    if "exc_cause" in fields:
        with suppress(SerializationError):
            set_cause(exc, _decoded(fields["exc_cause"], serializer, depth + 1))
    return exc


def _original(fields: dict[str, Any], serializer: Serializer, depth: int) -> BaseException | None:
    cls = known_class(str(fields.get("exc_module")), fields["exc_type"])
    if cls is None:
        return None
    try:
        parts = fields.get("exc_args")
        if isinstance(parts, list):
            return build(cls, [_value(part, serializer, depth) for part in parts])
        return build(cls, tuple(_value(parts, serializer, depth)))
    except Exception:  # noqa: BLE001 - arguments that cannot be read, or that it does not take
        return None


def _value(part: Any, serializer: Serializer, depth: int) -> Any:
    if isinstance(part, bytes):
        return serializer.loads(part)
    if isinstance(part, list):
        return [_decoded(each, serializer, depth + 1) for each in part]
    if isinstance(part, dict) and isinstance(part.get(_BASE64), str):
        return serializer.loads(_from_base64(part[_BASE64]))
    return part if isinstance(part, str) else _decoded(part, serializer, depth + 1)


def _names(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each base class, the nearest first."""
    yield str(fields.get("exc_module")), fields["exc_type"]
    bases = fields.get("exc_bases")
    for each in bases if isinstance(bases, list) else ():
        if isinstance(each, list) and len(each) == 2:
            yield str(each[0]), str(each[1])


def remote_error(name: str, text: str) -> RemoteError:
    """Return an error that stands for one of the class `name`, which is not imported here."""
    return build_remote(_last_name(name), text)


def _last_name(name: str) -> str:
    return _clean(name.rpartition(".")[2]).replace("\0", "\\0")


def with_traceback(exc: BaseException, traceback: str | None) -> BaseException:
    """Return `exc`, with the text of the traceback that it had in the worker added."""
    if traceback:
        add_note(exc, f"\nThe traceback in the worker:\n{traceback}")
    set_attributes(exc, {"traceback": traceback})
    return exc


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
    name = name_of(type(exc))
    try:
        text = _clean(repr(exc))
    except BaseException:  # noqa: BLE001 - a `__repr__` of the user's can raise anything
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
    except BaseException:  # noqa: BLE001 - a `__repr__` of the user's can raise anything
        return f"<{name_of(kind)}: its repr fails>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def traceback_text(exc: BaseException) -> str:
    """Return the traceback of `exc`, from its first frame outside liteq, cut to `TEXT_LIMIT`."""
    from traceback import format_exception

    trace = trace_of(exc)
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    try:
        text = _clean("".join(format_exception(type(exc), exc, trace)))
    except BaseException:  # noqa: BLE001 - it calls the user's `__str__` and `__cause__`
        return describe(exc)
    if len(text) <= TEXT_LIMIT:
        return text
    cut = f"\n... {len(text) - TEXT_LIMIT} characters ...\n"
    return text[:_HEAD] + cut + text[_HEAD + len(cut) - TEXT_LIMIT :]


def _clean(text: str) -> str:
    """Return `text` with lone surrogates escaped: UTF-8 cannot encode them."""
    return text.encode("utf-8", "backslashreplace").decode()
