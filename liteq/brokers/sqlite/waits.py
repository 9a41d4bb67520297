"""Who waits for the end of which task: a hash table in memory that all processes share.

Each cell is eight bytes: the checksum of a task's id, and the key of the listener that waits for
it. A waiter writes its cells before it looks at the store once more, and whoever ends a task reads
them after the commit: so either the waiter sees the end, or it is seen by the one who ends it.

No lock is taken. Two processes may write the same cell in the same instant; then one of them is not
notified, and finds out by its next poll.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from zlib import crc32

from .sharedstate import (
    ANY_RESULT,
    ANY_RESULT_CELLS,
    USED,
    USED_PARTS,
    WAIT_CELLS,
    WAITS,
    SharedState,
)

MOST = 128
"""Tasks that a listener expects one by one; one that waits for more is notified of all ends."""

_PROBES = 4  # cells in which a task may be
_FIRST, _ANY = WAITS // 8, ANY_RESULT // 8  # cells
_CELLS_OF_PART = WAIT_CELLS // USED_PARTS
_KEY = 2**32 - 1  # mask
_NOBODY = bytes(USED_PARTS)
_NO_CELLS = bytes(8 * ANY_RESULT_CELLS)
_EMPTY_PART = bytes(8 * _CELLS_OF_PART)


class Waits:
    """The table, as one thread uses it. Keys are those of listeners, see sockets.py."""

    def __init__(self, state: SharedState) -> None:
        self._map, self._cells = state.map, state.cells

    def add(self, key: int, ids: Collection[str] | None) -> list[tuple[int, int]]:
        """Let the listener `key` be notified of the tasks `ids` (None: of all).

        Return what `remove` takes.
        """
        if ids is None or len(ids) > MOST:
            return self._add_any(key)
        added: list[tuple[int, int]] = []
        for id in ids:
            tag = _tag(id)
            at = self._free(_first(tag), _PROBES)
            if at is None:
                return [*added, *self._add_any(key)]
            self._cells[at] = cell = tag << 32 | key
            self._map[USED + (at - _FIRST) // _CELLS_OF_PART] = 1
            added.append((at, cell))
        return added

    def remove(self, added: Iterable[tuple[int, int]]) -> None:
        """Empty the cells that `add` has written."""
        for at, cell in added:
            if self._cells[at] == cell:
                self._cells[at] = 0

    def any(self) -> bool:
        """Return whether somebody waits for certain tasks (0.1 us if nobody does)."""
        used = self._map[USED : USED + USED_PARTS]
        if used == _NOBODY:
            return False
        return any(self._is_used(part) for part, flag in enumerate(used) if flag)

    def waiting(self, ids: Iterable[str]) -> set[int]:
        """Return the keys of the listeners that are to be notified of the tasks `ids`."""
        return self.waiting_for_any() | self.waiting_for(ids)

    def waiting_for(self, ids: Iterable[str]) -> set[int]:
        """Return the keys of the listeners that wait for certain tasks, and for one of `ids`."""
        keys: set[int] = set()
        cells = self._cells
        for id in ids:
            tag = _tag(id)
            first = _first(tag)
            for cell in cells[first : first + _PROBES]:
                if cell >> 32 == tag:
                    keys.add(cell & _KEY)
        return keys

    def waiting_for_any(self) -> set[int]:
        """Return the keys of the listeners that are notified of all ends."""
        found = self._map[ANY_RESULT : ANY_RESULT + 8 * ANY_RESULT_CELLS]
        if found == _NO_CELLS:
            return set()
        return {key for key in self._cells[_ANY : _ANY + ANY_RESULT_CELLS] if key}

    def keys(self) -> set[int]:
        """Return the keys of all listeners that wait, as the table says."""
        cells = self._cells
        found = cells[_FIRST : _FIRST + WAIT_CELLS].tolist()
        found += cells[_ANY : _ANY + ANY_RESULT_CELLS].tolist()
        return {cell & _KEY for cell in found if cell}

    def forget(self, keys: Collection[int]) -> None:
        """Empty all cells of listeners that are gone."""
        for first, count in ((_FIRST, WAIT_CELLS), (_ANY, ANY_RESULT_CELLS)):
            for at, cell in enumerate(self._cells[first : first + count].tolist(), first):
                if cell and cell & _KEY in keys and self._cells[at] == cell:
                    self._cells[at] = 0

    def _add_any(self, key: int) -> list[tuple[int, int]]:
        at = self._free(_ANY, ANY_RESULT_CELLS)
        if at is None:
            return []  # so many wait for anything that this one must poll
        self._cells[at] = key
        return [(at, key)]

    def _free(self, first: int, count: int) -> int | None:
        for at in range(first, first + count):
            if not self._cells[at]:
                return at
        return None

    def _is_used(self, part: int) -> bool:
        """Return whether a part of the table has cells in use; note it if not.

        The note is withdrawn before a second look, as a waiter writes its cell before the note. Not
        before the first one: whoever looked meanwhile would find nobody, and if we were killed
        there, so would all.
        """
        if self._has_cells(part):
            return True
        self._map[USED + part] = 0
        if not self._has_cells(part):
            return False
        self._map[USED + part] = 1
        return True

    def _has_cells(self, part: int) -> bool:
        start = WAITS + part * len(_EMPTY_PART)
        return self._map[start : start + len(_EMPTY_PART)] != _EMPTY_PART


def progress_of(id: str) -> str:
    """Return what stands in the table for the progress of a task."""
    return f"{id}\nprogress"


@lru_cache(256)
def _tag(id: str) -> int:
    """Return 32 bits that are never 0."""
    return crc32(id.encode(errors="replace")) or 1


def _first(tag: int) -> int:
    return _FIRST + tag % (WAIT_CELLS - _PROBES)
