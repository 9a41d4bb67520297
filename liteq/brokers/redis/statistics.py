"""Statistics, each period in a hash; see scripts/count.lua."""

from collections.abc import Iterator, Sequence
from math import inf

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE, check_stat
from ...model.message import Receipt
from ...model.stat import KEPT, Stat, start_of
from .arguments import Arguments, chunks
from .replies import fields_of, moment
from .store import RedisStore

_MOST = 100  # statistics in one script: each is some 50 numbers
_PERIODS = 60  # read by one script


class RedisStatistics(RedisStore):
    """The verbs of statistics."""

    def waited(self, receipts: Sequence[Receipt]) -> list[float | None]:
        ids = [receipt.key for receipt in receipts]
        return [_waited(times) for part in chunks(ids) for times in self._run("waited", *part)]

    def count(self, stats: Sequence[Stat], call: str) -> None:
        for first in range(0, len(stats), _MOST):
            args: Arguments = [f"{call}:{first}"]
            for seconds, kept in KEPT.items():
                for each in stats[first : first + _MOST]:
                    stat = each.in_period(seconds)
                    for field, number in _numbers(stat):
                        args += [f"{seconds}:{stat.start}", kept + seconds, field, number]
            self._run("count", *args)

    def statistics(self, seconds: int, since: float, until: float) -> list[Stat]:
        earliest = self.clock() - KEPT.get(seconds, inf)
        first = start_of(max(since, earliest), seconds)
        last = min(until, self.clock() + seconds)
        starts = [start for start in range(first, int(last) + 1, seconds) if since <= start < until]
        found: list[Stat] = []
        for first in range(0, len(starts), _PERIODS):
            part = starts[first : first + _PERIODS]
            replies = self._run("statistics", *(f"{seconds}:{start}" for start in part))
            for start, reply in zip(part, replies, strict=True):
                found += _stats_of(seconds, start, fields_of(reply))
        return found


def _waited(times: list[bytes | None]) -> float | None:
    try:
        created, eta, started = map(moment, times)
    except ValueError:
        return None
    if created is None or started is None:
        return None
    return max(started - max(created, eta or 0.0), 0.0)


def _numbers(stat: Stat) -> Iterator[tuple[str, float]]:
    """Yield the fields to which something is added, and what."""
    name = f"{stat.queue}\n{stat.task}\n{stat.outcome}"
    yield f"{name}\nnumber", stat.number
    yield f"{name}\nran", stat.ran
    yield f"{name}\nwaited", stat.waited
    for kind, histogram in (("runs", stat.runs), ("waits", stat.waits)):
        for bucket, n in histogram.items():
            yield f"{name}\n{kind}:{bucket}", n


def _stats_of(seconds: int, start: int, fields: dict[bytes, bytes]) -> list[Stat]:
    """Return the statistics of a period, sorted, but for those that liteq did not write."""
    found: dict[bytes, dict[bytes, bytes]] = {}
    for field, value in fields.items():
        name, _, kind = field.rpartition(b"\n")
        found.setdefault(name, {})[kind] = value
    stats = (_stat_of(seconds, start, name, numbers) for name, numbers in found.items())
    return sorted(stat for stat in stats if stat is not None)


def _stat_of(seconds: int, start: int, name: bytes, numbers: dict[bytes, bytes]) -> Stat | None:
    runs: dict[int, int] = {}
    waits: dict[int, int] = {}
    try:
        queue, task, outcome = name.decode().split("\n")
        for kind, value in numbers.items():
            series, _, bucket = kind.partition(b":")
            if bucket:
                {b"runs": runs, b"waits": waits}[series][int(bucket)] = int(value)
        totals = (float(numbers[b"ran"]), runs, float(numbers[b"waited"]), waits)
        number = int(numbers[b"number"])
        stat = Stat(seconds, start, queue, task, outcome, number, *totals)
        check_stat(stat)
    except (InvalidTaskError, *UNREADABLE):
        return None
    return stat
