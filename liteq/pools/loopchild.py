"""A child of the asyncio pool: one event loop, in which the coroutines of many slots run.

The main thread runs the loop. Tasks that are no coroutines run in threads beside it.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from itertools import count
from logging import Logger, getLogger
from queue import SimpleQueue
from socket import socket
from typing import Any

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..model.step import Step
from ..support.coroutines import loop_of_thread
from ..support.driving import Driver
from ..support.interruption import Ended, Interruption
from ..support.printable import indented, one_line
from ..support.slots import enter_slot_of_coroutine
from .base import Limits, LoopRuns
from .loopstream import LoopStream, or_exit
from .loopwatch import Block, LoopWatch
from .memory import resident_kib
from .outcomes import pack as pack_outcome
from .process_state import ProcessState
from .protocol import (
    ANSWER,
    AT_LIMIT,
    BLOCKED,
    DRAIN,
    END,
    OUTCOMES,
    READY,
    RETURNED,
    RUN,
    STEP,
    Item,
    Teller,
    from_item,
    is_kept,
)
from .scoreboard import Scoreboard

logger: Logger = getLogger("liteq.worker")

_FLUSH_EVERY = 0.001  # seconds that an outcome may wait for others to be sent with it
_FLUSHED_BY_STREAM_AFTER = 0.050  # seconds after which the thread of the stream sends them
_RESTORE_EVERY = 0.020  # seconds between two checks of what tasks changed, of 30 us each
_ABANDONED_AFTER = 3.0  # seconds that a cancelled coroutine may take to end


class _Begun:
    """A delivery that was begun and has not ended."""

    def __init__(self, slot: int, ticket: int, delivery: Delivery) -> None:
        self.slot = slot
        self.ticket = ticket
        self.delivery = delivery
        self.driver: Driver | None = None  # of a coroutine
        self.interruption: Interruption | None = None  # of a task in a thread
        self.told: str | None = None  # to end, with an outcome of this kind
        self.outcome: Outcome | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def ended_as(self) -> str | None:
        """Return the kind of its outcome, if it was told to end in time."""
        if self.driver is not None:
            return self.driver.ended_as
        struck = self.interruption is not None and self.interruption.struck
        return self.told if struck else None


_here: ContextVar[_Begun | None] = ContextVar("liteq_begun", default=None)


class LoopChild(Teller):
    """One child. `slots`: how many the pool may have; a ticket tells the slot of its delivery."""

    def __init__(self, stream: socket, scoreboard: Scoreboard, slots: int, limits: Limits) -> None:
        self._stream = LoopStream(stream, self._take, self._look)
        self._scoreboard = scoreboard
        self._slots = slots
        self._limits = limits
        self._tasks_left = limits.tasks or -1  # negative: no limit
        self._begun: dict[int, _Begun] = {}  # by ticket
        self._waiting: dict[int, deque[Item]] = {}  # by slot, of those that are busy
        self._outcomes: list[tuple[Any, ...]] = []
        self._outcomes_lock = threading.Lock()
        self._flushes = self._draining = self._finished = self._at_limit = False
        self._flushed = self._restored = 0.0  # by the clock of the loop
        self._numbers = count(1)  # of requests
        self._answers: dict[int, Callable[[str], object]] = {}
        self._taken = self._handled = 0  # frames that the thread of the stream, and the loop, took
        self._threads = ThreadPoolExecutor(slots, "liteq-task")

    # what tasks ask for

    def _send(self, value: Any) -> None:
        self._stream.send(value)

    def means(self) -> tuple[Any, ...]:
        return self.send_state, self.keep_step, self.await_keep_step

    def keep_step(self, delivery: Delivery, step: Step) -> bool:
        """Have a step of a running task stored; return False if its claim was lost.

        Waits for the answer, also in the thread of the loop. Raises BrokerRefused if the store
        cannot hold it.
        """
        answers: SimpleQueue[str] = SimpleQueue()
        self._ask(delivery, step, answers.put)
        return is_kept(answers.get())

    async def await_keep_step(self, delivery: Delivery, step: Step) -> bool:
        """Do the same in a coroutine, while others go on."""
        future: asyncio.Future[str] = self._loop.create_future()

        def answered(answer: str) -> None:
            self._loop.call_soon_threadsafe(_answer, future, answer)

        self._ask(delivery, step, answered)
        return is_kept(await future)

    def _ask(self, delivery: Delivery, step: Step, answered: Callable[[str], object]) -> None:
        number = next(self._numbers)
        self._answers[number] = answered
        self._send((STEP, (number, *delivery.receipt, tuple(step))))

    # from the start to the end

    def serve(self, run: LoopRuns) -> None:
        self._runs = run
        self._loop = loop_of_thread()
        self._context = copy_context()
        self._state = ProcessState()
        self._watch = LoopWatch(self._loop, self._report_block)
        self._send((READY, os.getpid()))
        self._stream.start()
        while not self._finished:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as exc:
                # asyncio lets them through to the loop. The task that awaits it has it as well.
                logger.error(  # noqa: TRY400 - as one line: the task that awaits it shows the rest
                    "a coroutine that a task has started raised %r: the loop goes on", exc
                )
        self._threads.shutdown()
        self._send_outcomes()

    def close(self) -> None:
        self._stream.close()

    # in the thread of the stream

    def _take(self, frames: list[Any]) -> None:
        others = []
        for kind, value in frames:
            if kind == ANSWER:
                number, answer = value
                self._answers.pop(number)(answer)
            else:
                others.append((kind, value))
        if others:
            self._taken += len(others)
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._handle, others)

    def _look(self) -> float | None:
        """Look after the loop while it has something to do; return the seconds until next time."""
        if not self._begun and not self._outcomes and self._handled == self._taken:
            self._watch.rest()
            return None
        if self._loop.time() - self._flushed > _FLUSHED_BY_STREAM_AFTER:
            self._send_outcomes()  # the loop is blocked
        return self._watch.look()

    def _report_block(self, block: Block | None) -> None:
        """Tell the supervisor, and the log, that the loop is blocked; None: that it goes on."""
        if block is None:
            self._send((BLOCKED, 0))
            return
        begun = None if block.context is None else block.context.get(_here)
        if begun is not None:
            self._send((BLOCKED, begun.ticket))
        # Not in this thread: the loop may be blocked in the log itself.
        log = threading.Thread(target=_log_block, args=(begun, block.stack), daemon=True)
        log.start()

    # in the thread of the loop

    @or_exit
    def _handle(self, frames: list[tuple[int, Any]]) -> None:
        for kind, value in frames:
            if kind == RUN:
                for item in value:
                    self._accept(item)
            elif kind == END:
                self._end(*value)
            elif kind == DRAIN:
                self._drain()
        self._handled += len(frames)

    def _accept(self, item: Item) -> None:
        """Begin a delivery; or let it wait, as its slot is busy."""
        slot = item[0] % self._slots
        waiting = self._waiting.get(slot)
        if waiting is not None:
            waiting.append(item)
        elif self._begin(slot, item):
            self._waiting[slot] = deque()

    def _begin(self, slot: int, item: Item) -> bool:
        """Begin a delivery; return False if it was recalled."""
        ticket, delivery = item[0], from_item(item[1])
        if not self._scoreboard.start(slot, ticket, delivery.token):
            self._send((RETURNED, [ticket]))
            return False
        begun = self._begun[ticket] = _Begun(slot, ticket, delivery)
        if self._runs.is_async(delivery):
            begun.driver = Driver()
            work = self._run_in_loop(begun, begun.driver)
        else:
            begun.interruption = Interruption(Ended)
            work = self._run_in_thread(begun, begun.interruption)
        # Each has a context of its own, so what it sets is not seen by others.
        begun.task = self._loop.create_task(work, context=self._context.copy())
        begun.task.add_done_callback(partial(self._ended, begun))
        return True

    async def _run_in_loop(self, begun: _Begun, driver: Driver) -> None:
        _here.set(begun)
        enter_slot_of_coroutine(begun.slot)
        begun.outcome = await self._runs.in_loop(begun.delivery, driver)

    async def _run_in_thread(self, begun: _Begun, interruption: Interruption) -> None:
        _here.set(begun)
        enter_slot_of_coroutine(begun.slot)
        run = partial(copy_context().run, self._runs.in_thread, begun.delivery, interruption)
        begun.outcome = await self._loop.run_in_executor(self._threads, run)

    @or_exit
    def _ended(self, begun: _Begun, task: "asyncio.Task[None]") -> None:
        del self._begun[begun.ticket]
        outcome, kind = begun.outcome or _failed(task), begun.ended_as
        if kind is not None and not outcome.settled:
            outcome = Outcome(Kind(kind), runtime=outcome.runtime)
        with self._outcomes_lock:
            self._outcomes.append(pack_outcome(begun.ticket, outcome))
        self._begin_next(begun.slot)
        self._count()
        if not self._flushes:
            self._flushes = True
            wait = self._flushed + _FLUSH_EVERY - self._loop.time()
            if wait > 0:
                self._loop.call_later(wait, self._flush)
            else:
                self._loop.call_soon(self._flush)

    def _begin_next(self, slot: int) -> None:
        waiting = self._waiting[slot]
        while waiting:
            if self._begin(slot, waiting.popleft()):
                return
        del self._waiting[slot]

    def _count(self) -> None:
        """Count a task that has ended; tell the supervisor if this child is to be replaced now."""
        self._tasks_left -= 1
        memory = self._limits.memory
        if self._tasks_left == 0 or (memory is not None and resident_kib() > memory):
            self._ask_to_be_replaced()

    def _ask_to_be_replaced(self) -> None:
        if not self._at_limit:
            self._at_limit = True
            self._send((AT_LIMIT, None))

    @or_exit
    def _flush(self) -> None:
        self._flushes = False
        self._flushed = self._loop.time()
        self._send_outcomes()
        if self._begun:
            return
        if self._draining:
            self._finished = True
            self._loop.stop()
        elif self._flushed - self._restored > _RESTORE_EVERY:
            # While others run, what one of them has changed cannot be changed back.
            self._restored = self._flushed
            if not self._state.restore():
                self._ask_to_be_replaced()

    def _send_outcomes(self) -> None:
        with self._outcomes_lock:
            outcomes, self._outcomes = self._outcomes, []
            if outcomes:
                self._send((OUTCOMES, outcomes))

    def _end(self, ticket: int, kind: str) -> None:
        """End one task: cancel its coroutine, or raise an exception in its thread."""
        begun = self._begun.get(ticket)
        if begun is None or begun.task is None or begun.task.done():
            return
        begun.told = kind
        if begun.interruption is not None:
            begun.interruption.strike()
        elif begun.driver is not None:
            begun.driver.end(kind)
            self._loop.call_later(_ABANDONED_AFTER, begun.driver.abandon)

    def _drain(self) -> None:
        self._send_outcomes()
        self._send((RETURNED, [item[0] for each in self._waiting.values() for item in each]))
        for waiting in self._waiting.values():
            waiting.clear()
        self._draining = True
        if not self._begun:
            self._flush()


def _answer(future: "asyncio.Future[str]", answer: str) -> None:
    if not future.done():  # the task was cancelled
        future.set_result(answer)


def _failed(task: "asyncio.Task[None]") -> Outcome:
    """Return the outcome of a run that has none: it was cancelled before it could begin."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return Outcome(Kind.FAILED, note=repr(error), traceback=repr(error))


def _log_block(begun: _Begun | None, stack: str) -> None:
    name = "code that no task has started"
    if begun is not None:
        name = one_line(f"task {begun.delivery.task}[{begun.delivery.id}]")
    logger.warning(
        "%s has blocked the event loop of its process for a second, so that nothing else runs "
        "there: it should await, or use asyncio.to_thread\n%s",
        name,
        indented(stack),
        extra={"liteq_slot": None if begun is None else begun.slot},
    )
