"""The threads pool: every slot is a thread of this process, for tasks that mostly wait."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from selectors import EVENT_READ, BaseSelector

from ..message import Delivery
from ..outcome import Outcome
from .alarm import Alarm
from .base import Happenings, Pool, Recipe, Run, Running, Slot, Told


class ThreadPool(Pool):
    """Runs deliveries in threads."""

    def __init__(self, size: int, recipe: Recipe) -> None:
        super().__init__(size, recipe)
        self._alarm = Alarm()
        self._orders: list[SimpleQueue[tuple[int, Delivery] | None]] = [
            SimpleQueue() for _ in self.slots
        ]
        self._started: dict[int, tuple[int, float]] = {}
        # Appending to a deque is atomic, so the threads need no lock between them.
        self._outcomes: deque[tuple[Slot, int, Outcome]] = deque()
        self._told: deque[Told] = deque()
        self._returned: list[Delivery] = []
        self._tickets = 0

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        selector.register(self._alarm, EVENT_READ, self._alarm.silence)
        run = self.recipe.here(self._tell)
        for slot in self.slots:
            slot.up = True
            # A daemon: a task that never ends must not keep the host program from ending.
            name = f"liteq-{slot.number}"
            threading.Thread(target=self._work, args=(slot, run), name=name, daemon=True).start()

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._tickets += 1
            slot.holding[self._tickets] = delivery
            self._orders[slot.number].put((self._tickets, delivery))

    def recall(self, slot: Slot) -> None:
        # The thread may be faster at each of them: then it runs it, and we do not get it.
        with suppress(Empty):
            while (order := self._orders[slot.number].get_nowait()) is not None:
                self._returned.append(slot.holding.pop(order[0]))
            self._orders[slot.number].put(None)

    def running(self, slot: Slot) -> Running | None:
        ticket, since = self._started.get(slot.number, (0, 0.0))
        delivery = slot.holding.get(ticket)
        return delivery and Running(delivery, time.monotonic() - since)

    def collect(self) -> Happenings:
        news = Happenings()
        news.returned, self._returned = self._returned, []
        while self._outcomes:
            slot, ticket, outcome = self._outcomes.popleft()
            news.finished.append((slot.holding.pop(ticket), outcome))
        while self._told:
            news.told.append(self._told.popleft())
        return news

    def close(self) -> None:
        for queue in self._orders:
            queue.put(None)
        self._selector.unregister(self._alarm)
        self._alarm.close()

    def _work(self, slot: Slot, run: Run) -> None:
        orders = self._orders[slot.number]
        while (order := orders.get()) is not None:
            ticket, delivery = order
            self._started[slot.number] = ticket, time.monotonic()
            self._outcomes.append((slot, ticket, run(delivery)))
            self._alarm.set()

    def _tell(self, id: str, state: str, meta: bytes, serializer: str) -> None:
        self._told.append(Told(id, state, meta, serializer))
        self._alarm.set()
