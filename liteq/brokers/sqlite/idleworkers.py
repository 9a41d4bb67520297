"""Which workers are idle, in memory that all processes share: who is woken for a task.

A worker has a slot; each queue that is served has a row, with a byte for each slot: 1 where the
worker of that slot serves the queue and has room. The first row is that of workers which have not
claimed yet, so that their queues are not known; the last one is shared by the queues for which no
row is left.

A worker marks itself in the transaction of its claim, after it: a task that was stored before is
claimed by it, and whoever stores one later sees the mark. Whoever picks a worker takes its mark
away, so that the next one picks another; the worker marks itself again by its next claim.
"""

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from zlib import crc32

from ...support.randomness import sample
from .sharedstate import IDLE, QUEUE_ROWS, QUEUES, WORKER_SLOTS, WORKERS, SharedState

_FIRST_WORKER, _FIRST_QUEUE = WORKERS // 8, QUEUES // 8  # cells
_ANY_QUEUE, _OTHER_QUEUES = 0, QUEUE_ROWS - 1  # rows


class IdleWorkers:
    """The table, as one thread uses it. Keys are those of listeners, see sockets.py."""

    def __init__(self, state: SharedState) -> None:
        self._map, self._cells = state.map, state.cells
        self._names = b""  # of the rows; while they are the same, so is what follows
        self._rows: dict[str, int] = {}  # by queue
        self._rows_of: dict[tuple[str, ...], list[int]] = {}  # by all queues of a worker

    def enter(self, key: int) -> int | None:
        """Return a slot for the listener `key`, marked as idle; None if all are taken.

        To be called in a transaction.
        """
        for slot in range(WORKER_SLOTS):
            if not self._cells[_FIRST_WORKER + slot]:
                self._clear(slot)
                self._cells[_FIRST_WORKER + slot] = key
                self._map[_byte(_ANY_QUEUE, slot)] = 1
                return slot
        return None

    def leave(self, slot: int, key: int) -> None:
        """Give the slot back."""
        if self._cells[_FIRST_WORKER + slot] == key:
            self._clear(slot)
            self._cells[_FIRST_WORKER + slot] = 0

    def holds(self, slot: int | None, key: int) -> bool:
        """Return whether the listener `key` has that slot."""
        return slot is not None and self._cells[_FIRST_WORKER + slot] == key

    def leave_all_but(self, keys: Collection[int]) -> None:
        """Give back the slots of all listeners but `keys`. To be called in a transaction."""
        for slot, key in enumerate(self._slots()):
            if key and key not in keys:
                self.leave(slot, key)
        for at in self._strays():
            self._map[at] = 0

    def is_left_to(self, keys: AbstractSet[int]) -> bool:
        """Return whether only the listeners `keys` have slots and marks."""
        return self.keys() <= keys and not any(self._strays())

    def keys(self) -> set[int]:
        """Return the keys of the listeners that have a slot."""
        return {key for key in self._slots() if key}

    def mark(self, slot: int, queues: tuple[str, ...], *, idle: bool) -> None:
        """Note whether a worker has room for more of `queues`; none: its queues are not known.

        That it has no more room is to be noted in a transaction.
        """
        self._map[_byte(_ANY_QUEUE, slot)] = idle and not queues
        for row in self._own_rows(queues):
            self._map[_byte(row, slot)] = idle

    def mark_full(self, slot: int) -> None:
        """Note that a worker has no room for any queue."""
        self._clear(slot)

    def pick(self, queue: str, count: int) -> list[int]:
        """Return the keys of up to `count` idle workers of a queue, and take their marks away."""
        found: list[int] = []
        find = self._map.find
        for row in (self._row(queue), _ANY_QUEUE):
            # Who is in the row of several queues may serve another one: all of them are woken.
            most = WORKER_SLOTS if row == _OTHER_QUEUES else count
            first = start = _byte(row, 0)
            end = start + WORKER_SLOTS
            while len(found) < most and (start := find(b"\1", start, end)) >= 0:
                self._map[start] = 0
                if key := self._cells[_FIRST_WORKER + start - first]:
                    found.append(key)
        return found

    def pick_at_random(self, queue: str, count: int) -> list[int]:
        """Do as `pick`, but at random: what one worker cannot run, another one gets soon.

        `pick` takes the first, so that those who are busy anyway stay busy, and others rest.
        """
        rows = (self._row(queue), _ANY_QUEUE)
        marked = [at for row in rows for at in self._marked(row)]
        chosen = marked if rows[0] == _OTHER_QUEUES else sample(marked, min(count, len(marked)))
        for at in chosen:
            self._map[at] = 0
        keys = (self._cells[_FIRST_WORKER + (at - IDLE) % WORKER_SLOTS] for at in chosen)
        return [key for key in keys if key]

    def _marked(self, row: int) -> Iterator[int]:
        """Iterate over the bytes of a row that are marked."""
        at = _byte(row, 0) - 1
        end = at + 1 + WORKER_SLOTS
        while (at := self._map.find(b"\1", at + 1, end)) >= 0:
            yield at

    def _strays(self) -> Iterator[int]:
        """Iterate over the bytes that are marked, and of no worker's slot."""
        slots = self._slots()
        for row in range(QUEUE_ROWS):
            for at in self._marked(row):
                if not slots[(at - IDLE) % WORKER_SLOTS]:
                    yield at

    def any(self, queues: Iterable[str]) -> bool:
        """Return whether a worker of one of `queues` is idle, or has not claimed yet."""
        return any(map(self._has_idle, {_ANY_QUEUE, *map(self._row, queues)}))

    def _has_idle(self, row: int) -> bool:
        start = _byte(row, 0)
        return self._map.find(b"\1", start, start + WORKER_SLOTS) >= 0

    def _row(self, queue: str) -> int:
        """Return the row of a queue."""
        names = self._map[QUEUES:IDLE]
        if names != self._names:  # a row was given to another queue
            self._names, self._rows, self._rows_of = names, {}, {}
        row = self._rows.get(queue)
        if row is None:
            at = names.find(_name(queue))
            row = self._rows[queue] = at // 8 if at > 0 and not at % 8 else _OTHER_QUEUES
        return row

    def _own_rows(self, queues: tuple[str, ...]) -> list[int]:
        """Return the rows of `queues`; queues without one get one, while there are any."""
        for queue in queues[:1]:
            self._row(queue)  # so that what is known is as the names are now
        rows = self._rows_of.get(queues)
        if rows is None:
            own: set[int] = set()
            for queue in queues:
                own.add(self._new_row(queue, own))
            rows = sorted(own)
            self._rows_of = {queues: rows} if self._map[QUEUES:IDLE] == self._names else {}
        return rows

    def _new_row(self, queue: str, taken: Collection[int]) -> int:
        row = self._row(queue)
        if row != _OTHER_QUEUES:
            return row
        rows = range(_ANY_QUEUE + 1, _OTHER_QUEUES)
        free = [row for row in rows if not self._cells[_FIRST_QUEUE + row]]
        # Nobody is idle there: who served that queue gets another row by its next mark.
        free = free or [row for row in rows if row not in taken and not self._has_idle(row)]
        if not free:
            return _OTHER_QUEUES
        start = QUEUES + 8 * free[0]
        self._map[start : start + 8] = _name(queue)
        return free[0]

    def _clear(self, slot: int) -> None:
        for row in range(QUEUE_ROWS):
            self._map[_byte(row, slot)] = 0

    def _slots(self) -> list[int]:
        return self._cells[_FIRST_WORKER : _FIRST_WORKER + WORKER_SLOTS].tolist()


def _byte(row: int, slot: int) -> int:
    return IDLE + row * WORKER_SLOTS + slot


def _name(queue: str) -> bytes:
    """Return what stands for a queue: never zeros."""
    data = queue.encode(errors="replace")
    return (crc32(data) << 32 | len(data) + 1).to_bytes(8, "little")
