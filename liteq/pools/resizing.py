"""Pools whose slots come and go while they work."""

from abc import abstractmethod

from ..exceptions import LiteqError
from .base import Pool, RunnerSpec, Slot

MOST_SLOTS = 1024
"""Slots that such a pool may have, unless it began with more."""


class Resizable(Pool):
    """A pool that can be resized. It numbers its slots, and a number may be given again."""

    resizes = True

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        self.room: int = max(size, MOST_SLOTS)  # also of those that leave

    def resize(self, size: int) -> None:
        staying = [slot for slot in self.slots if not slot.leaving]
        taken = {slot.number for slot in self.slots}
        free = [number for number in range(self.room) if number not in taken]
        if not 1 <= size <= len(staying) + len(free):
            most = len(staying) + len(free)
            raise LiteqError(f"the pool can have 1 to {most} slots now, and not {size}")
        for number in free[: max(size - len(staying), 0)]:
            self.slots.append(Slot(number))
            self._open(self.slots[-1])
        # Those that are idle first, and of these the last, which are used least.
        staying.sort(key=lambda slot: (bool(slot.holding), -slot.number))
        for slot in staying[: max(len(staying) - size, 0)]:
            self.recall(slot)
            slot.leaving, slot.up = True, False
            self._retire(slot)

    @abstractmethod
    def _open(self, slot: Slot) -> None:
        """Begin to work in a new slot."""

    @abstractmethod
    def _retire(self, slot: Slot) -> None:
        """End the work in a slot once its task has ended, and call `_drop` then."""

    def _drop(self, slot: Slot) -> None:
        """Forget a slot in which nothing runs any more."""
        self.slots.remove(slot)
