"""How long tasks take, and how many of them a slot may be handed at once.

A slot gets more than one delivery only when they are known to be short. What is new, what has
cost a process before, and what may run only once travels alone.
"""

from collections.abc import Sequence
from math import ceil

from ..message import Delivery
from ..pools import Slot

BUDGET = 0.010  # seconds of work that a slot may hold
MOST = 256  # deliveries that a slot may hold
_WEIGHT = 0.1  # of the newest run in the mean
_OVERHEAD = 10e-6  # seconds that even a task that does nothing takes


class Pace:
    """Running means by task name, and the slots' room that follows from them."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}
        self._typical = BUDGET  # of all tasks together: until something is known, one at a time

    def note(self, name: str, seconds: float) -> None:
        """A run of `name` took that long."""
        seconds += _OVERHEAD
        mean = self._means.get(name)
        # A longer run counts at once, a shorter one little by little: a batch that turns out
        # long keeps others waiting, one that turns out short costs only a frame.
        if mean is None or seconds > 4 * mean:
            self._means[name] = seconds
        else:
            self._means[name] = mean + _WEIGHT * (seconds - mean)
        self._typical += _WEIGHT * (self._means[name] - self._typical)

    def room(self, slots: Sequence[Slot]) -> int:
        """How many deliveries can be handed out now, if they are like the ones before."""
        return sum(self._room(slot) for slot in slots)

    def share(
        self, deliveries: Sequence[Delivery], slots: Sequence[Slot]
    ) -> tuple[list[tuple[Slot, list[Delivery]]], list[Delivery]]:
        """Who gets what, in order, and what nobody can take now."""
        open_slots = [slot for slot in slots if slot.up and not slot.recalled]
        plans = [_Plan(slot, self._held(slot)) for slot in sorted(open_slots, key=_load)]
        fair = ceil(len(deliveries) / len(plans)) if plans else 0
        left = []
        for delivery in deliveries:
            mean = self._mean(delivery)
            plan = next((plan for plan in plans if plan.takes(mean, fair)), None)
            plan = plan or next((plan for plan in plans if plan.takes(mean, MOST)), None)
            if plan is None:
                left.append(delivery)
            else:
                plan.take(delivery, mean)
        return [(plan.slot, plan.deliveries) for plan in plans if plan.deliveries], left

    def _mean(self, delivery: Delivery) -> float:
        message = delivery.message
        if delivery.lost or not message.acks_late:
            return BUDGET
        return self._means.get(message.task, BUDGET)

    def _held(self, slot: Slot) -> float:
        """Seconds of work that `slot` has, as far as the one it is in tells."""
        if not slot.holding:
            return 0.0
        return len(slot.holding) * self._mean(next(iter(slot.holding.values())))

    def _room(self, slot: Slot) -> int:
        if not slot.up or slot.recalled or self._held(slot) >= BUDGET:
            return 0
        most = max(1, min(MOST, int(BUDGET / self._typical)))
        holding = len(slot.holding)
        # Refilling from half on keeps the slot busy while the next batch is on its way.
        return most - holding if holding <= most // 2 else 0


class _Plan:
    """What one slot is going to get."""

    def __init__(self, slot: Slot, held: float) -> None:
        self.slot = slot
        self.deliveries: list[Delivery] = []
        self._count = len(slot.holding)
        self._seconds = held

    def takes(self, mean: float, share: int) -> bool:
        """Whether a delivery that takes `mean` seconds fits in."""
        if not self._count:
            return True
        fits = self._seconds + mean <= BUDGET and self._count < MOST
        return fits and len(self.deliveries) < share

    def take(self, delivery: Delivery, mean: float) -> None:
        """Put it in."""
        self.deliveries.append(delivery)
        self._count += 1
        self._seconds += mean


def _load(slot: Slot) -> int:
    return len(slot.holding)
