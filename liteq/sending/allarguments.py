"""Keys of all arguments of a call: texts that are equal for equal arguments, in every process."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from ..exceptions import InvalidTaskError
from ..model.keytemplate import LONGEST_KEY
from .options import TaskOptions

_BY_TEXT = (datetime, date, time, timedelta, Decimal, UUID, PurePath)


def key_of_all(task: TaskOptions, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return a key of all arguments of a call, with the defaults of those that are not given.

    Raises InvalidTaskError for an argument that cannot be compared.
    """
    named = _by_name(task, args, kwargs)
    text = ", ".join(f"{name}={_text_of(value, task, name)}" for name, value in named.items())
    if 0 < len(text) <= LONGEST_KEY and text.isprintable():
        return text
    from hashlib import sha256

    return f"sha256:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def _by_name(task: TaskOptions, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments by the names of their parameters; as they are given if those are not
    known here."""
    run: Any = getattr(task, "run", None)
    if run is not None:
        from inspect import signature  # 9 ms, which only such keys need

        try:
            bound = signature(run, follow_wrapped=False).bind(*args, **kwargs)
        except (TypeError, ValueError):  # with typing=False it may be called anyhow
            pass
        else:
            bound.apply_defaults()
            return dict(bound.arguments)
    return {"args": args, "kwargs": kwargs}


def _text_of(value: Any, task: TaskOptions, name: str) -> str:
    try:
        return _text(value)
    except TypeError as exc:
        raise InvalidTaskError(
            f"{task.name} is not sent: its arguments make no unique key, as {name} has {exc}. Name "
            f"the parameters that matter, as in Unique('{{account}}'), or give Unique a function"
        ) from None


def _text(value: Any) -> str:
    """Return `value` as a text. Raises TypeError, which names the type that has none."""
    match value:
        case None | bool() | int() | float() | str() | bytes() | bytearray():
            return _plain_repr(value)
        case list() | tuple():
            return f"[{_joined(map(_text, value))}]"
        case set() | frozenset():
            return f"{{{_joined(sorted(map(_text, value)))}}}"
        case dict():
            pairs = (f"{_text(name)}: {_text(each)}" for name, each in value.items())
            return f"{{{_joined(sorted(pairs))}}}"
    if isinstance(value, _BY_TEXT):
        return f"{type(value).__name__}({value})"
    if isinstance(value, Enum):
        return _text(value.value)
    if hasattr(type(value), "__dataclass_fields__"):
        return _text({name: getattr(value, name) for name in type(value).__dataclass_fields__})
    if hasattr(type(value), "model_dump"):  # a model of pydantic
        return _text(value.model_dump(mode="json"))
    raise TypeError(f"a {type(value).__name__}, which cannot be compared")


def _plain_repr(value: Any) -> str:
    """Return the repr of a value of a builtin type, also if it is of a class derived from it."""
    if isinstance(value, Enum):  # of one of these types, too
        return _text(value.value)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, bytearray):
        return repr(bytes(value))
    kind = next(kind for kind in (int, float, str, bytes) if isinstance(value, kind))
    return str(kind.__repr__(value))


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts)
