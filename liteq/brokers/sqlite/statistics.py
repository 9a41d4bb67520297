"""Statistics, in their table."""

import json
from collections.abc import Sequence
from functools import cache, partial
from sqlite3 import Connection

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE, check_stat
from ...model.message import Receipt
from ...model.stat import KEPT, Histogram, Stat
from .rows import Row
from .statements import load
from .store import SqliteStore

_sql = cache(lambda: load("statistics.sql"))  # senders never need it
_MOST = 500  # rows that one transaction writes


class SqliteStatistics(SqliteStore):
    """The verbs of statistics."""

    def waited(self, receipts: Sequence[Receipt]) -> list[float | None]:
        keys = [receipt.key for receipt in receipts]
        found = dict(self._session().read(_sql()["waited"], (json.dumps(keys),)))
        return [
            max(waited, 0.0) if type(waited := found.get(key)) is float else None for key in keys
        ]

    def count(self, stats: Sequence[Stat], call: str) -> None:
        now = self.clock()
        for first in range(0, len(stats), _MOST):
            part = stats[first : first + _MOST]
            self._write(self._worker_writes, partial(_count, stats=part, now=now))

    def statistics(self, seconds: int, since: float, until: float) -> list[Stat]:
        rows = self._session().read(_sql()["stats"], (seconds, since, until))
        return [stat for stat in map(_stat_of, rows) if stat is not None]


def _count(db: Connection, *, stats: Sequence[Stat], now: float) -> None:
    for seconds, kept in KEPT.items():
        for each in stats:
            stat = each.in_period(seconds)
            for row in db.execute(_sql()["stat"], stat.key).fetchall():
                known = _stat_of((*stat.key, *row))
                stat = stat if known is None else known.plus(stat)
            totals = (stat.number, stat.ran, _text(stat.runs), stat.waited, _text(stat.waits))
            db.execute(_sql()["keep_stat"], (*stat.key, *totals))
        db.execute(_sql()["drop_old_stats"], (seconds, now - kept))


def _text(histogram: Histogram) -> str:
    return json.dumps(histogram, separators=(",", ":"))


def _stat_of(row: Row) -> Stat | None:
    """Return the statistics of a row; None if liteq did not write it."""
    seconds, start, queue, task, outcome, number, ran, runs, waited, waits = row
    key = (seconds, start, queue, task, outcome)
    try:
        stat = Stat(*key, number, ran, _histogram(runs), waited, _histogram(waits))
        check_stat(stat)
    except (InvalidTaskError, *UNREADABLE):
        return None
    return stat


def _histogram(text: str) -> dict[int, int]:
    return {int(bucket): n for bucket, n in json.loads(text).items()}
