"""One sentence that says why a task is as it is."""

from collections.abc import Iterable, Sequence

from .. import exceptions
from ..brokers.serving import served_queues, takers, why_unclaimed
from ..model.message import Attempt, Record
from ..model.unique import is_held_back, key_of, own_part
from ..result.app import App
from ..serializers.preview import preview_error
from ..states import Phase
from ..support.printable import last_line
from ..support.zones import title_of, wall_time

_EARLY = {
    "retry": "was to be retried",
    "lost": "lost its process",
    "late": "ended when its worker had lost it",
    "requeued": "was given back",
}
"""Say how an attempt ended that did not come as far as the task wanted, by its outcome."""


def why(app: App, id: str) -> str:
    """Return why the task `id` waits, ended as it did, or ran more than once."""
    (record,) = app.broker.fetch([id])
    if record is None:
        return f"{app.broker.url} knows no task {id}: never sent there, or deleted since"
    attempts = app.broker.attempts(id)
    return _reason(app, record, attempts) + _earlier(attempts)


def _reason(app: App, record: Record, attempts: Sequence[Attempt]) -> str:
    match record.phase:
        case Phase.WAITING:
            return _awaited(record, attempts)
        case Phase.SCHEDULED:
            return _scheduled(app, record, attempts)
        case Phase.READY:
            return _unclaimed(app, record)
        case Phase.RUNNING:
            return f"{record.worker} has claimed it, {_moment(app, record.started)}"
        case Phase.SUCCEEDED:
            return f"{record.worker} ran it, and it succeeded"
        case Phase.CANCELLED:
            return "it was revoked"
        case Phase.EXPIRED:
            return f"it was not started before it expired, {_moment(app, record.message.expires)}"
        case Phase.SKIPPED:
            return f"the task {record.woken_by}, which it depends on, failed"
        case Phase.FAILED | Phase.DEAD:
            return _failed(record)
        case _:
            return "its phase is none that this version of liteq knows"


def _awaited(record: Record, attempts: Sequence[Attempt]) -> str:
    """Return what a task waits for that has no time to begin."""
    if record.event is not None:
        return f"it waits for the event {record.event!r}"
    if record.barrier and attempts and attempts[-1].outcome == "gathered":
        return f"it waits for the tasks that it has sent, the group {record.waits}"
    key = key_of(record.message)
    if key is not None and is_held_back(record, has_run=bool(attempts)):
        own = own_part(record.message.task, key.key)
        return f"it waits for the end of the task that has its unique key {own!r}"
    kind = "the group" if record.barrier else "the task"
    return f"it waits for the end of {kind} {record.waits}"


def _scheduled(app: App, record: Record, attempts: Sequence[Attempt]) -> str:
    """Return what a task waits for until its eta; if that is over, also why it has not begun."""
    eta = record.message.eta
    waits = f"{_waits_for(record, attempts)} {_moment(app, eta)}"
    if eta is None or eta > app.broker.clock():
        return waits
    return f"{waits}, which is over: {_unclaimed(app, record)}"


def _waits_for(record: Record, attempts: Sequence[Attempt]) -> str:
    """Return what a task waits for, up to the moment that follows."""
    if record.event is not None:
        return f"it waits for the event {record.event!r}, until"
    match attempts[-1].outcome if attempts else "":
        case "slept":
            return "it sleeps until"
        case "snoozed":
            return "it has put itself back until"
    return "it waits for its next attempt," if record.message.retries else "it waits for its time,"


def unserved_queue(app: App, record: Record) -> str | None:
    """Return the queue of a task that is not run since no worker serves it; None for others."""
    queue = record.message.queue
    if record.phase not in (Phase.READY, Phase.SCHEDULED):
        return None
    return None if queue in served_queues(app.broker.workers()) else queue


def _unclaimed(app: App, record: Record) -> str:
    """Return why no worker has claimed a task that is ready."""
    queue, name = record.message.queue, record.message.task
    why = why_unclaimed(app.broker, queue, name, app.timezone)
    if why is not None:
        return why
    able = [worker.name for worker in takers(app.broker.workers(), queue, name)]
    return f"it waits in the queue {queue!r} for a free slot of {', '.join(able)}"


def error_of(record: Record) -> str | None:
    """Return the error of a task that has failed; None if none is stored."""
    error = preview_error(record.result, record.result_serializer)
    return error or last_line(record.traceback) or None


def _failed(record: Record) -> str:
    error = error_of(record)
    if not error:
        return "it was set aside" if record.phase is Phase.DEAD else "it failed"
    if record.phase is Phase.FAILED:
        return f"it failed: {error}"
    retries = record.message.retries
    used_up = {0: "it has no retries", 1: "its one retry is used up"}
    why = used_up.get(retries, f"its {retries} retries are used up")
    return (
        f"it was set aside, as {why}: {error}" if _is_own(error) else f"it was set aside: {error}"
    )


def _is_own(error: str) -> bool:
    """Return whether `error` may be one that the task has raised.

    Every other reason to set a task aside is an error of liteq, which says all.
    """
    name = error.partition("(")[0].partition(":")[0].rpartition(".")[2]
    kind = getattr(exceptions, name, None)
    ours = isinstance(kind, type) and issubclass(kind, exceptions.LiteqError)
    return not ours or kind is exceptions.MaxRetriesExceededError


def _earlier(attempts: Iterable[Attempt]) -> str:
    """Return how its earlier attempts ended, if it had any."""
    suspended = ("snoozed", "slept", "awaited", "gathered")
    before = [each for each in attempts if each.outcome in (*_EARLY, *suspended)]
    ended = [each for each in before if each.outcome in _EARLY]
    if not ended:
        return ""
    last = ended[-1]
    error = last_line(last.error)
    times = "once before" if len(before) == 1 else f"{len(before)} times before"
    which = "the previous attempt" if last is before[-1] else "an earlier attempt"
    reason = f" ({error})" if error else ""
    return f"; it was started {times}: {which} {_EARLY[last.outcome]}{reason}"


def _moment(app: App, seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    return f"{wall_time(seconds, app.timezone)} {title_of(app.timezone)}"
