"""Statistics of a worker: counted in memory, and added to those of the store once a second.

So they cost a busy worker next to nothing. One that is killed takes the last second along: they say
how tasks fare, and nothing that becomes of a task depends on them.
"""

from collections.abc import Iterable

from ..brokers.base import Broker
from ..model.message import Receipt, new_id
from ..model.stat import MINUTE, Stat, histogram_of, scaled, start_of
from .runs import Runs

EVERY = 1.0  # seconds between two writes
_SAMPLE = 100  # tasks, of each name and outcome, of which the store is asked how long they waited
_MEASURED = 1000  # runs, of each name and outcome, that the histogram is made of
_MOST_NAMES = 1000  # names and outcomes in one write
_OTHERS = "(others)"  # what further ones are counted as

_Name = tuple[str, str, str]  # queue, task, outcome


class _Tally:
    """Hold what was counted of one name and outcome since the last write."""

    def __init__(self) -> None:
        self.number = 0
        self.ran = 0.0
        self.seconds: list[float] = []  # of some runs
        self.sample: list[Receipt] = []

    def add(self, runs: Runs) -> None:
        self.number += len(runs.seconds)
        self.ran += sum(runs.seconds)
        self.seconds += runs.seconds[: _MEASURED - len(self.seconds)]
        if len(self.sample) < _SAMPLE:
            self.sample.append(runs.example)


class WorkerStatistics:
    """Counts how the runs of one worker end."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._tallies: dict[_Name, _Tally] = {}
        self._pending: tuple[str, list[Stat]] | None = None  # what a failing store did not take

    def note(self, runs: Iterable[Runs]) -> None:
        """Count runs that have ended."""
        for each in runs:
            if each.outcome is not None:
                self._tally(each.queue, each.task, each.outcome).add(each)

    def write(self) -> None:
        """Add to the statistics of the store. Raises BrokerError; then the next call does it."""
        if self._pending is not None:
            call, stats = self._pending
            self._broker.count(stats, call)
            self._pending = None
        if self._tallies:
            stats = self._stats()
            self._tallies = {}
            self._pending = (new_id(), stats)
            self._broker.count(stats, self._pending[0])
            self._pending = None

    def _tally(self, queue: str, task: str, outcome: str) -> _Tally:
        name = (queue, task, outcome)
        if name not in self._tallies:
            if len(self._tallies) >= _MOST_NAMES or not (_is_name(queue) and _is_name(task)):
                name = (_OTHERS, _OTHERS, outcome)
            self._tallies.setdefault(name, _Tally())
        return self._tallies[name]

    def _stats(self) -> list[Stat]:
        start = start_of(self._broker.clock(), MINUTE)
        tallies = self._tallies.items()
        waits = iter(self._broker.waited([each for _, tally in tallies for each in tally.sample]))
        return [
            _stat(start, name, tally, [next(waits) for _ in tally.sample])
            for name, tally in tallies
        ]


def _is_name(value: object) -> bool:
    """Return whether a value of a claimed row, which any program may have written, is a name."""
    return isinstance(value, str) and value.isprintable()


def _stat(start: int, name: _Name, tally: _Tally, sample: list[float | None]) -> Stat:
    """Return the statistics of a tally; `sample`: how long some of its tasks waited."""
    waits = [each for each in sample if each is not None]
    mean = sum(waits) / len(waits) if waits else 0.0
    return Stat(
        MINUTE,
        start,
        *name,
        tally.number,
        tally.ran,
        scaled(histogram_of(tally.seconds), tally.number),
        mean * tally.number,
        scaled(histogram_of(waits), tally.number),
    )
