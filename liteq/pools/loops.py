"""The asyncio pool: child processes with an event loop each, in which many coroutines run.

The slots of a process share its stream. When a process is replaced, for new code or because it has
reached a limit, another one starts at once, and each slot changes over to it as soon as it is
empty: what waits for hours in one slot keeps no other one from working.
"""

import time
from collections.abc import Collection, Sequence
from typing import Any

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from .base import STOPPED, Death, Kill, RunnerSpec, Running, Slot, Success
from .children import ChildrenPool, exit_reason, kill_group
from .childstate import ChildState
from .loopslots import LoopSlots
from .outcomes import unpack as unpack_outcomes
from .protocol import AT_LIMIT, BLOCKED, END, RUN, Item, Setup, to_item

_GRACE = 5.0  # seconds that a task which was told to end may take, before its process is killed
_MOST = 256  # deliveries that a process may hold
_FEW = 16  # slots of a process, among which these are divided; where there are more, each holds one
_KILLED_FOR = "its process was killed, as it could not be made to end another task"
_IN_THE_WAY = "it blocked the event loop of its process, in which another task had to be ended"

_new = tuple.__new__  # as in rows.py: half the time


class _LoopState(ChildState):
    """The state of a child with a loop."""

    def reset(self) -> None:
        super().reset()
        self.items: list[Item] = []  # to be sent
        self.at_limit = False  # it wants to be replaced
        self.blocked_by = 0  # the ticket of the task that blocks its loop; 0: none

    @property
    def takes(self) -> bool:
        """Return whether it can be given something now."""
        return self.ready and self.channel is not None


class _Ending:
    """A task that its child was told to end."""

    def __init__(self, child: _LoopState, kill: Kill) -> None:
        self.child = child
        self.kill = kill
        self.until = time.monotonic() + _GRACE


class AsyncioPool(ChildrenPool[_LoopState]):
    """A pool that runs coroutines in `spec.processes` event loops, other tasks in threads there."""

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(size, spec)
        self._children = {place: _LoopState(place) for place in range(spec.processes)}
        self._leaving: list[_LoopState] = []  # replaced already, with tasks that have not ended
        self._slots = LoopSlots[_LoopState](self.slots, self.room)
        self._endings: dict[int, _Ending] = {}  # by ticket
        self._recalled: dict[int, _LoopState] = {}  # by slot: who has not seen its recall yet

    # the port

    @property
    def most(self) -> int:
        each = -(-len(self.slots) // len(self._children))  # slots of a process
        return 1 if each > _FEW else _MOST // each

    @property
    def busy(self) -> bool:
        return self._slots.busy

    def takers(self) -> Collection[Slot]:
        return self._slots.free() if self.most == 1 else self.slots

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        child, outgoing = self._child_of(slot), self.outgoing
        for delivery in deliveries:
            ticket = self._slots.give(slot, delivery, child)
            sent = delivery if outgoing is None else outgoing(delivery)
            child.items.append(to_item(ticket, sent))

    def flush(self) -> None:
        for child in self._children.values():
            if child.items:
                items, child.items = child.items, []
                self._send(child, (RUN, items))

    def recall(self, slot: Slot) -> None:
        started = self._scoreboard.recall(slot.number, self._slots.last_ticket)
        waiting = [ticket for ticket in slot.holding if ticket > started]
        if waiting and (child := self._slots.owner(slot)) is not None:
            slot.recalled, self._recalled[slot.number] = True, child
        self._events.returned += map(slot.holding.pop, waiting)
        self._slots.note(slot)

    def kill(self, slot: Slot, kill: Kill) -> None:
        child, ticket = self._slots.owner(slot), self._scoreboard.read(slot.number).ticket
        if child is None or slot.ending or slot.holding.get(ticket) is not kill.delivery:
            return
        slot.ending = True
        self._endings[ticket] = _Ending(child, kill)
        self._send(child, (END, (ticket, kill.kind.value)))

    def terminate(self) -> None:
        for slot in self.slots:
            running = self.running(slot) if slot.holding else None
            if running is not None:
                self.kill(slot, Kill(running.delivery, Kind.REQUEUED, STOPPED))
        super().terminate()  # the programs that they have started

    def tend(self) -> float | None:
        self.flush()
        waits = (self._enforce_ends(), super().tend())
        return min((each for each in waits if each is not None), default=None)

    def _enforce_ends(self) -> float | None:
        """Kill the processes of tasks that do not end; return the seconds until the next is due."""
        now = time.monotonic()
        for ending in self._endings.values():
            if ending.until <= now and ending.child.kill is None:
                ending.child.kill = ending.kill
                kill_group(ending.child.pid)
        due = [each.until for each in self._endings.values() if each.child.kill is None]
        return max(min(due) - now, 0.0) if due else None

    # its children

    def _setup(self) -> Setup:
        setup = super()._setup()
        return {**setup, "make": self.spec.make_in_loop, "loop_slots": self.room}

    def _all(self) -> Sequence[_LoopState]:
        return [*self._children.values(), *self._leaving]

    def _child_of(self, slot: Slot) -> _LoopState:
        """Return the child that `slot` gets its next delivery from."""
        return self._children[slot.number % len(self._children)]  # neighbours are in different ones

    def _slots_in(self, place: int) -> Sequence[Slot]:
        processes = len(self._children)
        return [slot for slot in self.slots if slot.number % processes == place]

    def _slots_of(self, child: _LoopState) -> Sequence[Slot]:
        return self._slots.of(child)

    def _enter(self, child: _LoopState) -> None:
        if child is self._children[child.place]:
            for slot in self._slots_in(child.place):
                # Or it changes over as soon as it holds nothing.
                slot.up = not (slot.holding or slot.leaving)
                self._slots.note(slot)

    def _drain(self, child: _LoopState) -> None:
        """Replace `child` at once; what it has begun it may end."""
        if child.channel is None:
            return  # it is still to be started, or again
        self.flush()
        self._tell_to_drain(child)
        self._leaving.append(child)
        after = self._children[child.place] = _LoopState(child.place)
        after.failed_starts, after.crashes = child.failed_starts, child.crashes
        after.start_at = time.monotonic()
        for slot in self._slots_in(child.place):
            slot.up = False
            self._slots.note(slot)

    def _schedule_start(self, child: _LoopState) -> None:
        if child not in self._leaving:
            super()._schedule_start(child)
            return
        self._leaving.remove(child)
        after = self._children[child.place]
        if after.at_limit:
            self._drain(after)

    def _take_other(self, child: _LoopState, kind: int, value: Any) -> None:
        if kind == BLOCKED and type(value) is int:
            child.blocked_by = value
        elif kind == AT_LIMIT:
            child.at_limit = True
            # At most two at a time, however quickly limits are reached.
            others = any(each.place == child.place for each in self._leaving)
            if not others:
                self._drain(child)
        else:
            super()._take_other(child, kind, value)

    # slots that come and go

    def _open(self, slot: Slot) -> None:
        slot.up = self._child_of(slot).takes
        self._slots.add(slot)

    def _retire(self, slot: Slot) -> None:
        self._note(slot)

    def _note(self, slot: Slot) -> None:
        """Note what has become of `slot`; forget it if it leaves, and nothing is left in it."""
        self._slots.note(slot)
        if slot.leaving and not slot.holding and not slot.recalled:
            self._slots.remove(slot)
            self._drop(slot)

    # what becomes of deliveries

    def _end(self, child: _LoopState, outcomes: Any) -> None:
        successes, others = unpack_outcomes(outcomes)
        for ticket, result, serializer, runtime in successes:
            slot = self._slots.named(child, ticket)
            success = (slot.holding.pop(ticket), result, serializer, runtime, slot.number)
            self._events.succeeded.append(_new(Success, success))
            self._left(slot, ticket)
        for ticket, outcome in others:
            slot = self._slots.named(child, ticket)
            self._finish(slot, slot.holding.pop(ticket), self._left(slot, ticket), outcome)

    def _finish(
        self, slot: Slot, delivery: Delivery, ending: _Ending | None, outcome: Outcome
    ) -> None:
        if ending is None or outcome.kind is not ending.kill.kind:
            self._events.finished.append((delivery, outcome, slot.number))
            return
        _, kind, reason = ending.kill
        death = Death(delivery, [], kind, reason, outcome.runtime, slot.number)
        self._events.deaths.append(death)

    def _return(self, child: _LoopState, tickets: Any) -> None:
        # It has seen the recall, or is drained; most of it was taken back already.
        for ticket in tickets:
            slot = self._slots.of_ticket(ticket)
            if slot is None:
                continue  # it has left since
            if ticket in slot.holding:
                slot = self._slots.named(child, ticket)
                self._events.returned.append(slot.holding.pop(ticket))
            self._saw_recall(slot, child)
            self._left(slot, ticket)

    def _saw_recall(self, slot: Slot, child: _LoopState) -> None:
        if self._recalled.get(slot.number) is child:
            del self._recalled[slot.number]
            slot.recalled = False

    def _left(self, slot: Slot, ticket: int) -> _Ending | None:
        """Note that `slot` no longer holds a delivery; return how it was told to end, if it was."""
        if not slot.up and not slot.holding:  # its process is replaced: change over to the next one
            slot.up = self._child_of(slot).takes and not slot.leaving
        self._note(slot)
        if not slot.ending:
            return None
        ending = self._endings.pop(ticket, None)
        slot.ending = ending is None
        return ending

    def _record_deaths(self, child: _LoopState, code: int | None) -> None:
        slots = self._slots_of(child)
        for slot in self._slots_in(child.place):
            self._saw_recall(slot, child)
        begun = {slot.number: running for slot in slots if (running := self.running(slot))}
        for slot in slots:
            if slot.holding:
                death = self._death(child, slot, begun.get(slot.number), code, len(begun) > 1)
                self._events.deaths.append(death)
            slot.holding.clear()
            slot.ending = False
            self._scoreboard.clear(slot.number)
        self._endings = {
            ticket: each for ticket, each in self._endings.items() if each.child is not child
        }
        for slot in self._slots_in(child.place):
            if child is self._child_of(slot):
                slot.up = False
            elif slot in slots:
                slot.up = self._child_of(slot).takes and not slot.leaving
            self._note(slot)

    def _death(
        self,
        child: _LoopState,
        slot: Slot,
        running: Running | None,
        code: int | None,
        shared: bool,
    ) -> Death:
        """Return what becomes of what `slot` holds. `shared`: several tasks ran in `child`."""
        ticket = self._scoreboard.read(slot.number).ticket
        ending = self._endings.get(ticket)
        if self._terminating:
            kind, reason, shared = Kind.REQUEUED, STOPPED, False
        elif ending is not None:
            kind, reason, shared = ending.kill.kind, ending.kill.reason, False
        elif child.kill is None:
            kind, reason = Kind.LOST, exit_reason(code)
        elif ticket == child.blocked_by:
            kind, reason, shared = Kind.LOST, _IN_THE_WAY, False
        else:
            kind, reason, shared = Kind.REQUEUED, _KILLED_FOR, False
        delivery, ran = running or (None, 0.0)
        waiting = [each for each in slot.holding.values() if each is not delivery]
        return Death(delivery, waiting, kind, reason, ran, slot.number, shared)
