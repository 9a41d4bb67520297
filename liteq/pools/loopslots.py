"""The slots of an asyncio pool: which process has what they hold, and which of them are free."""

from collections.abc import Collection, Iterable
from typing import Any, Generic, TypeVar

from ..exceptions import InvalidTaskError
from ..model.checks import shown
from ..model.message import Delivery
from .base import Slot

O = TypeVar("O")  # noqa: E741 - the owner of what a slot holds: its process


class LoopSlots(Generic[O]):
    """The slots of a pool, of which there may be thousands: nothing here looks at all of them.

    A ticket tells its slot: the number of that is the remainder by `room`, how many there may be.
    """

    def __init__(self, slots: Iterable[Slot], room: int) -> None:
        self._slots = {slot.number: slot for slot in slots}
        self._room = room
        self._tickets = 0
        self._free: dict[int, Slot] = {}  # those that can take something and hold nothing
        self._owners: dict[int, O] = {}  # of those that hold something

    @property
    def busy(self) -> bool:
        """Return whether any slot holds something."""
        return bool(self._owners)

    def free(self) -> Collection[Slot]:
        """Return the slots that can take something and hold nothing, the longest free first."""
        return self._free.values()

    def owner(self, slot: Slot) -> O | None:
        """Return the process that was given what `slot` holds."""
        return self._owners.get(slot.number)

    def of(self, owner: O) -> list[Slot]:
        """Return the slots that hold something which was given to this process."""
        found = [number for number, each in self._owners.items() if each is owner]
        return [self._slots[number] for number in found]

    @property
    def last_ticket(self) -> int:
        """Return a number that no ticket so far exceeds, and each one from now on does."""
        return (self._tickets + 1) * self._room - 1

    def give(self, slot: Slot, delivery: Delivery, owner: O) -> int:
        """Put `delivery` into `slot`, for this process; return its ticket."""
        self._tickets += 1
        ticket = self._tickets * self._room + slot.number
        slot.holding[ticket] = delivery
        self._owners[slot.number] = owner
        self._free.pop(slot.number, None)
        return ticket

    def add(self, slot: Slot) -> None:
        """Take in a new slot."""
        self._slots[slot.number] = slot
        self.note(slot)

    def remove(self, slot: Slot) -> None:
        """Forget a slot that holds nothing."""
        del self._slots[slot.number]
        self._free.pop(slot.number, None)

    def of_ticket(self, ticket: Any) -> Slot | None:
        """Return the slot of a ticket, whoever has that; None if it has left. Raises TypeError."""
        return self._slots.get(ticket % self._room)

    def named(self, owner: O, ticket: Any) -> Slot:
        """Return the slot of a ticket that a process names. Raises one of UNREADABLE."""
        slot = self.of_ticket(ticket)
        if slot is None or self._owners.get(slot.number) is not owner:
            raise InvalidTaskError(f"the ticket {shown(ticket)} of another process")
        return slot

    def note(self, slot: Slot) -> None:
        """Note what has become of `slot`: it is up or not, recalled, or holds less than before."""
        if slot.holding:
            return
        self._owners.pop(slot.number, None)
        if slot.open:
            self._free.setdefault(slot.number, slot)
        else:
            self._free.pop(slot.number, None)

    def note_all(self, slots: Iterable[Slot]) -> None:
        """Note what has become of each of `slots`."""
        for slot in slots:
            self.note(slot)
