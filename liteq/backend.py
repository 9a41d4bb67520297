"""Reads what the store knows of tasks, and waits until they have finished."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .brokers.base import Broker
from .exceptions import SerializationError, TaskRevokedError, WorkerLostError
from .failure import decode_failure, remote_error, with_traceback
from .message import Record
from .serializers import Serializer
from .states import PENDING, RETRY, Phase, public_state

_LOOK_EVERY = 0.5  # seconds between two looks at the store, should the bell not ring


class Meta(NamedTuple):
    """What is known of a task: Celery's state, and the value, the error, or what it reported."""

    id: str
    state: str = PENDING
    result: Any = None
    traceback: str | None = None
    record: Record | None = None  # None: the store knows no such task

    @property
    def final(self) -> bool:
        """Whether it has finished, in whatever way."""
        return self.record is not None and self.record.phase.final


class Backend:
    """Results of tasks that are kept in `broker`; `codecs` are the serializers it may decode."""

    def __init__(self, broker: Broker, codecs: Mapping[str, Serializer]) -> None:
        self.broker = broker
        self._codecs = codecs

    def meta(self, id: str) -> Meta:
        """What is known of the task `id` now."""
        return self._meta(id, self.broker.fetch([id])[0])

    def arguments(self, record: Record) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The arguments the task was sent with, decoded."""
        args, kwargs = self._codecs[record.message.serializer].loads(record.message.payload)
        return args, kwargs

    def wait(
        self,
        id: str,
        timeout: float | None = None,
        interval: float = _LOOK_EVERY,
        on_look: Callable[[], object] | None = None,
    ) -> Meta:
        """Wait until the task `id` has finished, for `timeout` seconds at most; answer what is
        known then.

        The store is looked at when its bell rings, and at least every `interval` seconds, but
        not less than twice a second. `on_look` is called after each look that found it unfinished.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = min(interval, _LOOK_EVERY)
        bell = None
        while True:
            meta = self.meta(id)
            if meta.final:
                return meta
            if on_look is not None:
                on_look()
            if deadline is not None:
                pause = min(pause, deadline - time.monotonic())
                if pause <= 0:
                    return meta
            if bell is None:
                # What finished before the bell was there did not ring it, so look once more.
                bell = self.broker.result_bell()
            else:
                bell.wait(pause)

    def revoke(self, ids: Sequence[str], keep: float | None) -> list[str]:
        """Cancel the tasks that nobody runs yet; answer their ids. Results stay `keep` seconds."""
        return self.broker.cancel(ids, keep)

    def forget(self, ids: Sequence[str]) -> int:
        """Drop the finished tasks of `ids`; answer how many there were."""
        return self.broker.forget(ids)

    # decoding

    def _meta(self, id: str, record: Record | None) -> Meta:
        if record is None:
            return Meta(id)
        message = record.message
        state = public_state(
            record.phase,
            retries=message.retries,
            track_started=message.track_started,
            reported=record.reported,
        )
        try:
            result = self._result(record, state)
        except SerializationError as exc:
            if not record.phase.final:
                raise
            result = exc if record.phase is Phase.SUCCEEDED else _unreadable(record, exc)
        return Meta(id, state, result, record.traceback, record)

    def _result(self, record: Record, state: str) -> Any:
        match record.phase:
            case Phase.SUCCEEDED:
                return self._value(record)
            case Phase.FAILED | Phase.DEAD:
                return self._failure(record)
            case Phase.CANCELLED:
                return TaskRevokedError("revoked")
            case Phase.EXPIRED:
                return TaskRevokedError("expired")
        if state == RETRY and record.reported is None:
            return self._failure(record) if record.result is not None else None
        return self._value(record)  # what it reported

    def _value(self, record: Record) -> Any:
        if record.result is None or record.result_serializer is None:
            return None
        return self._codecs[record.result_serializer].loads(record.result)

    def _failure(self, record: Record) -> BaseException:
        if record.result is None or record.result_serializer is None:
            return _untold(record)
        serializer = self._codecs[record.result_serializer]
        return decode_failure(record.result, serializer, record.traceback)


def _untold(record: Record) -> BaseException:
    """The error of a task that failed without storing one: it was not to, or it could not."""
    if record.message.ignore_result:
        last = (record.traceback or "TaskError").rstrip().rpartition("\n")[2]
        error = remote_error(last.partition(":")[0], last)
        return with_traceback(error, record.traceback)
    return WorkerLostError(record.traceback or f"the worker died in {record.message.task}")


def _unreadable(record: Record, exc: SerializationError) -> BaseException:
    return with_traceback(exc, record.traceback)
