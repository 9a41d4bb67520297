"""Reads what the store knows of tasks, and waits until they have finished."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .brokers.base import Broker
from .config import Config
from .exceptions import SerializationError, TaskRevokedError, WorkerLostError
from .failure import decode_failure, remote_error, with_traceback
from .message import Record
from .serializers import Codecs, Serializer, get
from .states import PENDING, Phase, public_state

_LOOK_EVERY = 0.5  # seconds between two looks at the store, should the bell not ring


class Backend:
    """Results of tasks that are kept in `broker`; `codecs` are the serializers it may decode."""

    def __init__(self, broker: Broker, codecs: Mapping[str, Serializer]) -> None:
        self.broker = broker
        self._codecs = codecs

    # looking

    def record(self, id: str) -> Record | None:
        """What the store knows of the task `id` now; None when there is no such task."""
        return self.broker.fetch([id])[0]

    def wait(
        self,
        id: str,
        timeout: float | None = None,
        interval: float = _LOOK_EVERY,
        on_look: Callable[[], object] | None = None,
    ) -> Record | None:
        """Wait until the task `id` has finished, for `timeout` seconds at most; answer what is
        known then, finished or not.

        The store is looked at when its bell rings, and every `interval` seconds, but at least
        twice a second. `on_look` is called after each look that found the task unfinished.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = min(interval, _LOOK_EVERY)
        bell = None
        while True:
            record = self.record(id)
            if record is not None and record.phase.final:
                return record
            if on_look is not None:
                on_look()
            if deadline is not None:
                pause = min(pause, deadline - time.monotonic())
                if pause <= 0:
                    return record
            if bell is None:
                # What finished before we had a bell did not ring it: look once more before waiting.
                bell = self.broker.result_bell()
            else:
                bell.wait(pause)

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
        if record.message.retries and record.reported is None:
            return self._failure(record)  # why it is tried again
        return self._loads(record)

    def arguments(self, record: Record) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The arguments the task was sent with. Raises SerializationError."""
        args, kwargs = self._codecs[record.message.serializer].loads(record.message.payload)
        return args, kwargs

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
    return Codecs(ours if names is None else names)


def result_serializer(conf: Config, broker: Broker) -> Serializer:
    """What values, errors and reports are encoded with."""
    return get(conf.result_serializer or broker.default_serializer)


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
