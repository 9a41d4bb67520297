"""The values that only the verbs of the port take and return. `base.py` exports them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..model.message import Delivery, Receipt
from ..model.outcome import Settlement
from ..states import Phase


class Claim(NamedTuple):
    """A request of `worker` for at most `limit` ready tasks of `queues`."""

    worker: int
    queues: tuple[str, ...]
    limit: int


class Settled(NamedTuple):
    """The result of `settle`."""

    refused: list[Receipt]  # of claims that were lost: nothing was written for them
    claimed: list[Delivery]


class WorkerInfo(NamedTuple):
    """A worker, as others see it."""

    id: int
    name: str
    pid: int
    host: str
    started: float
    beat: float  # when it last called `beat`
    stopped: float | None
    info: str  # a JSON object: queues, pool, concurrency, registered tasks, counts


class QueueCount(NamedTuple):
    """The number of tasks of a queue in a phase."""

    queue: str
    phase: Phase
    tasks: int


class ToTerminate(NamedTuple):
    """A running task that its worker is to end: revoked with `terminate`, or taken from it."""

    receipt: Receipt
    id: str
    taken: bool = False  # other workers have the task, as this one was held to be dead


class Rescue(NamedTuple):
    """The decision about the claims that a dead worker held."""

    released: Sequence[Receipt]  # they had not started: ready again, and nothing is charged
    settlements: Sequence[Settlement]


DecideRescue = Callable[[str, Sequence[Delivery], bool], Rescue]
"""Takes a dead worker's `info`, the claims it holds (the oldest first), and whether it died with
its machine, which was restarted since; decides what becomes of each claim. Pure."""

ReadSettled = Callable[[], Settled]
"""Waits for the reply to a `settle` that was sent, and returns it; raises what `settle` would."""
