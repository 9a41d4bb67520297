"""Statistics, in their table."""

from collections.abc import Sequence

from ...model.message import Receipt
from ...model.stat import KEPT, Stat
from .store import MemoryStore


class MemoryStatistics(MemoryStore):
    """The verbs of statistics."""

    def waited(self, receipts: Sequence[Receipt]) -> list[float | None]:
        found: list[float | None] = []
        with self._lock:
            for receipt in receipts:
                record = self._tables.tasks.get(str(receipt.key))
                if record is None or record.started is None:
                    found.append(None)
                else:
                    due = max(record.created, record.message.eta or 0.0)
                    found.append(max(record.started - due, 0.0))
        return found

    def count(self, stats: Sequence[Stat], call: str) -> None:
        now = self.clock()
        with self._transaction() as tables:
            for seconds, kept in KEPT.items():
                for each in stats:
                    stat = each.in_period(seconds)
                    known = tables.stats.get(stat.key)
                    tables.stats[stat.key] = stat if known is None else known.plus(stat)
                for key in [key for key in tables.stats if key[:2] < (seconds, now - kept)]:
                    if key[0] == seconds:
                        del tables.stats[key]

    def statistics(self, seconds: int, since: float, until: float) -> list[Stat]:
        with self._lock:
            stats = sorted(self._tables.stats.items())
        return [stat for key, stat in stats if key[0] == seconds and since <= key[1] < until]
