"""The value that travels: made once by whoever sends a task, never changed after.

Arguments are bytes already. Neither a broker nor a worker's supervisor ever decodes them.
"""

import time
from random import getrandbits
from typing import Any, NamedTuple

from ..states import Phase


class Message(NamedTuple):
    """A task as it is sent and stored."""

    id: str
    task: str
    payload: bytes  # (args, kwargs), encoded
    serializer: str
    queue: str
    priority: int = 0  # higher first
    eta: float | None = None  # not before: seconds since the epoch
    expires: float | None = None  # not started after: seconds since the epoch
    retries: int = 0
    acks_late: bool = True  # False: run at most once
    ignore_result: bool = False
    track_started: bool = False
    options: str | None = None  # a JSON object of what is seldom set; see docs/internals/store.md


class Receipt(NamedTuple):
    """Names one claim of one task; without it nothing can be settled.

    `key` is the broker's own name of the task. `token` grows with each claim, so a worker that
    lost its claim holds a receipt that fits nothing any more (a fencing token).
    """

    key: int | str
    token: int


class Delivery(NamedTuple):
    """A message in the hands of the worker that claimed it."""

    message: Message
    receipt: Receipt
    lost: int = 0  # how many processes died while running it
    reported: str | None = None  # the state it last told of itself, from an earlier attempt
    attempts: int = 0  # how often it was started before, however that ended
    tied: bool = False  # others wait for its end, or for that of its group
    woken_by: str | None = None  # the task whose end it waited for
    inputs: Any = None  # what it takes from there: an Input, a list of them, or lists of lists

    @property
    def parent(self) -> str | None:
        """The task after which it runs; of an errback the one that failed."""
        if isinstance(self.inputs, tuple) and self.inputs[-1] is not None:
            id: str = self.inputs[-1][0]
            return id
        return self.woken_by


class Input(NamedTuple):
    """What one task hands to another; a group hands on a list of them."""

    phase: int
    serializer: str | None
    result: bytes | None  # the value or the error
    traceback: str | None
    blame: str | None = None  # of a task that was skipped: who failed
    message: tuple[Any, ...] | None = None  # of a task that failed, for those that wait for that


class Record(NamedTuple):
    """All that a store knows of a task."""

    message: Message
    phase: Phase
    token: int
    lost: int
    worker: str | None  # who runs it, or ran it last
    created: float
    started: float | None
    finished: float | None
    keep_until: float | None  # when the sweeper may forget it
    result: bytes | None  # the value, the error, or what `update_state` left
    result_serializer: str | None
    traceback: str | None
    reported: str | None
    woken_by: str | None = None  # whose end it waited for; of one that was skipped: who failed
    waits: str | None = None  # the task or the group that it waited for
    barrier: bool = False  # that was a group
    group: str | None = None  # the group that it is a member of
    position: int = 0
    on_failure: int = 0  # it is an errback: see `Place`


class Attempt(NamedTuple):
    """One start of a task, and what came of it."""

    number: int  # from 1
    started: float | None
    ended: float | None  # None: it still runs
    worker: str | None
    outcome: str  # `retry`, `lost`, `requeued`; of the last one: the phase of the task
    error: str | None  # a traceback, or one line


def last_attempt(record: Record | None, earlier: int) -> list[Attempt]:
    """The attempt that stands in `record` itself, after `earlier` ones; none if it never began."""
    if record is None or record.started is None or record.phase is Phase.EXPIRED:
        return []
    outcome = record.phase.name.lower()
    ended = (record.finished, record.worker, outcome, record.traceback)
    return [Attempt(earlier + 1, record.started, *ended)]


_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
_NOISE = (1 << 80) - 1 & ~(0xF << 76) & ~(0b11 << 62)


def new_id() -> str:
    """A fresh task id: a UUID version 7 (RFC 9562, section 5.7).

    It starts with the time, so ids that are made together stand together in an index: with ten
    million tasks waiting, one more touches the pages that the last one touched.
    """
    stamp = (time.time_ns() // 1_000_000) << 80
    noise = getrandbits(80) & _NOISE  # not a secret: it only has to differ
    digits = f"{stamp | _VERSION_AND_VARIANT | noise:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
