"""Batch sizes: how many deliveries a slot is given at once, by how long tasks take.

A slot gets more than one delivery only when they are known to be short. A task that is new, that
has lost a process before, or that may run only once, is handed out alone.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from math import ceil

from ..model.message import Delivery
from ..pools import Slot
from .runs import Runs

BUDGET = 0.010  # seconds of work that a slot may hold
MOST = 256  # deliveries that a slot may hold
_WEIGHT = 0.1  # of the newest run in the mean
_OVERHEAD = 10e-6  # seconds that even a task that does nothing takes


class Batching:
    """Running means of run times by task name, and the room in the slots that follows.

    `most`: deliveries that a slot may hold.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = MOST if most is None else most
        self._means: dict[str, float] = {}
        self._typical = BUDGET  # mean of all tasks: until something is known, one at a time
        self.totals: dict[str, int] = {}  # runs that have ended, by task name

    def resized(self, most: int | None) -> None:
        """Give slots at most so many from now on."""
        self._most = MOST if most is None else most

    def note_all(self, runs: Iterable[Runs]) -> None:
        """Note runs that ended together."""
        for each in runs:
            count = len(each.seconds)
            self.note(each.task, sum(each.seconds) / count, count)
            self.totals[each.task] = self.totals.get(each.task, 0) + count

    def note(self, name: str, seconds: float, count: int = 1) -> None:
        """Note `count` runs of `name` that took `seconds` on average."""
        seconds += _OVERHEAD
        weight = 1 - (1 - _WEIGHT) ** count
        mean = self._means.get(name)
        # A single run that is much longer replaces the mean at once, a shorter one changes it
        # little by little: a batch that is too long keeps others waiting, one that is too short
        # only costs one more message to the child.
        if mean is None or (count == 1 and seconds > 4 * mean):
            self._means[name] = seconds
        else:
            self._means[name] = mean + weight * (seconds - mean)
        self._typical += weight * (self._means[name] - self._typical)

    def room(self, slots: Collection[Slot]) -> int:
        """Return how many deliveries can be handed out now, if they are like the ones before."""
        if self._most == 1:
            return min(len(slots), MOST)  # all are free, see `Pool.takers`
        return sum(self._room(slot) for slot in slots)

    def share(
        self, deliveries: Sequence[Delivery], slots: Collection[Slot]
    ) -> tuple[list[tuple[Slot, list[Delivery]]], list[Delivery]]:
        """Return what each slot gets, in order, and the deliveries that no slot can take now."""
        if self._most == 1:
            slots = list(islice(slots, len(deliveries)))  # more are not needed
        open_slots = [slot for slot in slots if slot.open]
        plans = [
            _Plan(slot, self._held(slot), self._most) for slot in sorted(open_slots, key=_load)
        ]
        if not plans or not deliveries:
            return [], list(deliveries)
        means = [self._mean(delivery) for delivery in deliveries]
        if max(means) < BUDGET:
            left = _share_short(deliveries, max(means), plans)
        else:
            left = _share_each(deliveries, means, plans)
        return [(plan.slot, plan.deliveries) for plan in plans if plan.deliveries], left

    def _mean(self, delivery: Delivery) -> float:
        if delivery.lost or not delivery.acks_late:
            return BUDGET
        return self._means.get(delivery.task, BUDGET)

    def _held(self, slot: Slot) -> float:
        """Return the seconds of work that `slot` has, estimated by the task that it runs."""
        if not slot.holding:
            return 0.0
        return len(slot.holding) * self._mean(next(iter(slot.holding.values())))

    def _room(self, slot: Slot) -> int:
        if not slot.open or self._held(slot) >= BUDGET:
            return 0
        most = max(1, min(self._most, int(BUDGET / self._typical)))
        holding = len(slot.holding)
        # Refilling from half on keeps the slot busy while the next batch is on its way.
        return most - holding if holding <= most // 2 else 0


class _Plan:
    """The batch that one slot is going to get."""

    def __init__(self, slot: Slot, held: float, most: int) -> None:
        self.slot = slot
        self.most = most
        self.deliveries: list[Delivery] = []
        self.count = len(slot.holding)
        self.seconds = held

    def takes(self, mean: float, share: int) -> bool:
        """Return whether a delivery that takes `mean` seconds fits in."""
        if not self.count:
            return True
        fits = self.seconds + mean <= BUDGET and self.count < self.most
        return fits and len(self.deliveries) < share

    def take(self, deliveries: Sequence[Delivery], mean: float) -> None:
        """Add deliveries that take `mean` seconds each."""
        self.deliveries += deliveries
        self.count += len(deliveries)
        self.seconds += mean * len(deliveries)


def _share_short(
    deliveries: Sequence[Delivery], mean: float, plans: Sequence[_Plan]
) -> list[Delivery]:
    """Give each slot a run of deliveries that are all short; return what is left.

    `plans`: the least loaded first. It gets the oldest deliveries; but the shares are worked out
    from the other end, so that what a busy slot has no room for goes to those that have.
    """
    rest = len(deliveries)
    shares = []
    for n, plan in reversed(list(enumerate(plans, 1))):
        fair = ceil(rest / n)
        room = min(plan.most - plan.count, int((BUDGET - plan.seconds) / mean), fair)
        shares.append(max(room, 0 if plan.count else min(fair, 1)))
        rest -= shares[-1]
    start = 0
    for plan, share in zip(plans, reversed(shares), strict=True):
        plan.take(deliveries[start : start + share], mean)
        start += share
    return list(deliveries[start:])


def _share_each(
    deliveries: Sequence[Delivery], means: Sequence[float], plans: Sequence[_Plan]
) -> list[Delivery]:
    """Assign deliveries one by one, because some are handed out alone; return what is left."""
    fair = ceil(len(deliveries) / len(plans))
    left = []
    for delivery, mean in zip(deliveries, means, strict=True):
        plan = next((plan for plan in plans if plan.takes(mean, fair)), None)
        plan = plan or next((plan for plan in plans if plan.takes(mean, MOST)), None)
        if plan is None:
            left.append(delivery)
        else:
            plan.take((delivery,), mean)
    return left


def _load(slot: Slot) -> int:
    return len(slot.holding)
