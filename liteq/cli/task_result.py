"""The result of one task: `--wait`, and how it is shown. Used by `call` and `result`."""

import json
from argparse import ArgumentParser, Namespace
from typing import Any, NamedTuple

from ..app import LiteQ
from ..app.why import unserved_queue
from ..brokers.running import LATE
from ..brokers.serving import no_worker_serves
from ..exceptions import RemoteError, SerializationError
from ..execution.failure import describe
from ..model.message import Attempt, Record
from ..model.progress import Progress
from ..result.backend import state_of
from ..result.bar import line_of
from ..result.waiting import SHOW_EVERY, shown
from ..result.watch import POLL_EVERY
from ..serializers import get
from ..states import EXCEPTION_STATES, SUCCESS
from ..support.printable import last_line
from .exits import DATA, FAILED, OK, TIMEOUT
from .options import add_json, add_limit, seconds
from .output import clip, complain, moment, say, say_json
from .views import View, task_view

_LIMIT = 10_000  # characters of a value that are shown


class _Result(NamedTuple):
    """A task's state, and its value, its error, what it reported, or why that cannot be decoded."""

    state: str
    value: Any = None
    error: BaseException | None = None
    unreadable: SerializationError | None = None


def add_options(parser: ArgumentParser) -> None:
    """Add the options about waiting, and about how much to show."""
    add = parser.add_argument
    add("--wait", action="store_true", help="wait until the task has finished")
    add("--timeout", type=seconds, metavar="SECONDS", help="wait, but only that long")
    add_json(parser)
    add_limit(parser, _LIMIT, "characters of the result to show")


def wants_to_wait(args: Namespace) -> bool:
    """Return whether `--wait` or `--timeout` was given."""
    return bool(args.wait or args.timeout is not None)


def show_result(app: LiteQ, id: str, args: Namespace, *, traceback: bool = False) -> int:
    """Print the result of the task `id`, after waiting for it if asked; return the exit code."""
    record = app.backend.record(id)
    if record is not None and wants_to_wait(args):
        if unserved := unserved_queue(app, record):
            complain(f"{no_worker_serves(unserved)}: waiting for one")
        record = _wait(app, id, args.timeout)
    if record is None:
        complain(f"{app.broker.url} knows no task {id}: never sent there, or expired since")
        return FAILED
    result = _read(app, record)
    (progress,) = app.broker.progress([id])
    late = [each for each in app.broker.attempts(id) if each.outcome == LATE]
    if args.json:
        say_json({**_view(record, result), **_more(progress, late)})
    else:
        text = _repr(result)
        say(result.state if text is None else f"{result.state}: {clip(text, args.limit)}")
        say(*(record.traceback or "").splitlines() if traceback else ())
        if progress is not None and result.state != SUCCESS:
            say(line_of(progress))
        for each in late:
            say(f"late, from {each.worker}: {clip(last_line(each.error), args.limit)}")
    return _code(record, result, args)


def _wait(app: LiteQ, id: str, timeout: float | None) -> Record | None:
    """Wait for a task; on a terminal, show how far it has come. Return its record."""
    with shown(app.AsyncResult(id), progress=True) as turn:
        for records in app.backend.watch([id], timeout, SHOW_EVERY if turn else POLL_EVERY):
            if records:
                return records[0]
            if turn is not None:
                turn()
    return app.backend.record(id)


def _read(app: LiteQ, record: Record) -> _Result:
    state = state_of(record)
    try:
        value = app.backend.value(record)
    except SerializationError as exc:
        return _Result(state, unreadable=exc)
    if state in EXCEPTION_STATES and isinstance(value, BaseException):
        return _Result(state, error=value)
    return _Result(state, value)


def _code(record: Record, result: _Result, args: Namespace) -> int:
    if not record.phase.final and wants_to_wait(args):
        complain(f"task {record.message.id} has not finished within {args.timeout:g} s")
        return TIMEOUT
    if result.unreadable:
        cure = "" if args.app else "; give -A if it holds the application's own classes"
        complain(f"the result cannot be decoded here: {result.unreadable}{cure}")
        return DATA
    return FAILED if record.phase.final and result.state != SUCCESS else OK


def _view(record: Record, result: _Result) -> View:
    error = result.error
    return {
        **task_view(record),
        "result": _as_json(result.value),
        "repr": _repr(result),
        "error": error and {"type": type(error).__name__, "message": _text(error)},
        "traceback": record.traceback,
    }


def _more(progress: Progress | None, late: list[Attempt]) -> View:
    return {
        "progress": progress and progress._asdict() | {"at": moment(progress.at)},
        "late": [
            {"worker": each.worker, "ended": moment(each.ended), "what": each.error}
            for each in late
        ],
    }


def _as_json(value: Any) -> Any:
    """Return `value` as the json serializer writes it; None where it cannot."""
    try:
        return json.loads(get("json").dumps(value))
    except (SerializationError, ValueError):  # ValueError: more digits than Python reads
        return None


def _repr(result: _Result) -> str | None:
    """Return the repr of the value or the error; None where there is neither."""
    if isinstance(result.error, RemoteError):
        return str(result.error)  # the repr that it had in the worker
    if result.error is not None:
        return describe(result.error)
    if result.unreadable or (result.value is None and result.state != SUCCESS):
        return None
    try:
        return repr(result.value)
    except Exception:  # noqa: BLE001 - a `__repr__` of the user's can raise anything
        return f"<{type(result.value).__name__}: its repr fails>"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - and so can a `__str__`
        return describe(error)
