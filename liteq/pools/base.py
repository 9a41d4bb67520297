"""The port of pools.

A pool has slots. A slot runs one delivery at a time, and may hold more that wait in it. The
supervisor submits deliveries to slots, waits on a selector until something happens in the pool,
and collects the events.

To add a pool: a file beside this one, and its line in `POOLS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from selectors import BaseSelector
from typing import Any, NamedTuple

from ..exceptions import LiteqError
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..model.step import Step
from ..support.printable import last_line
from .output import Outputs, OutputUpdate

SendState = Callable[[str, str, bytes, str], None]
"""A function that sends a state of the running task: its id, state, meta (encoded), serializer."""

KeepStep = Callable[[Delivery, Step], bool]
"""A function that has a step of a running task stored; it returns once that is certain.

It returns False if the claim was lost, and raises BrokerRefused if the store cannot hold the step.
"""

Run = Callable[[Delivery], Outcome]
"""A function that runs one delivery to its end. It never raises."""

MakeHere = Callable[[SendState, Outputs], Run]
"""A function that makes a Run for this process."""

STOPPED = "its worker was stopped while it ran"
"""The reason of a `Death` that came with the end of the pool."""


class Limits(NamedTuple):
    """The limits of a child process, which is replaced between two tasks when it exceeds one."""

    tasks: int | None = None
    memory: int | None = None  # KiB resident


class RunnerSpec(NamedTuple):
    """The functions that make a runner, named so that another process can find them."""

    # "package.module:function", called with `arguments`: imports the application, and returns what
    # the pool is to tell of it: plain values
    preload: str
    # The same, called with `arguments`, a SendState, a KeepStep and an Outputs: returns a Run
    make: str
    arguments: dict[str, Any]  # JSON
    make_here: MakeHere  # `make` for pools that run tasks in this process
    limits: Limits = Limits()
    # The levels of this program's loggers, to which children send their log records; None: `make`
    # sets up logging in them.
    log_levels: Mapping[str, int] | None = None
    # In a process that is forked from this one, which has imported the application: makes `preload`
    # and `make` use that. None: this process must not be forked, so another one imports it anew.
    adopt: Callable[[], None] | None = None


class StateUpdate(NamedTuple):
    """A state that a running task set by `update_state`."""

    id: str
    state: str
    meta: bytes
    serializer: str


class Success(NamedTuple):
    """The end of a run about which there is nothing to say but its value.

    An `Outcome` says the same. A pool may report one as this, which takes a third of the time.
    """

    delivery: Delivery
    result: bytes | None
    serializer: str | None
    runtime: float  # seconds
    slot: int  # its number

    @property
    def outcome(self) -> Outcome:
        """Return the same as an outcome."""
        return Outcome(Kind.SUCCEEDED, self.result, self.serializer, self.runtime)


class StepRequest(NamedTuple):
    """A step of a running task that is to be stored; the task waits for the answer."""

    delivery: Delivery
    step: Step
    slot: int  # its number
    number: int  # of the request, in its process
    process: int | None = None


KEPT, CLAIM_LOST = "kept", "claim lost"
"""Answers to a StepRequest. Any other text says why the store refuses the step."""


class Death(NamedTuple):
    """The exit of a slot's process. The pool starts another one; the slot is empty until then."""

    running: Delivery | None  # the delivery that it was running
    waiting: list[Delivery]  # the deliveries that it had not started
    kind: Kind  # LOST; or the kind of the `Kill`; or REQUEUED when the pool was ending
    reason: str
    ran: float  # seconds since `running` was started
    slot: int  # its number


class PoolBroken(LiteqError):
    """A pool in which no child can start; `traceback` is that of the last one, if it sent one."""

    def __init__(self, traceback: str) -> None:
        self.traceback = traceback
        last = last_line(traceback) or "they exit without an error message"
        super().__init__(f"child processes cannot start: {last}")


class Kill(NamedTuple):
    """The reason to kill a slot's process: it concerns `delivery` if that is still running."""

    delivery: Delivery
    kind: Kind
    reason: str


# Plain classes: `dataclasses` imports `inspect`, which takes a megabyte in each process.


class PoolEvents:
    """The events in a pool since the last `collect`."""

    def __init__(self) -> None:
        self.succeeded: list[Success] = []
        self.finished: list[tuple[Delivery, Outcome, int]] = []  # the number of its slot
        self.returned: list[Delivery] = []  # recalled before they were started
        self.updates: list[StateUpdate] = []
        self.outputs: list[OutputUpdate] = []  # of runs that go on, or have ended as well
        self.steps: list[StepRequest] = []
        self.deaths: list[Death] = []
        self.renewals: list[Any] = []  # new code is used: what `preload` returned; None: not known

    def __bool__(self) -> bool:
        happened = self.succeeded or self.finished or self.returned or self.updates or self.steps
        return bool(happened or self.outputs or self.deaths or self.renewals)


class Slot:
    """A place to run one delivery at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.up = False  # it can take deliveries
        self.holding: dict[int, Delivery] = {}  # by ticket, in the order of submission
        self.recalled = False  # deliveries were taken back, and its child has not seen it yet
        self.leaving = False  # it gets no more deliveries, and is gone when its task has ended

    @property
    def open(self) -> bool:
        """Return whether it can be given deliveries now."""
        return self.up and not self.recalled


class Running(NamedTuple):
    """The delivery that a slot is running, and for how many seconds."""

    delivery: Delivery
    seconds: float


class Pool(ABC):
    """A pool that runs deliveries in `size` slots."""

    scoreboard: str | None = None
    """The name of the file that tells which claims its slots have started, even after a crash."""

    kills = False
    """True for a pool that can kill a running task; a thread cannot be killed."""

    resizes = False
    """True for a pool that can be resized."""

    outgoing: Callable[[Delivery], Delivery] | None = None
    """Changes a delivery on its way to a slot; `slots` and events have it as it was submitted."""

    in_loop = False
    """True for a pool that runs tasks in the loop's thread, so that the loop waits for them."""

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        self.spec = spec
        self.slots: list[Slot] = [Slot(number) for number in range(size)]

    @abstractmethod
    def start(self, selector: BaseSelector) -> None:
        """Start the slots. The data of all that is registered with `selector` is a callable."""

    @abstractmethod
    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        """Give `deliveries` to `slot`, to be run in this order."""

    @abstractmethod
    def collect(self) -> PoolEvents:
        """Return the events since the last call. Raises PoolBroken when no child can start."""

    def recall(self, slot: Slot) -> None:
        """Take back what `slot` has not started; the next `collect` returns it."""

    def running(self, slot: Slot) -> Running | None:
        """Return the delivery that `slot` is running; None if there is none, or not known."""
        return None

    def kill(self, slot: Slot, kill: Kill) -> None:
        """Kill what runs in `slot` at once, if this pool `kills`. Its `Death` has the reason."""

    def answer(self, request: StepRequest, answer: str) -> None:
        """Tell a task that its step is stored (KEPT), or why not."""

    def terminate(self) -> None:
        """Send SIGTERM to all running tasks, if this pool `kills`; `close` follows soon."""

    def refresh(self) -> None:
        """Replace the processes of idle slots, so that nothing has run in those of the next tasks.

        A thread cannot be replaced: such a pool does nothing.
        """

    def renew(self) -> bool:
        """Load the application's code anew; each slot uses it from its next delivery on.

        Returns False when the pool cannot do that.
        """
        return False

    def resize(self, size: int) -> None:
        """Have `size` slots from now on; `slots` has the others for as long as they run a task.

        What was waiting in those is returned by the next `collect`. Raises LiteqError when this
        pool cannot have so many.
        """
        raise LiteqError(f"{type(self).__name__} cannot change the number of its slots")

    def tend(self) -> float | None:
        """Start the child processes that are due.

        Returns the seconds after which to call this again, whatever the selector reports; None
        when an event on the selector comes before.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Stop all slots now. What still ran is among the deaths of one last `collect`."""

    def pids(self) -> list[int]:
        """Return the ids of the pool's processes."""
        return []
