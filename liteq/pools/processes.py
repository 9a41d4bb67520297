"""The process pool: each slot is a child process with a stream of its own."""

from collections.abc import Sequence
from typing import Any

from ..model.message import Delivery
from ..model.outcome import Kind
from .base import STOPPED, Death, Kill, RunnerSpec, Slot, Success
from .children import ChildrenPool, exit_reason, kill_group
from .childstate import ChildState
from .outcomes import unpack as unpack_outcomes
from .protocol import RUN, to_item

_new = tuple.__new__  # as in rows.py: half the time


class _SlotState(ChildState):
    """The state of the child in a slot."""

    def __init__(self, slot: Slot) -> None:
        super().__init__(slot.number)
        self.slot = slot


class ProcessPool(ChildrenPool[_SlotState]):
    """A pool that runs each delivery in a child process, which runs no other one meanwhile."""

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        self._children = {slot.number: _SlotState(slot) for slot in self.slots}

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        items, outgoing = [], self.outgoing
        for delivery in deliveries:
            self._tickets += 1
            slot.holding[self._tickets] = delivery
            sent = delivery if outgoing is None else outgoing(delivery)
            items.append(to_item(self._tickets, sent))
        self._send(self._children[slot.number], (RUN, items))

    def recall(self, slot: Slot) -> None:
        started = self._scoreboard.recall(slot.number, self._tickets)
        waiting = [ticket for ticket in slot.holding if ticket > started]
        self._events.returned += map(slot.holding.pop, waiting)
        slot.recalled = bool(waiting)

    def kill(self, slot: Slot, kill: Kill) -> None:
        child = self._children[slot.number]
        child.kill = kill
        kill_group(child.pid)

    # slots that come and go

    def _open(self, slot: Slot) -> None:
        child = self._children[slot.number] = _SlotState(slot)
        child.start_at = 0.0  # `tend` starts it

    def _retire(self, slot: Slot) -> None:
        child = self._children[slot.number]
        if child.start_at is None:
            self._drain(child)
        else:
            self._forget(child)  # it has no process

    def _forget(self, child: _SlotState) -> None:
        if self._children.pop(child.place, None) is not None:
            self._drop(child.slot)

    def _schedule_start(self, child: _SlotState) -> None:
        if child.slot.leaving:
            self._forget(child)
        else:
            super()._schedule_start(child)

    # its children

    def _slots_of(self, child: _SlotState) -> Sequence[Slot]:
        return (child.slot,)

    def _enter(self, child: _SlotState) -> None:
        child.slot.up = not child.draining

    def _drain(self, child: _SlotState) -> None:
        child.slot.up = False
        self._tell_to_drain(child)

    def _end(self, child: _SlotState, outcomes: Any) -> None:
        slot = child.slot
        pop, number = slot.holding.pop, slot.number
        successes, others = unpack_outcomes(outcomes)
        # One by one: what stands before a ticket that is unknown has ended all the same.
        add = self._events.succeeded.append
        for ticket, result, serializer, runtime in successes:
            add(_new(Success, (pop(ticket), result, serializer, runtime, number)))
        for ticket, outcome in others:
            self._events.finished.append((pop(ticket), outcome, number))

    def _return(self, child: _SlotState, tickets: Any) -> None:
        # The child runs, and has seen the recall; most of it was taken back already.
        slot = child.slot
        slot.recalled = False
        still = [ticket for ticket in tickets if ticket in slot.holding]
        self._events.returned += map(slot.holding.pop, still)

    def _record_deaths(self, child: _SlotState, code: int | None) -> None:
        slot = child.slot
        slot.up = slot.recalled = False
        if not slot.holding:
            return
        running = self.running(slot)
        delivery, ran = running or (None, 0.0)
        kind, reason = Kind.LOST, exit_reason(code)
        if self._terminating:
            kind, reason = Kind.REQUEUED, STOPPED
        elif child.kill is not None:
            kind, reason = child.kill.kind, child.kill.reason
            if delivery is not child.kill.delivery:
                delivery = None  # it had started the next one, which must not be charged
        waiting = [each for each in slot.holding.values() if each is not delivery]
        self._events.deaths.append(Death(delivery, waiting, kind, reason, ran, slot.number))
        slot.holding.clear()
