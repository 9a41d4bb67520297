"""A child of the process pool, which runs deliveries and sends their outcomes.

The main thread runs tasks, except those that the supervisor has recalled on the scoreboard. Between
two tasks it reads the stream itself: to be woken by another thread would take 0.1 ms a task. While
a task runs a second thread looks at the stream now and then: it receives, sends outcomes that would
otherwise wait for a long task to end, and ends the process once the supervisor is gone.
"""

import os
import selectors
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import Any, NotRequired, TypedDict

from ..exceptions import BrokerRefused
from ..model.message import Delivery
from ..model.outcome import Outcome
from ..model.step import Step
from ..support.coroutines import close_loop
from ..support.handlers import handle
from ..support.plugins import load
from ..support.slots import enter_slot
from .base import CLAIM_LOST, KEPT, Limits, Run
from .frames import CHUNK, FrameReader, pack
from .memory import resident_kib
from .outcomes import pack as pack_outcome
from .output import Outputs
from .output import pack as pack_output
from .process_state import ProcessState
from .scoreboard import Handle, Scoreboard, open_scoreboard

# Supervisor to child
RUN, DRAIN, ANSWER = 0, 1, 2
# Child to supervisor
READY, OUTCOMES, RETURNED, STATE, START_FAILED, RECORD, STEP, OUTPUT = 0, 1, 2, 3, 4, 5, 6, 7

_FLUSH_EVERY = 0.001  # seconds that an outcome may wait for others to be sent with it
_RESTORE_EVERY = 0.020  # seconds between two checks of what tasks changed, of 30 us each
# Seconds between two looks at the stream while tasks run: at first, and in a task that takes long.
_LOOK_EVERY, _LOOK_SELDOM = 0.005, 0.050
_IDLE_LOOKS = 20  # looks in a row at which no task runs, after which the next one waits for a task

# Not `select`, which takes no descriptor beyond 1023; nor epoll, which is a descriptor itself, that
# a task may close.
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


class Setup(TypedDict):
    """The setup of a fork server or a child, as JSON: a RunnerSpec, and the scoreboard."""

    preload: str
    make: str
    spec: dict[str, Any]
    limits: Sequence[int | None]
    scoreboard: Handle
    log_levels: Mapping[str, int] | None
    slot: NotRequired[int]  # of a child that is a fresh interpreter


Item = tuple[int, tuple[Any, ...]]


def to_item(ticket: int, delivery: Delivery) -> Item:
    """Return a ticket and its delivery as a plain tuple, for the stream."""
    if delivery.inputs is not None or delivery.place is not None:
        # Its place is the supervisor's business.
        delivery = delivery._replace(inputs=_plain(delivery.inputs), place=None)
    return ticket, tuple(delivery)


def from_item(fields: tuple[Any, ...]) -> Delivery:
    """Return the delivery of an item."""
    return tuple.__new__(Delivery, fields)


def _plain(inputs: Any) -> Any:
    """Return `inputs` as plain lists and tuples: marshal knows no subclasses."""
    if isinstance(inputs, list):
        return [_plain(each) for each in inputs]
    return inputs if inputs is None else tuple(inputs)


class Child:
    """One child: its backlog, its end of the stream, and its limits."""

    def __init__(
        self, stream: socket.socket, scoreboard: Scoreboard, slot: int, limits: Limits
    ) -> None:
        self._stream = stream
        self._selector = _Selector()
        self._selector.register(stream, selectors.EVENT_READ)
        self._scoreboard = scoreboard
        self._slot = slot
        self._reader = FrameReader()
        # The thread that holds it reads the stream and changes the backlog: the main thread, except
        # while it runs a task.
        self._turn = threading.Lock()
        self._turn.acquire()
        self._watched = threading.Event()  # the second thread looks at the stream
        self._look_every = _LOOK_EVERY
        self._asked = threading.Event()  # a task waits for an answer
        self._backlog: deque[Item | None] = deque()  # None: exit
        self._outcomes: list[tuple[Any, ...]] = []
        self.outputs: Outputs = Outputs()
        self._sending = threading.RLock()
        self._unsent: deque[bytes] = deque()  # frames
        self._is_sending = False
        self._keeping = threading.Lock()
        self._answers: SimpleQueue[tuple[int, str]] = SimpleQueue()  # to requests by number
        self._requests = 0
        self._limits = limits
        self._tasks_left = limits.tasks or -1  # negative: no limit

    def send_state(self, id: str, state: str, meta: bytes, serializer: str) -> None:
        """Send a state that the running task sets."""
        self._send((STATE, (id, state, meta, serializer)))

    def keep_step(self, delivery: Delivery, step: Step) -> bool:
        """Have a step of a running task stored; return False if its claim was lost.

        Raises BrokerRefused if the store cannot hold it.
        """
        with self._keeping:  # threads that the task has started may have steps as well
            self._requests += 1
            number, answer = -1, ""
            # The second thread reads it: here a time limit might come between what was received
            # and its being kept.
            self._asked.set()
            self._send((STEP, (self._requests, *delivery.receipt, tuple(step))))
            while number != self._requests:  # a time limit may have ended the wait for another one
                number, answer = self._answers.get()
        if answer not in (KEPT, CLAIM_LOST):
            raise BrokerRefused(answer)
        return answer == KEPT

    def send_record(self, values: tuple[Any, ...]) -> None:
        """Send a log record for the supervisor's loggers."""
        self._send((RECORD, values))

    def send_start_failure(self, text: str) -> None:
        """Send the traceback of the error for which this child cannot start."""
        self._send((START_FAILED, text))

    def serve(self, run: Run) -> None:
        """Run deliveries until a limit is reached, or the supervisor drains this child.

        The process exits when the supervisor closes its end of the stream.
        """
        state = ProcessState()
        self._send((READY, os.getpid()))
        threading.Thread(target=self._watch, name="liteq-watch", daemon=True).start()
        backlog, scoreboard, slot = self._backlog, self._scoreboard, self._slot
        flushed = restored = time.monotonic()
        while True:  # CPython 3.11 does not optimize a loop with a condition: 0.5 us a task
            while not backlog:
                self._receive()
            item = backlog.popleft()
            if item is None:
                break
            ticket, delivery = item[0], from_item(item[1])
            if scoreboard.start(slot, ticket, delivery.token):
                outcome = self._run(run, delivery)
                self._outcomes.append(pack_outcome(ticket, outcome))
                if self._at_limit():
                    break
            else:
                self._send((RETURNED, [ticket]))
            now = time.monotonic()
            idle = not backlog
            if idle or now - flushed > _FLUSH_EVERY or self._look_every > _LOOK_EVERY:
                self._flush()
                flushed = now
            if idle or now - restored > _RESTORE_EVERY:
                if not state.restore():
                    break
                restored = now
        self._flush()

    def _run(self, run: Run, delivery: Delivery) -> Outcome:
        """Run a delivery, and leave the stream to the second thread meanwhile."""
        self._turn.release()
        # In this order, see `_sleep`.
        if not self._watched.is_set():
            self._watched.set()
        outcome = run(delivery)
        self._turn.acquire()
        return outcome

    def _at_limit(self) -> bool:
        """Count a task that was run; return whether this child is to be replaced now."""
        self._tasks_left -= 1
        limit = self._limits.memory
        return self._tasks_left == 0 or (limit is not None and resident_kib() > limit)

    def _flush(self) -> None:
        with self._sending:
            # The main thread may append one meanwhile, so the list must not be replaced.
            outcomes = self._outcomes[:]
            if self.outputs.open and (updates := self.outputs.take()):  # before their outcomes
                self._send((OUTPUT, list(map(pack_output, updates))))
            if outcomes:
                del self._outcomes[: len(outcomes)]
                self._send((OUTCOMES, outcomes))

    def _send(self, value: Any) -> None:
        with self._sending:
            self._unsent.append(pack(value))
            if self._is_sending:
                return  # this very thread is, and an object that is finalized meanwhile logs a line
            self._is_sending = True
            try:
                while self._unsent:
                    self._stream.sendall(self._unsent.popleft())
            finally:
                self._is_sending = False

    def _receive(self) -> None:
        """Receive what is there; wait if nothing is. Exits when the supervisor is gone."""
        try:
            data = self._stream.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            # The outcome of a task that runs cannot be used any more.
            os._exit(1)
        for kind, value in self._reader.feed(data):
            self._handle(kind, value)

    def _watch(self) -> None:
        """Look at the stream while tasks run: often at first, seldom in a long one.

        Where a task waits for an answer, wait for it.
        """
        idle, started = 0, 0
        while True:
            self._watched.wait()
            self._asked.wait(self._look_every)
            if self._turn.acquire(blocking=False):
                self._look()
                self._turn.release()
                idle = 0
                ticket = self._scoreboard.read(self._slot).ticket
                longer = min(2 * self._look_every, _LOOK_SELDOM)
                self._look_every = longer if ticket == started else _LOOK_EVERY
                started = ticket
            elif (idle := idle + 1) >= _IDLE_LOOKS:
                self._sleep()

    def _look(self) -> None:
        """Send the outcomes that wait, receive what is there, and an answer that is to come."""
        try:
            self._flush()
            while self._selector.select(_LOOK_SELDOM if self._asked.is_set() else 0):
                self._receive()
        except OSError:
            os._exit(1)  # the supervisor is gone

    def _sleep(self) -> None:
        """Look no more until a task runs.

        Before one the main thread gives its turn away, then looks at the event; here it is the
        other way round. So one of the two sees what the other has done.
        """
        self._watched.clear()
        if self._turn.acquire(blocking=False):
            self._turn.release()
            self._watched.set()

    def _handle(self, kind: int, value: Any) -> None:
        if kind == RUN:
            self._backlog.extend(value)
        elif kind == ANSWER:
            self._asked.clear()  # before the task goes on, and may ask again
            self._answers.put(value)
        elif kind == DRAIN:
            self._flush()
            unstarted = [item[0] for item in self._backlog if item is not None]
            self._backlog.clear()
            self._send((RETURNED, unstarted))
            self._backlog.append(None)


def run_child(stream: socket.socket, scoreboard: Scoreboard, setup: Setup, slot: int) -> None:
    """Run the child of `slot` in this process, from its setup to its end."""
    _ignore_signals()
    enter_slot(slot, whole_process=True)
    child = Child(stream, scoreboard, slot, Limits(*setup["limits"]))
    try:
        run: Run = load(setup["make"])(
            setup["spec"], child.send_state, child.keep_step, child.outputs
        )
        if setup["log_levels"] is not None:
            from .records import send_records  # a worker that is a program of its own has no use

            send_records(child.send_record, setup["log_levels"])
    except BaseException:  # noqa: BLE001 - importing user code can raise anything
        child.send_start_failure(traceback.format_exc())
        return
    try:
        child.serve(run)
    except (BrokenPipeError, ConnectionError):
        os._exit(1)  # the supervisor exited first
    finally:
        close_loop()
        sys.stdout.flush()
        sys.stderr.flush()


def main(stream: socket.socket, setup: Setup) -> None:
    """Run a child that is a fresh interpreter."""
    stream.setblocking(True)
    try:
        scoreboard = open_scoreboard(setup["scoreboard"])
    except FileNotFoundError:
        return  # the pool was closed before this child could start
    run_child(stream, scoreboard, setup, setup["slot"])


def _ignore_signals() -> None:
    """Ignore signals to the whole group: the supervisor decides what becomes of a task.

    By handlers that do nothing, not SIG_IGN, which programs started by tasks would inherit.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"):
        handle(name, _ignore)


def _ignore(number: int, frame: object) -> None:
    pass
