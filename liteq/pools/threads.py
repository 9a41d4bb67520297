"""The threads pool: each slot is a thread of this process, for tasks that mostly wait."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from selectors import EVENT_READ, BaseSelector

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..support.coroutines import close_loop
from ..support.slots import enter_slot
from ..support.wakeup import Wakeup
from .base import STOPPED, Death, PoolEvents, Run, RunnerSpec, Running, Slot, StateUpdate
from .output import Outputs
from .resizing import Resizable
from .scoreboard import OwnScoreboard

Queue = SimpleQueue[tuple[int, Delivery] | None]
"""What a thread is to run; None: it is to end."""


class ThreadPool(Resizable):
    """A pool that runs deliveries in threads."""

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        self._wakeup = Wakeup()
        self._scoreboard = OwnScoreboard(self.room)
        self.scoreboard: str | None = self._scoreboard.name
        self._queues: dict[int, Queue] = {}  # by the number of the slot
        # Appending to a deque is atomic, so the threads need no lock between them.
        self._outcomes: deque[tuple[Slot, int, Outcome]] = deque()
        self._updates: deque[StateUpdate] = deque()
        self._outputs = Outputs()
        self._events = PoolEvents()
        self._selector: BaseSelector | None = None
        self._tickets = 0

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        selector.register(self._wakeup, EVENT_READ, self._wakeup.clear)
        self._run = self.spec.make_here(self._send_state, self._outputs)
        for slot in self.slots:
            self._open(slot)

    def _open(self, slot: Slot) -> None:
        queue = self._queues[slot.number] = SimpleQueue()
        slot.up = True
        # A daemon: a task that never ends must not keep the host program from exiting.
        name, args = f"liteq-{slot.number}", (slot, queue, self._run)
        threading.Thread(target=self._work, args=args, name=name, daemon=True).start()

    def _retire(self, slot: Slot) -> None:
        self._queues[slot.number].put(None)
        self._wakeup.set()

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._tickets += 1
            slot.holding[self._tickets] = delivery
            sent = delivery if self.outgoing is None else self.outgoing(delivery)
            self._queues[slot.number].put((self._tickets, sent))

    def recall(self, slot: Slot) -> None:
        # The thread takes from the same queue: it runs the deliveries that it takes first.
        with suppress(Empty):
            while (item := self._queues[slot.number].get_nowait()) is not None:
                self._events.returned.append(slot.holding.pop(item[0]))
            self._queues[slot.number].put(None)

    def running(self, slot: Slot) -> Running | None:
        started = self._scoreboard.read(slot.number)
        delivery = slot.holding.get(started.ticket)
        return delivery and Running(delivery, time.monotonic() - started.since)

    def collect(self) -> PoolEvents:
        events, self._events = self._events, PoolEvents()
        while self._outcomes:
            slot, ticket, outcome = self._outcomes.popleft()
            delivery = slot.holding.pop(ticket, None)
            if delivery is not None:  # None: it was abandoned by `close`
                events.finished.append((delivery, outcome, slot.number))
        for slot in [each for each in self.slots if each.leaving and not each.holding]:
            self._drop(slot)
            del self._queues[slot.number]
        while self._updates:
            events.updates.append(self._updates.popleft())
        if self._outputs.open:
            events.outputs += self._outputs.take()  # after the outcomes: they come with their end
        return events

    def tend(self) -> float | None:
        return 0.0 if self._events else None  # what was recalled wakes no selector

    def close(self) -> None:
        for slot in self.slots:
            self.recall(slot)  # these go back to the store, so no thread may run them any more
            self._queues[slot.number].put(None)
        self._abandon_running()
        self._scoreboard.remove()
        if self._selector is not None:
            self._selector.unregister(self._wakeup)
        self._wakeup.close()

    def _abandon_running(self) -> None:
        """Report running tasks as deaths: threads cannot be killed, so their outcomes are lost."""
        events = self._events = self.collect()
        events.outputs += self._outputs.take(at_once=True)
        for slot in self.slots:
            running = self.running(slot)
            if slot.holding:
                delivery, ran = running or (None, 0.0)
                waiting = [each for each in slot.holding.values() if each is not delivery]
                events.deaths.append(
                    Death(delivery, waiting, Kind.REQUEUED, STOPPED, ran, slot.number)
                )
                slot.holding.clear()

    def _work(self, slot: Slot, queue: Queue, run: Run) -> None:
        enter_slot(slot.number, whole_process=False)
        try:
            self._serve(slot, queue, run)
        finally:
            close_loop()

    def _serve(self, slot: Slot, queue: Queue, run: Run) -> None:
        while (item := queue.get()) is not None:
            ticket, delivery = item
            try:
                self._scoreboard.write(slot.number, ticket, delivery.token)
            except ValueError:
                return  # the pool was closed just now, and `delivery` goes back to the store
            self._outcomes.append((slot, ticket, run(delivery)))
            self._wakeup.set()

    def _send_state(self, id: str, state: str, meta: bytes, serializer: str) -> None:
        self._updates.append(StateUpdate(id, state, meta, serializer))
        self._wakeup.set()
