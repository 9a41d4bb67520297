"""The admission of tasks by their limits. See `redis/scripts/limits.lua` too.

It is for stores that allow several reads and writes within one transaction; Redis does the same in
Lua, where the data is. How much room a limit has is asked each time, of the tasks that have passed
it: nothing is counted down, so nothing can be counted twice. The decision 0034 has the reasons.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

MOST = 100
"""Tasks of one line that are looked at in one transaction."""
_FEW = 2  # as many are read at first: nearly always there is no room for more
PATIENCE = 60.0
"""Seconds after which a task that limits have denied by turns keeps the room that it is given."""
LOOK_AGAIN = 0.1
"""Seconds between two looks whether tasks that have passed a rate have started by now."""
_CLOSE = 1e-6  # seconds by which a moment may be missed: more than the digits of a time


class LimitRow(NamedTuple):
    """A limit, as a store keeps it. Times are epoch seconds."""

    running: int | None = None
    rate: float | None = None  # a second
    burst: int | None = None
    fixed: bool = False  # its numbers were set at run time
    free: float | None = None  # when `burst` tasks can start at once again, by the counted starts
    held: float | None = None  # none passes before


class Standing(NamedTuple):
    """A task that stands in a line."""

    task: int | str
    order: tuple[int, int]  # by which tasks stand in every line
    cost: int
    denied: float | None  # when it could first pass this limit or another one, and not all of them
    expires: float | None


class Other(NamedTuple):
    """Another limit of a task that stands in a line."""

    key: str
    cost: int
    stands: bool  # the task stands in the line of that one, too


class Lines(ABC):
    """The limits and their lines, as a store reads and changes them in one transaction.

    In a line stand tasks that wait for a limit: those of higher priority first, then in the order
    of sending. A task has passed when no limit lets it wait: then it is READY, or has started.
    """

    now: float

    @abstractmethod
    def row(self, key: str) -> LimitRow | None:
        """Return a limit; None if there is none of that key (any more)."""

    @abstractmethod
    def count_starts(self, key: str) -> list[tuple[float, int]]:
        """Return start and cost of the tasks that have started since this was asked, in order."""

    @abstractmethod
    def taken(self, key: str) -> int:
        """Return the costs of the tasks that have passed."""

    @abstractmethod
    def ahead(self, key: str) -> int:
        """Return the costs of those that have passed, and whose start is not counted."""

    @abstractmethod
    def line(self, key: str, limit: int) -> list[Standing]:
        """Return the first tasks of a line."""

    @abstractmethod
    def others(self, task: int | str, key: str) -> list[Other]:
        """Return the limits of a task besides `key`, by their keys."""

    @abstractmethod
    def let_pass(self, task: int | str, *, counted: bool) -> None:
        """Make a task READY. If it is not `counted`, it is no longer under any limit."""

    @abstractmethod
    def move(self, task: int | str, key: str) -> None:
        """Let a task stand in the line of `key`, and in no other: another limit has denied it."""

    @abstractmethod
    def stand_in_all(self, task: int | str) -> None:
        """Let a task stand in the lines of all its limits."""

    @abstractmethod
    def set_free(self, key: str, free: float | None) -> None:
        """Store when a limit is free."""

    @abstractmethod
    def set_look(self, key: str, look: float | None) -> None:
        """Store when a line is to be looked at by `admit`; None: when one of its tasks has ended.

        A limit that no task uses, and whose numbers were not set at run time, need not be kept once
        it is free and not held.
        """


class _Room:
    """The room that a limit has."""

    def __init__(self, row: LimitRow, taken: int, ahead: int, free: float | None, now: float):
        self.free = free
        self._row = row
        self._taken = taken
        self._ahead = ahead
        self._now = now

    def take(self, cost: int) -> None:
        """Note that a task of that cost has passed."""
        self._taken += cost
        self._ahead += cost

    def has_slots(self, cost: int, kept: int = 0) -> bool:
        """Return whether a task of that cost may run beside those that have passed.

        One that costs more than there is, since the limit was lowered, runs when no other does.
        """
        running = self._row.running
        return running is None or self._taken + kept + min(cost, running) <= running

    def earliest(self, cost: int, kept: int = 0) -> float:
        """Return when a task of that cost may start.

        Those that have passed and not started are taken for starting now: they may at any moment.
        """
        rate, burst = self._row.rate, self._row.burst
        if rate is None or burst is None:
            return self._now
        full = self._now if self.free is None else max(self.free, self._now)
        return full - (burst - self._ahead - kept - min(cost, burst)) / rate

    def takes(self, cost: int, kept: int = 0) -> bool:
        """Return whether a task of that cost may pass now, with some room `kept` for another."""
        if self._held_until is not None or not self.has_slots(cost, kept):
            return False
        return self.earliest(cost, kept) <= self._now + _CLOSE

    def next_look(self, cost: int) -> float | None:
        """Return when a task of that cost may pass; None: when another one has ended."""
        if self._held_until is not None:
            return self._held_until
        if not self.has_slots(cost):
            return None
        if self._ahead and (self.free is None or self.free <= self._now):
            # It moves on until one of these starts, of which nobody is told.
            return max(self.earliest(cost), self._now + LOOK_AGAIN)
        return self.earliest(cost)

    @property
    def _held_until(self) -> float | None:
        held = self._row.held
        return held if held is not None and held > self._now else None


def admit(lines: Lines, keys: Iterable[str]) -> None:
    """Let tasks pass for which the limits `keys`, and the others that these tasks have, have room.

    To be called for each limit of a task that begins to wait, or ends, or runs later; and when a
    line is to be looked at.
    """
    _Admission(lines).run(keys)


def count_starts(lines: Lines, key: str) -> None:
    """Count the starts of tasks that have passed a limit. To be called before one of them ends."""
    row = lines.row(key)
    if row is not None:
        _counted(lines, key, row)


def _counted(lines: Lines, key: str, row: LimitRow) -> float | None:
    """Return when a rate is free, by all starts; those since the last time are counted now."""
    free = row.free
    if row.rate is not None:
        for started, cost in lines.count_starts(key):
            free = (started if free is None else max(free, started)) + cost / row.rate
        if free != row.free:
            lines.set_free(key, free)
    return free


class _Admission:
    """One look at some lines."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._rooms: dict[str, _Room] = {}
        self._todo: set[str] = set()

    def run(self, keys: Iterable[str]) -> None:
        """Look at the lines of `keys`, and at those to which tasks move from there."""
        self._todo.update(keys)
        while self._todo:
            key = min(self._todo)  # as it may matter which one is first, it is the same everywhere
            self._todo.remove(key)
            look = self._go_along(key, self._room(key))
            self._lines.set_look(key, look)

    def _room(self, key: str) -> _Room:
        """Return the room of a limit; of one that is not there, any room."""
        if key not in self._rooms:
            lines = self._lines
            row = lines.row(key) or LimitRow()
            free = _counted(lines, key, row)
            ahead = 0 if row.rate is None else lines.ahead(key)
            taken = 0 if row.running is None else lines.taken(key)
            self._rooms[key] = _Room(row, taken, ahead, free, lines.now)
        return self._rooms[key]

    def _go_along(self, key: str, room: _Room) -> float | None:
        """Let those in a line pass who can; return when to look again, as `set_look` has it."""
        left = 0
        for most in (_FEW, MOST):
            kept, left = 0, 0  # room that its head keeps; how many have gone
            standing = self._lines.line(key, most)
            for each in standing:
                expired = each.expires is not None and each.expires <= self._lines.now
                if not expired and not room.takes(each.cost, kept):
                    # What is kept is free when that task has passed, and it is looked at then.
                    return None if room.takes(each.cost) else room.next_look(each.cost)
                if expired:
                    self._let_out(key, each)
                elif not self._passes_or_moves(key, room, each, is_head=not kept):
                    kept = kept or each.cost
                    continue
                left += 1
            if len(standing) < most:
                return None
        return self._lines.now if left else None

    def _let_out(self, key: str, standing: Standing) -> None:
        """Let a task pass that has expired: a worker ends it, and does not run it."""
        self._todo.update(other.key for other in self._lines.others(standing.task, key))
        self._lines.let_pass(standing.task, counted=False)

    def _passes_or_moves(self, key: str, room: _Room, standing: Standing, *, is_head: bool) -> bool:
        """Let a task pass for which there is room here, if its other limits have room as well.

        Else it goes to the line of one that has none. Return False if it stays here as well.
        """
        lines, task = self._lines, standing.task
        others = lines.others(task, key)
        full = next((other for other in others if not self._takes(other, standing)), None)
        if full is None:
            lines.let_pass(task, counted=True)
            room.take(standing.cost)
            for other in others:
                self._room(other.key).take(other.cost)
            self._todo.update(other.key for other in others if other.stands)
            return True
        if any(other.stands for other in others):
            return False
        if is_head and _is_impatient(standing.denied, lines.now):
            lines.stand_in_all(task)
            self._todo.update(other.key for other in others)
            return False
        lines.move(task, full.key)
        self._todo.add(full.key)
        return True

    def _takes(self, other: Other, task: Standing) -> bool:
        """Return whether another limit has room for a task, beside what its line's head keeps."""
        kept = 0
        for head in self._lines.line(other.key, 1):
            if head.order < task.order and _is_impatient(head.denied, self._lines.now):
                kept = head.cost
        return self._room(other.key).takes(other.cost, kept)


def _is_impatient(denied: float | None, now: float) -> bool:
    return denied is not None and denied + PATIENCE <= now
