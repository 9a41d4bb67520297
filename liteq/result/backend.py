"""The backend: it reads results from the store, and waits for tasks to finish."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..brokers.base import Broker
from ..exceptions import (
    ChordError,
    SerializationError,
    TaskRevokedError,
    WorkerLostError,
)
from ..execution.failure import chord_error, decode_failure, remote_error, with_traceback
from ..model.message import Record
from ..model.step import Step
from ..serializers import Codecs
from ..states import PENDING, Phase, public_state
from ..support.printable import last_line
from .blocking import assert_can_be_run
from .embedded import EmbeddedWorkers
from .poller import Poller
from .polls import SharedPolls
from .watch import POLL_EVERY, Watch


class Backend:
    """A reader of the results in `broker`; `codecs`: the serializers whose bytes it may decode."""

    def __init__(self, broker: Broker, codecs: Codecs) -> None:
        self.broker = broker
        self.embedded: EmbeddedWorkers = EmbeddedWorkers(broker)
        self._codecs = codecs
        self.thread: threading.local = threading.local()  # what its listener was told to expect
        self.polls: SharedPolls = SharedPolls(self._finished_ids, self.is_abandoned)
        self.poller: Poller = Poller(self)  # for coroutines

    # records

    def record(self, id: str) -> Record | None:
        """Return the record of the task `id`; None when the store does not know it."""
        return self.broker.fetch([id])[0]

    def finished(self, ids: Iterable[str]) -> list[Record]:
        """Return the records of those tasks among `ids` that have finished, in that order."""
        records = self.broker.fetch(list(ids))
        return [record for record in records if record is not None and record.phase.final]

    def wait(self, id: str, timeout: float | None = None) -> Record | None:
        """Wait until the task `id` has finished, for `timeout` seconds at most.

        Return its record, finished or not; None when the store does not know it.
        """
        for records in self.watch([id], timeout):
            if records:
                return records[0]
        return self.record(id)

    def watch(
        self,
        ids: Iterable[str],
        timeout: float | None = None,
        interval: float = POLL_EVERY,
        *,
        shared: bool = True,
    ) -> Iterator[list[Record]]:
        """Poll the store for the tasks `ids`; yield after each poll those that have finished since
        the last one. Ends when all have, or when `timeout` seconds are over. Without a `timeout`
        it also ends when the workers inside this program have ended, and no other is up.

        It polls when its listener is notified, and every `interval` seconds, but at least twice a
        second; where many threads wait, unless not `shared`, one does so for all. Raises
        BrokerUnreachable when the server has been away for 30 seconds, and RuntimeError in a child
        process that still imports the application.
        """
        assert_can_be_run()
        watch = Watch(self, ids, timeout)
        shared = shared and interval >= POLL_EVERY
        every = min(interval, POLL_EVERY)
        try:
            watch.wait_for_sent(every)
            while True:
                yield watch.poll()
                if watch.over:
                    return
                watch.wait(every, shared=shared)
        finally:
            watch.close()

    def is_abandoned(self) -> bool:
        """Return whether nobody runs tasks any more: the workers of this program have ended."""
        return self.embedded.nobody_left() is not None

    def _finished_ids(self, ids: Iterable[str]) -> list[str]:
        return [record.message.id for record in self.finished(ids)]

    # decoding

    def value(self, record: Record) -> Any:
        """Return the value of a task, the exception it ended with, or the meta it reported last.

        Raises SerializationError when that cannot be decoded here.
        """
        match record.phase:
            case Phase.SUCCEEDED:
                return self._loads(record)
            case Phase.FAILED | Phase.DEAD:
                error = self._failure(record)
                return _unstored_error(record) if error is None else error
            case Phase.CANCELLED:
                return TaskRevokedError("revoked")
            case Phase.EXPIRED:
                return TaskRevokedError("expired")
            case Phase.SKIPPED:
                return self._cause_of_skip(record)
        if record.message.retries and record.reported is None:
            return self._failure(record)  # the reason of the retry
        return self._loads(record)

    def arguments(self, record: Record) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments that the task was sent with.

        Raises SerializationError when they cannot be decoded here.
        """
        args, kwargs = self._codecs[record.message.serializer].loads(record.message.payload)
        return args, kwargs

    def event_value(self, key: str) -> tuple[Any] | None:
        """Return the value of the event `key` in a tuple; None if it is not in the store.

        Raises SerializationError when it cannot be decoded here.
        """
        event = self.broker.event(key)
        return event and (self._codecs[event.serializer].loads(event.value),)

    def step_value(self, step: Step) -> Any:
        """Return the value of a step, the error of one that failed, None if it has none.

        Raises SerializationError when it cannot be decoded here.
        """
        if step.value is None or step.serializer is None:
            return None
        codec = self._codecs[step.serializer]
        return decode_failure(step.value, codec) if step.failed else codec.loads(step.value)

    def _cause_of_skip(self, record: Record) -> BaseException:
        """Return the error of a task that was skipped: that of the task that failed, or ChordError
        if that task is a member of the group that it waited for."""
        cause = self.record(record.woken_by) if record.woken_by else None
        if cause is None:
            return ChordError(f"Dependency {record.woken_by} failed, and is forgotten")
        exc: BaseException = self.value(cause)
        step: Record | None = record
        while step is not None and not step.barrier and step.waits != record.woken_by:
            step = self.record(step.waits) if step.waits else None
        return chord_error(cause.message.id, exc) if step is None or step.barrier else exc

    def _loads(self, record: Record) -> Any:
        if record.result is None or record.result_serializer is None:
            return None
        return self._codecs[record.result_serializer].loads(record.result)

    def _failure(self, record: Record) -> BaseException | None:
        if record.result is None or record.result_serializer is None:
            return None
        try:
            serializer = self._codecs[record.result_serializer]
            return decode_failure(record.result, serializer, record.traceback)
        except SerializationError as exc:
            with_traceback(exc, record.traceback)
            raise


def state_of(record: Record | None) -> str:
    """Return Celery's state of a task; PENDING when the store does not know it."""
    if record is None:
        return PENDING
    return public_state(record.phase, retries=record.message.retries, reported=record.reported)


def _unstored_error(record: Record) -> BaseException:
    """Return the error of a failed task that stored none: with `ignore_result`, or because its
    process died."""
    text = record.traceback or ""
    if not record.message.ignore_result and not text.startswith("Traceback "):
        return WorkerLostError(text or f"the worker of {record.message.task} died")
    last = last_line(text or "TaskError")
    return with_traceback(remote_error(last.partition(":")[0], last), record.traceback)
