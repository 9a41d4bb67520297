"""Statistics: how tasks of one name and queue ended within a minute or an hour."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import floor, log2
from typing import NamedTuple

MINUTE, HOUR = 60, 3600
KEPT = {MINUTE: 6 * HOUR, HOUR: 14 * 24 * HOUR}
"""Map the length of each kind of period to how long it is kept; all in seconds."""

Histogram = Mapping[int, int]
"""Count durations by bucket: see `bucket_of`."""

_LAST = 64  # bucket; three days and more
_FIRST_BOUND = -14  # as a power of two, in seconds: 61 us
_LONGEST = 2.0 ** ((_LAST - 1) / 2 + _FIRST_BOUND)  # seconds: where the last bucket begins


class Stat(NamedTuple):
    """Count tasks of one name, from one queue, that ended in one way; and how long that took."""

    seconds: int  # the length of the period
    start: int  # when it began: epoch seconds
    queue: str
    task: str
    outcome: str  # the final phase in lower case; or retry, lost: it runs again
    number: int
    ran: float  # seconds, of all of them together
    runs: Histogram
    waited: float  # seconds from when each could have begun until it did, of all of them together
    waits: Histogram

    @property
    def key(self) -> tuple[int, int, str, str, str]:
        """Return what distinguishes it from others."""
        return self[:5]

    def plus(self, other: "Stat") -> "Stat":
        """Return the statistics of both, as those of this one's period, queue, task and outcome."""
        return self._replace(
            number=self.number + other.number,
            ran=self.ran + other.ran,
            runs=added(self.runs, other.runs),
            waited=self.waited + other.waited,
            waits=added(self.waits, other.waits),
        )

    def in_period(self, seconds: int) -> "Stat":
        """Return the same as statistics of the period of `seconds` in which it began."""
        return self._replace(seconds=seconds, start=start_of(self.start, seconds))


def start_of(moment: float, seconds: int) -> int:
    """Return when the period of `seconds` began that `moment` is in. Both are epoch seconds."""
    return int(moment // seconds) * seconds


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration. There are two for each doubling, from 61 us to 3 days."""
    if not seconds > 2.0**_FIRST_BOUND:
        return 0
    if seconds >= _LONGEST:
        return _LAST
    return floor(2 * (log2(seconds) - _FIRST_BOUND)) + 1


def upper_bound(bucket: int) -> float:
    """Return the seconds below which the durations in a bucket are."""
    return float(2.0 ** (bucket / 2 + _FIRST_BOUND))


def histogram_of(durations: Iterable[float]) -> dict[int, int]:
    """Return the histogram of durations in seconds."""
    return dict(Counter(map(bucket_of, durations)))


def added(one: Histogram, other: Histogram) -> dict[int, int]:
    """Return the histogram of the durations of both."""
    return {bucket: one.get(bucket, 0) + other.get(bucket, 0) for bucket in {**one, **other}}


def scaled(histogram: Histogram, number: int) -> dict[int, int]:
    """Return the histogram of `number` durations that are distributed like those of a sample."""
    sample = sum(histogram.values())
    if sample in (0, number):
        return dict(histogram)
    exact = {bucket: n * number / sample for bucket, n in histogram.items()}
    whole = {bucket: int(n) for bucket, n in exact.items()}
    rest = number - sum(whole.values())
    for bucket in sorted(exact, key=lambda each: whole[each] - exact[each])[:rest]:
        whole[bucket] += 1
    return {bucket: n for bucket, n in whole.items() if n}


def quantile(histogram: Histogram, share: float) -> float | None:
    """Return the seconds that `share` (0 to 1) of the durations do not exceed; None without any.

    It is right to some twenty percent, as a bucket tells no more.
    """
    wanted, seen = share * sum(histogram.values()), 0
    for bucket in sorted(histogram):
        n = histogram[bucket]
        if n and seen + n >= wanted:
            low = upper_bound(bucket - 1) if bucket else 0.0
            return low + (upper_bound(bucket) - low) * max(wanted - seen, 0.0) / (n + 1)
        seen += n
    return None
