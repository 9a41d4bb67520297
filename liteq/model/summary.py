"""Summaries of statistics: how tasks ended in the last minutes or days, for people and charts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .stat import HOUR, KEPT, MINUTE, Histogram, Stat, added, quantile, start_of

BY = ("task", "queue", "all")
"""List what statistics can be summed up by."""


class Durations(NamedTuple):
    """Tell how long something took, in seconds; None where nothing is known.

    The quantiles are right to some twenty percent.
    """

    mean: float | None
    p50: float | None
    p95: float | None
    histogram: Histogram  # by bucket, see `liteq.model.stat.upper_bound`


class Period(NamedTuple):
    """Count the tasks that ended within a period, by how they ended."""

    start: float  # epoch seconds
    seconds: int  # its length
    ended: Mapping[str, int]


class Summary(NamedTuple):
    """Tell how the tasks of one name, of one queue, or all of them, ended."""

    name: str  # of the task or the queue; `all`
    ended: Mapping[str, int]  # by outcome: succeeded, failed, ...; retry and lost ran once more
    ran: Durations
    waited: Durations  # from when they could have begun until they did
    periods: tuple[Period, ...]  # one after the other; also those in which nothing ended

    @property
    def number(self) -> int:
        """Return how many runs have ended."""
        return sum(self.ended.values())

    @property
    def failed(self) -> int:
        """Return how many failed for good."""
        return self.ended.get("failed", 0) + self.ended.get("dead", 0)

    @property
    def again(self) -> int:
        """Return after how many the task ran again."""
        return self.ended.get("retry", 0) + self.ended.get("lost", 0)


def resolution(minutes: float) -> int:
    """Return the length of the periods, in seconds, in which the last `minutes` are told."""
    return MINUTE if minutes * MINUTE <= KEPT[MINUTE] else HOUR


def starts(minutes: float, now: float) -> range:
    """Return when the periods of the last `minutes` began: epoch seconds."""
    seconds = resolution(minutes)
    last = start_of(now, seconds)
    first = start_of(now - minutes * MINUTE, seconds) + seconds
    return range(min(first, last), last + 1, seconds)


def summaries(
    stats: Iterable[Stat], by: str, periods: Sequence[int], seconds: int
) -> list[Summary]:
    """Return statistics summed up by one of `BY`, what ended most first.

    `periods`: when those of `seconds` began that are told apart.
    """
    found: dict[str, list[Stat]] = {}
    for stat in stats:
        name = {"task": stat.task, "queue": stat.queue}.get(by, by)
        found.setdefault(name, []).append(stat)
    summed = [_summary(name, part, periods, seconds) for name, part in found.items()]
    return sorted(summed, key=lambda each: (-each.number, each.name))


def _summary(name: str, stats: Sequence[Stat], periods: Sequence[int], seconds: int) -> Summary:
    by_period: dict[int, dict[str, int]] = {start: {} for start in periods}
    total: dict[str, int] = {}
    for stat in stats:
        for ended in (total, by_period.get(stat.start)):
            if ended is not None:
                ended[stat.outcome] = ended.get(stat.outcome, 0) + stat.number
    number = sum(total.values())
    return Summary(
        name,
        total,
        _durations(sum(each.ran for each in stats), number, [each.runs for each in stats]),
        _durations(sum(each.waited for each in stats), number, [each.waits for each in stats]),
        tuple(Period(start, seconds, ended) for start, ended in by_period.items()),
    )


def _durations(total: float, number: int, histograms: Iterable[Histogram]) -> Durations:
    whole: Histogram = {}
    for each in histograms:
        whole = added(whole, each)
    mean = total / number if number else None
    return Durations(mean, quantile(whole, 0.5), quantile(whole, 0.95), whole)
