"""What came of one task: waited for, and shown."""

import json
from argparse import ArgumentParser, Namespace
from typing import Any, NamedTuple

from ..app import LiteQ
from ..exceptions import RemoteError, SerializationError
from ..execution.failure import describe
from ..model.message import Record
from ..result.backend import state_of
from ..serializers import get
from ..states import EXCEPTION_STATES, SUCCESS
from .exits import DATA, FAILED, OK, TIMEOUT
from .options import add_json, add_limit, seconds
from .output import clip, complain, say, say_json
from .views import View, task_view

_SHOWN = 10_000  # characters of a value


class _Answer(NamedTuple):
    """A task's state, and its value, its error, what it reported, or why that is unreadable."""

    state: str
    value: Any = None
    error: BaseException | None = None
    unreadable: SerializationError | None = None


def add_options(parser: ArgumentParser) -> None:
    """How to wait, and how much to show."""
    add = parser.add_argument
    add("--wait", action="store_true", help="wait until the task has finished")
    add("--timeout", type=seconds, metavar="SECONDS", help="wait, but only that long")
    add_json(parser)
    add_limit(parser, _SHOWN, "characters of the result to show")


def wants_to_wait(args: Namespace) -> bool:
    """Whether `--wait` or `--timeout` was given."""
    return bool(args.wait or args.timeout is not None)


def show_answer(app: LiteQ, id: str, args: Namespace, *, traceback: bool = False) -> int:
    """Show what is known of the task `id`, when it has finished if that was asked for; answer
    the exit code."""
    record = app.backend.record(id)
    if record is not None and wants_to_wait(args):
        record = app.backend.wait(id, args.timeout)
    if record is None:
        complain(f"{app.broker.url} knows no task {id}: never sent there, or expired since")
        return FAILED
    answer = _answer(app, record)
    if args.json:
        say_json(_view(record, answer))
    else:
        told = _repr(answer)
        say(answer.state if told is None else f"{answer.state}: {clip(told, args.limit)}")
        say(*(record.traceback or "").splitlines() if traceback else ())
    return _code(record, answer, args)


def _answer(app: LiteQ, record: Record) -> _Answer:
    state = state_of(record)
    try:
        value = app.backend.value(record)
    except SerializationError as exc:
        return _Answer(state, unreadable=exc)
    if state in EXCEPTION_STATES and isinstance(value, BaseException):
        return _Answer(state, error=value)
    return _Answer(state, value)


def _code(record: Record, answer: _Answer, args: Namespace) -> int:
    if not record.phase.final and wants_to_wait(args):
        complain(f"task {record.message.id} has not finished within {args.timeout:g} s")
        return TIMEOUT
    if answer.unreadable:
        cure = "" if args.app else "; give -A if it holds the application's own classes"
        complain(f"the result cannot be decoded here: {answer.unreadable}{cure}")
        return DATA
    return FAILED if record.phase.final and answer.state != SUCCESS else OK


def _view(record: Record, answer: _Answer) -> View:
    error = answer.error
    return {
        **task_view(record),
        "result": _as_json(answer.value),
        "repr": _repr(answer),
        "error": error and {"type": type(error).__name__, "message": _text(error)},
        "traceback": record.traceback,
    }


def _as_json(value: Any) -> Any:
    """`value` as the json serializer writes it; None where it cannot."""
    try:
        return json.loads(get("json").dumps(value))
    except (SerializationError, ValueError):  # ValueError: digits beyond Python's limit
        return None


def _repr(answer: _Answer) -> str | None:
    """The value or the error in Python's words; None where there is nothing to tell."""
    if isinstance(answer.error, RemoteError):
        return str(answer.error)  # the repr that it had in the worker
    if answer.error is not None:
        return describe(answer.error)
    if answer.unreadable or (answer.value is None and answer.state != SUCCESS):
        return None
    try:
        return repr(answer.value)
    except Exception:  # noqa: BLE001 - a `__repr__` of the user's can raise anything
        return f"<{type(answer.value).__name__}: its repr fails>"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - and so can a `__str__`
        return describe(error)
