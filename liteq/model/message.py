"""The message of a task, made once by the sender and never changed, and what is known of it later.

Its arguments are bytes. Neither a broker nor a worker's supervisor ever decodes them.
"""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple, Self

from ..states import Phase
from ..support.randomness import getrandbits


class Message(NamedTuple):
    """A task as it is sent and stored."""

    id: str
    task: str
    payload: bytes  # (args, kwargs), encoded
    serializer: str
    queue: str
    priority: int = 0  # higher first
    eta: float | None = None  # epoch seconds; not started before
    expires: float | None = None  # epoch seconds; not started after
    retries: int = 0
    acks_late: bool = True  # False: run at most once
    ignore_result: bool = False
    track_started: bool = False
    options: str | None = None  # a JSON object of rarely set options; see docs/internals/store.md


class Receipt(NamedTuple):
    """The identity of one claim of one task, without which nothing can be settled.

    `key` is the broker's own name of the task. `token` is a fencing token: it grows with each
    claim, so a worker that has lost its claim holds a receipt that is no longer valid.
    """

    key: int | str
    token: int


Member = tuple[str, int, str | None]
"""A task as a member of a group: the id of the group, its position there, and the `options` of the
group, which count for all of its tasks: they have none of that in their own."""


class _DeliveryFields(NamedTuple):
    """The fields of a `Delivery`: those of its message, of its receipt, and its own."""

    id: str
    task: str
    payload: bytes
    serializer: str
    queue: str
    priority: int
    eta: float | None
    expires: float | None
    retries: int
    acks_late: bool
    ignore_result: bool
    track_started: bool
    options: str | None
    key: int | str
    token: int
    lost: int  # how many processes died while running it
    reported: str | None  # the state that an earlier attempt set by `update_state`
    attempts: int  # how often it was started before, however that ended
    tied: bool  # it has dependents, or is in a group
    woken_by: str | None  # the task whose end it waited for
    member: Member | None  # of a group
    inputs: Any  # the results that it takes: an Input, a list of them, or lists of lists
    place: Any  # its `Place` in its workflow; only from a broker that signs it


class Delivery(_DeliveryFields):
    """A message, claimed by a worker.

    It is flat, as the row of a store is: what a supervisor claims goes to a child process as it
    came. Its message and its receipt are made when they are asked for.
    """

    __slots__ = ()

    def __new__(
        cls,
        message: Message,
        receipt: Receipt,
        lost: int = 0,
        reported: str | None = None,
        attempts: int = 0,
        tied: bool = False,
        woken_by: str | None = None,
        member: Member | None = None,
        inputs: Any = None,
        place: Any = None,
    ) -> Self:
        rest = (lost, reported, attempts, tied, woken_by, member, inputs, place)
        return tuple.__new__(cls, (*message, *receipt, *rest))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.message, self.receipt, *self[15:])  # to be copied

    @property
    def message(self) -> Message:
        """Return a new message of its fields."""
        return tuple.__new__(Message, self[:13])

    @property
    def receipt(self) -> Receipt:
        """Return a new receipt of its fields."""
        return tuple.__new__(Receipt, self[13:15])

    def with_message(self, message: Message) -> "Delivery":
        """Return it with another message."""
        return Delivery(message, self.receipt, *self[15:])

    @property
    def parent(self) -> str | None:
        """Return the id of the task that it runs after; for an errback, of the one that failed."""
        if isinstance(self.inputs, tuple) and self.inputs[-1] is not None:
            id: str = self.inputs[-1][0]
            return id
        return self.woken_by


class Input(NamedTuple):
    """The end of a task, for a task that waits for it; a group passes a list of them."""

    phase: int
    serializer: str | None
    result: bytes | None  # the value or the error
    traceback: str | None
    blame: str | None = None  # for a skipped task: the id of the task that failed
    message: tuple[Any, ...] | None = None  # for a failed task: its message, for its errbacks


class Record(NamedTuple):
    """Everything that a store keeps about a task."""

    message: Message
    phase: Phase
    token: int = 0
    lost: int = 0
    worker: str | None = None  # the worker that runs it, or ran it last
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    keep_until: float | None = None  # when it may be deleted
    result: bytes | None = None  # the value, the error, or the meta of `update_state`
    result_serializer: str | None = None
    traceback: str | None = None
    reported: str | None = None
    woken_by: str | None = None  # the task whose end it waited for; if skipped, the one that failed
    waits: str | None = None  # the task, or with `barrier` the group, that it waited for
    barrier: bool = False
    group: str | None = None  # the group that it is a member of
    position: int = 0
    on_failure: int = 0  # not 0: it is an errback, see `Place`
    seq: int = 0  # its place in the order of sending
    event: str | None = None  # WAITING, SCHEDULED: the key of the event that wakes it


class Attempt(NamedTuple):
    """One start of a task, and its end."""

    number: int  # from 1
    started: float | None  # epoch seconds
    ended: float | None  # epoch seconds; None: still running
    worker: str | None
    outcome: str  # `retry`, `lost`, `late`, `requeued`, `left`, `replaced`, `snoozed`, `slept`,
    # `awaited`, `gathered`; for the last, the phase of the task
    error: str | None  # a traceback, or one line


def last_attempt(record: Record | None, earlier: int) -> list[Attempt]:
    """Return the attempt in `record`, numbered after `earlier` ones; none if it never started."""
    if record is None or record.started is None or record.phase is Phase.EXPIRED:
        return []
    outcome = record.phase.name.lower()
    ended = (record.finished, record.worker, outcome, record.traceback)
    return [Attempt(earlier + 1, record.started, *ended)]


_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
_LAST = (1 << 48) - 1  # the last of the five groups of digits
_NOISE = (1 << 80) - 1 & ~(0xF << 76) & ~(0b11 << 62)


def new_id() -> str:
    """Return a new task id: a UUID version 7 (RFC 9562, section 5.7).

    It starts with the time, so ids that are made together are neighbours in an index: with ten
    million waiting tasks, the next one is written to the same pages as the last one.
    """
    stamp = (time.time_ns() // 1_000_000) << 80
    noise = getrandbits(80) & _NOISE  # need not be unpredictable, only different
    digits = f"{stamp | _VERSION_AND_VARIANT | noise:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_ids() -> Iterator[str]:
    """Yield new task ids, of which each but the first follows on the one before.

    They take a fifth of the time of `new_id`: only the first one is random. Two senders whose
    first ones are a million ids apart in one millisecond share none, and 74 bits are random.
    """
    first = new_id()
    head, last = first[:24], int(first[24:], 16)
    for number in count(last):
        yield f"{head}{number & _LAST:012x}"
