"""A child of the process pool: runs what comes, tells what came of it.

The main thread runs tasks. A reader thread owns the backlog: it takes in deliveries while a task
runs, gives back what is not started when it is asked to, and sends off outcomes that wait behind
a task that turned out long.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from ..model.message import Delivery, Message, Receipt
from ..support.plugins import load
from .base import Limits, Run
from .frames import FrameReader, pack
from .memory import resident
from .scoreboard import Scoreboard
from .surroundings import Surroundings

# Supervisor to child
RUN, RECALL, LEAVE = 0, 1, 2
# Child to supervisor
UP, OUTCOMES, RETURNED, STATE, BROKEN = 0, 1, 2, 3, 4

_FLUSH_EVERY = 0.001  # seconds that an outcome may wait for others to travel with it
_TIDY_EVERY = 0.020  # seconds between two looks at what tasks left behind, 30 us each
_LOOK_EVERY = 0.005  # seconds between two looks at outcomes behind a long task

Wire = tuple[int, tuple[Any, ...], tuple[int | str, int], tuple[Any, ...]]


def wire(ticket: int, delivery: Delivery) -> Wire:
    """A delivery as it goes through the pipe."""
    message, (key, token), *rest, inputs = delivery
    if inputs is not None:
        inputs = _plain(inputs)
    return ticket, tuple(message), (key, token), (*rest, inputs)


def _plain(inputs: Any) -> Any:
    """`inputs` without the classes that the pipe does not know."""
    if isinstance(inputs, list):
        return [_plain(each) for each in inputs]
    return inputs if inputs is None else tuple(inputs)


class Child:
    """One child: its backlog, its runner, its end of the stream."""

    def __init__(
        self, stream: socket.socket, scoreboard: Scoreboard, line: int, limits: Limits
    ) -> None:
        self._stream = stream
        self._scoreboard = scoreboard
        self._line = line
        self._backlog: SimpleQueue[Wire | None] = SimpleQueue()  # None: leave
        self._outcomes: list[tuple[Any, ...]] = []
        self._sending = threading.Lock()
        self._pid = os.getpid()
        self._limits = limits
        self._leaving = False
        self._left = limits.tasks or -1  # tasks until this child is used up; negative: no limit

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> None:
        """Send what the running task tells of itself."""
        self._send((STATE, (id, state, meta, serializer)))

    def give_up(self, why: str) -> None:
        """Say why this child cannot work."""
        self._send((BROKEN, why))

    def serve(self, run: Run) -> None:
        """Run what comes until this child is used up; the supervisor's end closes before that,
        or the process is killed."""
        surroundings = Surroundings()
        self._send((UP, self._pid))
        threading.Thread(target=self._read, name="liteq-reader", daemon=True).start()
        backlog, scoreboard, line = self._backlog, self._scoreboard, self._line
        flushed = tidied = time.monotonic()
        while True:
            item = backlog.get()
            if item is None:
                break
            ticket, message, receipt, rest = item
            scoreboard.write(line, ticket, receipt[1])
            outcome = run(Delivery(Message._make(message), Receipt(*receipt), *rest))
            if os.getpid() != self._pid:
                os._exit(0)  # the task forked and its child came back through us
            self._outcomes.append((ticket, outcome.kind.value, *outcome[1:]))
            self._left -= 1
            if self._left == 0 or self._too_large():
                break
            now = time.monotonic()
            idle = backlog.empty()
            if idle or now - flushed > _FLUSH_EVERY:
                self._flush()
                flushed = now
            if idle or now - tidied > _TIDY_EVERY:
                if not surroundings.restore():
                    break
                tidied = now
        self._flush()

    def _too_large(self) -> bool:
        limit = self._limits.memory
        return limit is not None and resident() > limit

    def _flush(self) -> None:
        with self._sending:
            # The other thread may be about to add one, so the list stays the same list.
            outcomes = self._outcomes[:]
            if outcomes:
                del self._outcomes[: len(outcomes)]
                self._stream.sendall(pack((OUTCOMES, outcomes)))

    def _send(self, value: Any) -> None:
        with self._sending:
            self._stream.sendall(pack(value))

    def _read(self) -> None:
        reader = FrameReader()
        try:
            while True:
                if not self._readable():
                    self._flush()
                    continue
                data = self._stream.recv(1 << 18)
                if not data:
                    break
                for order, value in reader.feed(data):
                    self._obey(order, value)
        except OSError:
            pass
        # The supervisor is gone, and nobody would ever read what the running task comes to.
        os._exit(1)

    def _readable(self) -> bool:
        """Wait for orders, but not past outcomes that want to be sent."""
        waiting = self._outcomes or not self._backlog.empty()
        ready, _, _ = select.select([self._stream], [], [], _LOOK_EVERY if waiting else None)
        return bool(ready)

    def _obey(self, order: int, value: Any) -> None:
        if order == RUN:
            for item in value:
                self._backlog.put(item)
        else:
            self._flush()
            self._send((RETURNED, self._take_back()))
            self._leaving = self._leaving or order == LEAVE
            if self._leaving:
                self._backlog.put(None)

    def _take_back(self) -> list[int]:
        tickets = []
        with suppress(Empty):  # the main thread may be faster at each of them
            while True:
                item = self._backlog.get_nowait()
                if item is not None:
                    tickets.append(item[0])
        return tickets


def live(stream: socket.socket, scoreboard: Scoreboard, order: dict[str, Any], line: int) -> None:
    """What a child does from its first breath to its last."""
    _settle_signals()
    child = Child(stream, scoreboard, line, Limits(*order["limits"]))
    try:
        run: Run = load(order["make"])(order["spec"], child.report)
    except BaseException:  # noqa: BLE001 - importing user code can raise anything
        child.give_up(traceback.format_exc())
        return
    try:
        child.serve(run)
    except (BrokenPipeError, ConnectionError):
        os._exit(1)  # the supervisor went first
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def spawned(stream: socket.socket, order: dict[str, Any]) -> None:
    """Entry of a child that is a fresh interpreter."""
    stream.setblocking(True)
    try:
        scoreboard = Scoreboard(order["scoreboard"])
    except FileNotFoundError:
        return  # the pool was closed before this child could begin
    live(stream, scoreboard, order, order["line"])


def _settle_signals() -> None:
    """Signals to the whole group are for the supervisor: it decides what becomes of a task.

    Handlers that do nothing rather than SIG_IGN, which programs started by tasks would inherit.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, _let_pass)


def _let_pass(number: int, frame: object) -> None:
    pass
