"""Which workers are idle, in memory that all processes share: who is woken for a task.

A worker has a slot; each queue that is served has a row, with a byte for each slot: 1 where the
worker of that slot serves the queue and has room. The first row is that of workers which have not
claimed yet, so that their queues are not known; the last one is shared by the queues for which no
row is left.

A worker marks itself in the transaction of its claim, after it: a task that was stored before is
claimed by it, and whoever stores one later sees the mark. Whoever picks a worker takes its mark
away, so that the next one picks another; the worker marks itself again by its next claim.
"""

from collections.abc import Collection, Iterator, Sequence
from zlib import crc32

from .sharedstate import IDLE, QUEUE_ROWS, QUEUES, WORKER_SLOTS, WORKERS, SharedState

_FIRST_WORKER, _FIRST_QUEUE = WORKERS // 8, QUEUES // 8  # cells
_ANY_QUEUE, _OTHER_QUEUES = 0, QUEUE_ROWS - 1  # rows


class IdleWorkers:
    """The table, as one thread uses it. Keys are those of listeners, see sockets.py."""

    def __init__(self, state: SharedState) -> None:
        self._map, self._cells = state.map, state.cells
        self._rows: dict[str, int] = {}  # by queue, if the row still has its name
        self._rows_of: dict[tuple[str, ...], tuple[bytes, list[int]]] = {}

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

    def leave_all_but(self, keys: Collection[int]) -> None:
        """Give back the slots of all listeners but `keys`. To be called in a transaction."""
        for slot, key in enumerate(self._slots()):
            if key and key not in keys:
                self.leave(slot, key)

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
        for row in (self._row(queue), _ANY_QUEUE):
            # Who is in the row of several queues may serve another one: all of them are woken.
            most = WORKER_SLOTS if row == _OTHER_QUEUES else count
            for slot in self._idle(row):
                if len(found) >= most:
                    break
                self._map[_byte(row, slot)] = 0
                if key := self._cells[_FIRST_WORKER + slot]:
                    found.append(key)
        return found

    def any(self, queues: Sequence[str]) -> bool:
        """Return whether a worker of one of `queues` is idle, or has not claimed yet."""
        rows = {self._row(queue) for queue in queues}
        return any(next(self._idle(row), None) is not None for row in (_ANY_QUEUE, *rows))

    def _idle(self, row: int) -> Iterator[int]:
        """Iterate over the slots that are marked in a row."""
        start = _byte(row, 0)
        end = start + WORKER_SLOTS
        while (at := self._map.find(b"\1", start, end)) >= 0:
            yield at - _byte(row, 0)
            start = at + 1

    def _row(self, queue: str) -> int:
        """Return the row of a queue."""
        name, row = _name(queue), self._rows.get(queue)
        if row is None or self._cells[_FIRST_QUEUE + row] != name:
            names = self._cells[_FIRST_QUEUE : _FIRST_QUEUE + QUEUE_ROWS].tolist()
            if name not in names:
                return _OTHER_QUEUES
            row = self._rows[queue] = names.index(name)
        return row

    def _own_rows(self, queues: tuple[str, ...]) -> list[int]:
        """Return the rows of `queues`; queues without one get one, while there are any."""
        names = self._map[QUEUES : QUEUES + 8 * QUEUE_ROWS]
        known = self._rows_of.get(queues)
        if known is not None and known[0] == names:
            return known[1]
        rows = sorted({self._new_row(queue) for queue in queues})
        self._rows_of = {queues: (self._map[QUEUES : QUEUES + 8 * QUEUE_ROWS], rows)}
        return rows

    def _new_row(self, queue: str) -> int:
        row = self._row(queue)
        if row != _OTHER_QUEUES:
            return row
        rows = range(_ANY_QUEUE + 1, _OTHER_QUEUES)
        free = [row for row in rows if not self._cells[_FIRST_QUEUE + row]]
        # Nobody is idle there: who served that queue gets another row by its next mark.
        free = free or [row for row in rows if next(self._idle(row), None) is None]
        if not free:
            return _OTHER_QUEUES
        self._cells[_FIRST_QUEUE + free[0]] = _name(queue)
        return free[0]

    def _clear(self, slot: int) -> None:
        for row in range(QUEUE_ROWS):
            self._map[_byte(row, slot)] = 0

    def _slots(self) -> list[int]:
        return self._cells[_FIRST_WORKER : _FIRST_WORKER + WORKER_SLOTS].tolist()


def _byte(row: int, slot: int) -> int:
    return IDLE + row * WORKER_SLOTS + slot


def _name(queue: str) -> int:
    """Return what stands for a queue: never 0."""
    data = queue.encode(errors="replace")
    return crc32(data) << 32 | len(data) + 1 & 2**32 - 1
