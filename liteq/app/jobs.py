"""Sent tasks, to be looked at and acted on: `app.jobs`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from ..brokers.batches import id_batches
from ..model.job import Job, phases_of
from ..model.message import Message, Record, new_id
from ..model.pause import Pause, pause_of
from ..model.search import Search
from ..model.summary import Summary
from ..result.app import App
from ..serializers.preview import preview, preview_call
from ..states import Phase
from .jobstats import By, job_stats
from .why import error_of, why

# In the class below, `list` is its method.
Ids = list[str]
Stats = list[Summary]

_UNFINISHED = [phase for phase in Phase if not phase.final]
_FINISHED = [phase for phase in Phase if phase.final]
_UNSUCCESSFUL = [phase for phase in _FINISHED if phase is not Phase.SUCCEEDED]


class Filters(TypedDict, total=False):
    """Say which jobs are looked for: those that fit each field that is given."""

    state: str | Iterable[str] | None  # a phase in lower case, or a state of Celery
    queue: str | None
    task: str | None  # the name
    worker: str | None  # the name of the worker that runs it, or ran it last
    header: Mapping[str, Any] | None  # one of these
    text: str | None  # in the id, the name, the encoded arguments or the traceback
    since: datetime | float | None  # sent then (epoch seconds, or a date) or later


class Jobs:
    """The tasks in the store of `app`. No worker has to be running, and none is asked."""

    def __init__(self, app: App) -> None:
        self._app = app

    def list(
        self, *, before: str | Job | None = None, limit: int = 50, **filters: Unpack[Filters]
    ) -> list[Job]:
        """Return up to `limit` jobs, the newest first.

        `before`: the last job of the page before this one, or its id. Raises ValueError for an
        unknown state, LookupError for an id that is not known any more.
        """
        last = self._known(before) if isinstance(before, str) else before
        beyond = None if last is None else last.seq
        pauses = self._app.broker.pauses()
        return [job_of(record, pauses) for record in self._records(filters, limit, beyond)]

    def get(self, id: str) -> Job | None:
        """Return the job `id`; None when the store does not know it."""
        (record,) = self._app.broker.fetch([id])
        return record and job_of(record, self._app.broker.pauses())

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many jobs there are, by queue and state."""
        found: dict[str, dict[str, int]] = {}
        for queue, phase, tasks in self._app.broker.counts():
            found.setdefault(queue, {})[phase.name.lower()] = tasks
        return found

    def stats(self, minutes: float = 60, by: By = "task") -> Stats:
        """Return how runs ended in the last `minutes` (up to 14 days): what ended most first.

        By the name of the task, by queue, or `all` together. Workers count what they see the end
        of, within a second, and the tasks need not be there still. Up to six hours are told by the
        minute, more by the hour. Raises ValueError for other `minutes`, or another `by`.
        """
        return job_stats(self._app.broker, minutes, by)

    def why(self, id: str) -> str:
        """Return one sentence that says why a job waits, ended as it did, or ran more than once."""
        return why(self._app, id)

    def retry(self, ids: Iterable[str] | None = None, **filters: Unpack[Filters]) -> Ids:
        """Run jobs again that ended without success, with all their retries; return their ids."""
        found = self._wanted(ids, filters, _UNSUCCESSFUL)
        return [id for batch in found for id in self._app.broker.revive(batch)]

    def run_again(self, ids: Iterable[str] | None = None, **filters: Unpack[Filters]) -> Ids:
        """Send the calls of jobs that have ended once more, as new jobs; return their ids.

        They run at once, with the same arguments and options. Raises ValueError, and sends none,
        for a job that took the results of others: see `retry`.
        """
        found = self._wanted(ids, filters, _FINISHED)
        records = [each for batch in found for each in self._app.broker.fetch(batch) if each]
        messages = [sent_again(each) for each in records if each.phase.final]
        self._app.broker.enqueue(messages)
        return [message.id for message in messages]

    def cancel(
        self,
        ids: Iterable[str] | None = None,
        *,
        terminate: bool = False,
        **filters: Unpack[Filters],
    ) -> Ids:
        """Revoke jobs that have not ended, as `app.control.revoke` does; return their ids."""
        found = self._wanted(ids, filters, _UNFINISHED)
        revoke = self._app.control.revoke
        return [id for batch in found for id in revoke(batch, terminate=terminate)]

    def delete(self, ids: Iterable[str] | None = None, **filters: Unpack[Filters]) -> int:
        """Delete jobs that have ended, with their results; return how many.

        One whose result another task still needs stays.
        """
        found = self._wanted(ids, filters, _FINISHED)
        return sum(self._app.broker.forget(batch) for batch in found)

    def _known(self, id: str) -> Job:
        job = self.get(id)
        if job is None:
            raise LookupError(
                f"{self._app.broker.url} knows no job {id} any more, so what comes before it is "
                "not known: give the Job itself, or begin again"
            )
        return job

    def _records(self, filters: Filters, limit: int, beyond: int | None) -> Sequence[Record]:
        search = _search(filters)._replace(newest=True, beyond=beyond)
        phases = phases_of(filters.get("state"))
        return self._app.broker.listing(phases, limit, search)

    def _wanted(
        self, ids: Iterable[str] | None, filters: Filters, phases: Sequence[Phase]
    ) -> Iterable[Ids]:
        """Return the ids of jobs in `phases`, in batches: those of `ids`, or all that fit.

        Raises TypeError when neither is given: then all would be meant.
        """
        if (ids is None) == (not filters):
            raise TypeError("give either the ids of jobs, or what they have in common: state=...")
        if ids is not None:
            return [[ids] if isinstance(ids, str) else [*ids]]
        wanted = [phase for phase in phases_of(filters.get("state")) if phase in phases]
        return id_batches(self._app.broker, wanted, _search(filters))


def job_of(record: Record, pauses: Sequence[Pause] = ()) -> Job:
    """Return the job of a record; `pauses`: those of its store."""
    message = record.message
    succeeded = record.phase is Phase.SUCCEEDED
    return Job(
        id=message.id,
        task=message.task,
        state=record.phase.name.lower(),
        queue=message.queue,
        args=preview_call(message.payload, message.serializer),
        priority=message.priority,
        retries=message.retries,
        lost=record.lost,
        worker=record.worker,
        sent=record.created,
        eta=message.eta,
        expires=message.expires,
        started=record.started,
        finished=record.finished,
        result=preview(record.result, record.result_serializer) if succeeded else None,
        error=_error(record),
        traceback=record.traceback,
        seq=record.seq,
        paused=_paused(record, pauses),
    )


def sent_again(record: Record) -> Message:
    """Return the message that runs the call of a task once more, as a new task.

    Raises ValueError for a task that took the results of others, which are not in its message.
    """
    message = record.message
    if record.waits is not None or record.on_failure:
        raise ValueError(
            f"job {message.id} takes its place in a workflow, and runs with what comes before it: "
            "`retry` runs it again there, if it has failed"
        )
    return message._replace(id=new_id(), eta=None, expires=None, retries=0)


def _paused(record: Record, pauses: Sequence[Pause]) -> float | None:
    """Return since when a task that waits is paused."""
    if not pauses or record.phase >= Phase.RUNNING:
        return None
    pause = pause_of(pauses, record.message.queue, record.message.task)
    return pause and pause.since


def _error(record: Record) -> str | None:
    if not record.phase.final or record.phase is Phase.SUCCEEDED:
        return None
    return error_of(record)


def _search(filters: Filters) -> Search:
    since = filters.get("since")
    return Search(
        task=filters.get("task"),
        queue=filters.get("queue"),
        worker=filters.get("worker"),
        headers=filters.get("header"),
        text=filters.get("text"),
        since=since.timestamp() if isinstance(since, datetime) else since,
    )
