"""Reads what the store knows of tasks, and waits until they have finished."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ..brokers.base import Broker, check_trust
from ..config import Config
from ..exceptions import (
    BrokerUnreachable,
    ChordError,
    SerializationError,
    TaskRevokedError,
    WorkerLostError,
)
from ..execution.failure import chord_error, decode_failure, remote_error, with_traceback
from ..model.message import Record
from ..serializers import Codecs, Serializer, get
from ..states import PENDING, Phase, public_state

_LOOK_EVERY = 0.5  # seconds between two looks at the store, should a notification be lost
# A listener is notified of each of ten thousand tasks. So that a wait for them does not keep the
# store busy, a look is for the first that are missing; a look at all of them comes now and then.
_FRONT = 200  # tasks
_SWEEPS = 10  # times as long as it took
_PATIENCE = 30.0  # seconds that a server may be away while somebody waits: time for a restart


class Backend:
    """Results of tasks that are kept in `broker`; `codecs` are the serializers it may decode."""

    def __init__(self, broker: Broker, codecs: Mapping[str, Serializer]) -> None:
        self.broker = broker
        self._codecs = codecs

    # looking

    def record(self, id: str) -> Record | None:
        """What the store knows of the task `id` now; None when there is no such task."""
        return self.broker.fetch([id])[0]

    def finished(self, ids: Iterable[str]) -> list[Record]:
        """What is known of those tasks among `ids` that have finished, in that order."""
        records = self.broker.fetch(list(ids))
        return [record for record in records if record is not None and record.phase.final]

    def wait(self, id: str, timeout: float | None = None) -> Record | None:
        """Wait until the task `id` has finished, for `timeout` seconds at most; answer what is
        known then, finished or not.
        """
        for records in self.watch([id], timeout):
            if records:
                return records[0]
        return self.record(id)

    def watch(
        self, ids: Iterable[str], timeout: float | None = None, interval: float = _LOOK_EVERY
    ) -> Iterator[list[Record]]:
        """Look at the tasks `ids` again and again; yield after each look what has finished since
        the last one. Ends when all have, or when `timeout` seconds are over.

        The store is looked at when its listener rings, and every `interval` seconds, but at least
        twice a second.
        """
        missing = dict.fromkeys(ids)
        deadline = None if timeout is None else time.monotonic() + timeout
        next_sweep = time.monotonic() + _LOOK_EVERY / 10
        listener = None
        away: float | None = None  # since when the store cannot be reached
        while True:
            found = []
            try:
                found += self._front(missing)
                began = time.monotonic()
                if len(missing) > _FRONT and began >= next_sweep:
                    found += self._finished_of(missing, list(missing))
                    next_sweep = began + _SWEEPS * (time.monotonic() - began)
                away = None
            except BrokerUnreachable:
                away = away or time.monotonic()
                if time.monotonic() - away > _PATIENCE:
                    raise
            yield found
            left = _LOOK_EVERY if deadline is None else deadline - time.monotonic()
            if not missing or left <= 0:
                return
            if listener is None:
                # What finished before we had a listener did not notify it: look once more first.
                listener = self.broker.result_listener()
            else:
                listener.wait(min(interval, left, _LOOK_EVERY))

    def _front(self, missing: dict[str, None]) -> list[Record]:
        """Take the first of `missing` that have finished, as far as they stand together."""
        found: list[Record] = []
        while first := list(islice(missing, _FRONT)):
            records = self._finished_of(missing, first)
            found += records
            if len(records) < len(first):
                break
        return found

    def _finished_of(self, missing: dict[str, None], ids: list[str]) -> list[Record]:
        records = self.finished(ids)
        for record in records:
            del missing[record.message.id]
        return records

    # decoding

    def value(self, record: Record) -> Any:
        """What the task returned, the exception it ended with, or what it last reported.

        Raises SerializationError when that cannot be decoded here.
        """
        match record.phase:
            case Phase.SUCCEEDED:
                return self._loads(record)
            case Phase.FAILED | Phase.DEAD:
                return self._failure(record) or _untold(record)
            case Phase.CANCELLED:
                return TaskRevokedError("revoked")
            case Phase.EXPIRED:
                return TaskRevokedError("expired")
            case Phase.SKIPPED:
                return self._why_skipped(record)
        if record.message.retries and record.reported is None:
            return self._failure(record)  # why it is tried again
        return self._loads(record)

    def arguments(self, record: Record) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The arguments the task was sent with. Raises SerializationError."""
        args, kwargs = self._codecs[record.message.serializer].loads(record.message.payload)
        return args, kwargs

    def _why_skipped(self, record: Record) -> BaseException:
        """The error of a task that was not run: that of the task to blame, or ChordError if it was
        a group that failed, by that task."""
        blamed = self.record(record.woken_by) if record.woken_by else None
        if blamed is None:
            return ChordError(f"Dependency {record.woken_by} failed, and is forgotten")
        exc: BaseException = self.value(blamed)
        step: Record | None = record
        while step is not None and not step.barrier and step.waits != record.woken_by:
            step = self.record(step.waits) if step.waits else None
        return chord_error(blamed.message.id, exc) if step is None or step.barrier else exc

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


def accepted(names: Iterable[str] | None, conf: Config, broker: Broker) -> Codecs:
    """The serializers that may be decoded: `names`, else JSON and what is used here by default."""
    default = broker.default_serializer
    ours = {"json", conf.task_serializer or default, conf.result_serializer or default}
    codecs = Codecs(ours if names is None else names)
    for serializer in codecs.values():
        check_trust(serializer, broker)
    return codecs


def result_serializer(conf: Config, broker: Broker) -> Serializer:
    """What values, errors and reports are encoded with."""
    serializer = get(conf.result_serializer or broker.default_serializer)
    check_trust(serializer, broker)
    return serializer


def state_of(record: Record | None) -> str:
    """Celery's word for the state of a task; PENDING for one that nobody knows."""
    if record is None:
        return PENDING
    message = record.message
    return public_state(
        record.phase,
        retries=message.retries,
        track_started=message.track_started,
        reported=record.reported,
    )


def _untold(record: Record) -> BaseException:
    """The error of a task that failed and stored none: it was told not to, or its process died."""
    if not record.message.ignore_result:
        return WorkerLostError(record.traceback or f"the worker of {record.message.task} died")
    last = (record.traceback or "TaskError").rstrip().rpartition("\n")[2]
    return with_traceback(remote_error(last.partition(":")[0], last), record.traceback)
