"""The entries that the code of an application declares, and those in the store that it no longer
does.

Processes of one application may declare different entries: a module that only `liteq beat` loads,
an old version beside a new one. So an entry is not dropped because one of them does not know it.
It is marked as undeclared, which all schedulers are notified of; a process that declares it takes
the mark away; and it is dropped when the mark has stayed for a while. It fires meanwhile.
"""

import logging
from collections.abc import Iterable, Sequence
from math import inf

from ..brokers.base import Broker
from ..model.entry import Entry
from .firing import merged

logger: logging.Logger = logging.getLogger("liteq.beat")

LOOK_EVERY = 5.0  # seconds
_GRACE = 15.0  # seconds that a mark stays before the entry is dropped: three looks of the others
_MARK_AGAIN = 300.0  # seconds, once another process has taken the mark away
_TRIES = 10  # attempts to write the declared entries, while other processes that start do the same


class Declared:
    """The entries that this process declares for `app`, kept in `broker`.

    A process that declares none changes nothing.
    """

    def __init__(self, broker: Broker, app: str, entries: Iterable[Entry]) -> None:
        self._broker = broker
        self._app = app
        self._entries = {entry.name: entry for entry in entries}
        self._last_look = -inf
        self._marked: dict[str, float] = {}  # when each mark was seen first
        self._wanted: dict[str, float] = {}  # when others were seen to want each entry

    @property
    def any(self) -> bool:
        """Return whether there are any, so that looks are due."""
        return bool(self._entries)

    def look(self) -> None:
        """Put the entries in the store in order, if that is due."""
        now = self._broker.clock()
        since_last = now - self._last_look
        if self._entries and not 0 <= since_last < LOOK_EVERY:  # below 0: the clock was set back
            self._last_look = now
            self._drop(self._write(now), now)

    def _write(self, now: float) -> list[Entry]:
        """Write what is declared, where it is missing, different or marked; return the others."""
        stored: dict[str, Entry] = {}
        for _ in range(_TRIES):
            stored = {entry.name: entry for entry in self._broker.schedules()}
            entries = (merged(stored.get(name), each, now) for name, each in self._entries.items())
            changed = [entry for entry in entries if entry is not None]
            if not changed or not self._broker.schedule(changed):
                break  # else another process that starts, too, has written first: read again
        return [entry for entry in stored.values() if entry.name not in self._entries]

    def _drop(self, others: Sequence[Entry], now: float) -> None:
        """Mark those of `others` that are of this application, or drop them."""
        ours = [entry for entry in others if entry.app == self._app]
        marked = {entry.name for entry in ours if entry.undeclared}
        for name in self._marked.keys() - marked:  # somebody wants it, or has dropped it
            del self._marked[name]
            self._wanted[name] = now
        for name in marked:
            self._marked.setdefault(name, now)
        gone = [name for name in marked if now - self._marked[name] >= _GRACE]
        if gone and (dropped := self._broker.unschedule(gone)):
            logger.warning("Scheduler: no longer in the code, dropped: %s", ", ".join(dropped))
        self._mark([entry for entry in ours if entry.name not in marked], now)

    def _mark(self, entries: Sequence[Entry], now: float) -> None:
        again = now - _MARK_AGAIN
        unknown = [each for each in entries if self._wanted.get(each.name, -inf) <= again]
        if unknown:
            self._broker.schedule([each._replace(undeclared=True) for each in unknown])
            self._marked.update((each.name, now) for each in unknown)
