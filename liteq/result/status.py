"""How far a task or a group has come: `Status`, and what reads it from the store."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from typing import NamedTuple, Protocol

from ..model.message import Record
from ..model.progress import Progress
from ..states import FAILURE, PENDING, READY_STATES, REVOKED, STARTED, SUCCESS, Phase
from ..support.movingrate import MovingRate
from .backend import Backend, state_of

_AT_ONCE = 1000  # tasks that one query asks for


class Status(NamedTuple):
    """What `watch` yields of a task or a group."""

    state: str
    """Celery's state. A group is PENDING, STARTED, or as the worst of its tasks has ended."""

    phase: Phase | None
    """The phase of a task; None of an unknown one, and of a group."""

    progress: Progress | None
    """How far it has come. A group counts tasks; a task has one if it has said so."""

    @property
    def ready(self) -> bool:
        """Return whether it has finished."""
        return self.state in READY_STATES and (self.phase is None or self.phase.final)


class Observation(Protocol):
    """What is looked at again and again."""

    ids: Sequence[str]
    """The tasks whose changes are changes of it."""

    mark: object
    """What the last look has found: it differs if anything has changed."""

    def look(self) -> Status: ...  # raises BrokerError


class EndedObservation:
    """The look at what had ended before."""

    def __init__(self, status: Status) -> None:
        self.ids: Sequence[str] = ()
        self.mark: object = None
        self._status = status

    def look(self) -> Status:
        """Return how it has ended."""
        return self._status


class TaskObservation:
    """The look at one task."""

    def __init__(self, id: str, backend: Backend) -> None:
        self.ids: Sequence[str] = (id,)
        self.mark: object = None
        self._backend = backend

    def look(self) -> Status:
        """Return how far the task has come."""
        (id,) = self.ids
        (progress,) = self._backend.broker.progress([id])  # first: it is final if the task is
        record = self._backend.record(id)
        status = Status(state_of(record), None if record is None else record.phase, progress)
        self.mark = status, None if record is None else record.result  # the meta that it reported
        return status


class GroupObservation:
    """The look at many tasks. What has finished is not read again."""

    def __init__(self, ids: Iterable[str], backend: Backend) -> None:
        self.ids: Sequence[str] = tuple(dict.fromkeys(ids))
        self.mark: object = None
        self._backend = backend
        self._missing = dict.fromkeys(self.ids)
        self._states: set[str] = set()  # of those that have finished
        self._began = inf
        self._rate: MovingRate | None = None  # until one has begun

    def look(self) -> Status:
        """Return how far the tasks have come."""
        broker = self._backend.broker
        running = []
        for part in _parts(self._missing):
            for record in filter(None, broker.fetch(part)):
                self._note(record)
                if record.phase is Phase.RUNNING:
                    running.append(record.message.id)
        done: float = len(self.ids) - len(self._missing)
        for part in _parts(running):
            done += sum(_fraction(progress) for progress in broker.progress(part))
        state = self._state(bool(running))
        self.mark = state, done
        return Status(state, None, self._progress(done))

    def _note(self, record: Record) -> None:
        if record.phase.final:
            del self._missing[record.message.id]
            self._states.add(state_of(record))
        if record.started is not None and record.started < self._began:
            self._began = record.started

    def _state(self, running: bool) -> str:
        if self._missing:
            return STARTED if running or self._states else PENDING
        return next((each for each in (FAILURE, REVOKED) if each in self._states), SUCCESS)

    def _progress(self, done: float) -> Progress:
        now = self._backend.broker.clock()
        if self._rate is None and self._began < now:
            self._rate = MovingRate()
            self._rate.add(self._began, 0.0)
        if self._rate is None:
            return Progress(done, len(self.ids), at=now)
        self._rate.add(now, done)
        return Progress(done, len(self.ids), self._rate.per_second, at=now)


def _fraction(progress: Progress | None) -> float:
    return (progress.fraction or 0.0) if progress is not None else 0.0


def _parts(ids: Iterable[str]) -> Iterable[list[str]]:
    rest = iter(list(ids))
    while part := list(islice(rest, _AT_ONCE)):
        yield part
