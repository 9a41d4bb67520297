"""The port: run deliveries somewhere.

A pool has slots. A slot runs one delivery at a time and may hold more that wait in it. Whoever
owns the pool (the supervisor) puts deliveries into slots, waits on a selector for the pool to
stir, and collects what happened.

To add a pool: a file beside this one and its line in `POOLS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from selectors import BaseSelector
from typing import Any, NamedTuple

from ..exceptions import LiteqError
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome

SendState = Callable[[str, str, bytes, str], None]
"""How a running task tells its state: id, state, meta (encoded), serializer."""

Run = Callable[[Delivery], Outcome]
"""Runs one delivery to its end. Never raises."""


class Limits(NamedTuple):
    """What a child process may use up before it is replaced, between two tasks."""

    tasks: int | None = None
    memory: int | None = None  # KiB resident


class RunnerSpec(NamedTuple):
    """How runners are made, named so that another process can find it."""

    preload: str  # "package.module:function", called with `spec`: imports the application
    make: str  # the same, called with `spec` and a SendState, answers a Run
    arguments: dict[str, Any]  # JSON
    make_here: Callable[[SendState], Run]  # `make`, for pools inside this process
    limits: Limits = Limits()


class StateUpdate(NamedTuple):
    """What a running task told of itself."""

    id: str
    state: str
    meta: bytes
    serializer: str


class Death(NamedTuple):
    """A slot's process is gone. The slot comes back by itself, empty."""

    running: Delivery | None  # what it was in
    waiting: list[Delivery]  # what it had not started
    kind: Kind  # LOST, or why it was killed; REQUEUED: we were leaving, so it is not to blame
    reason: str
    ran: float  # seconds since `running` was started


class PoolBroken(LiteqError):
    """No child comes up; `traceback` is what one of them told."""

    def __init__(self, traceback: str) -> None:
        self.traceback = traceback
        last = traceback.strip().rpartition("\n")[2] or "they die before they say why"
        super().__init__(f"child processes cannot start: {last}")


class Kill(NamedTuple):
    """Why a process is killed: on account of `delivery`, should it still be in it."""

    delivery: Delivery
    kind: Kind
    reason: str


# Plain classes: `dataclasses` would bring in `inspect`, a megabyte in each process.


class PoolEvents:
    """What a pool did since it was last asked."""

    def __init__(self) -> None:
        self.finished: list[tuple[Delivery, Outcome]] = []
        self.returned: list[Delivery] = []  # recalled: never started
        self.updates: list[StateUpdate] = []
        self.deaths: list[Death] = []

    def __bool__(self) -> bool:
        return bool(self.finished or self.returned or self.updates or self.deaths)


class Slot:
    """A place to run one delivery at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.up = False  # it can take deliveries
        self.holding: dict[int, Delivery] = {}  # by ticket, in order
        self.recalled = False  # it was asked to give back what it has not started


class Running(NamedTuple):
    """The delivery that a slot is in, and for how many seconds."""

    delivery: Delivery
    seconds: float


class Pool(ABC):
    """Runs deliveries in `size` slots."""

    scoreboard: str | None = None
    """A file that tells which claims its children have begun, for whoever outlives them."""

    kills = False
    """Whether it can end what runs: a thread cannot be ended from outside."""

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        self.spec = spec
        self.slots = [Slot(number) for number in range(size)]

    @abstractmethod
    def start(self, selector: BaseSelector) -> None:
        """Start the slots. What is registered with `selector` has a callable as its data."""

    @abstractmethod
    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        """Give `deliveries` to `slot`, to be run in this order."""

    @abstractmethod
    def collect(self) -> PoolEvents:
        """What happened since the last time."""

    def recall(self, slot: Slot) -> None:
        """Ask `slot` to give back what it has not started. Some pools never hold any."""

    def running(self, slot: Slot) -> Running | None:
        """What `slot` is in, as far as this pool can tell."""
        return None

    def kill(self, slot: Slot, verdict: Kill) -> None:
        """End what runs in `slot` at once, if this pool `kills`. The death tells why."""

    def terminate(self) -> None:
        """Say by SIGTERM to all that runs, if this pool `kills`, that it is to be ended soon."""

    def renew(self) -> bool:
        """Load the application's code anew and let each slot go on with it after what it runs.

        False from a pool that cannot.
        """
        return False

    def tend(self) -> float | None:
        """Do what is due by time; answer in how many seconds it is to be called again."""
        return None

    @abstractmethod
    def close(self) -> None:
        """End everything now. What still ran is told as a death, once more by `collect`."""

    def pids(self) -> list[int]:
        """The processes of this pool."""
        return []
