"""The scheduler: it fires the entries of a store that are due.

Any number of schedulers may share a store: each step of an entry is taken once.
"""

import logging
from collections.abc import Sequence
from math import inf

from ..brokers.base import Broker
from ..model.entry import Entry, Fired
from .declared import LOOK_EVERY, Declared
from .firing import ON_TIME, Due, due, utc

logger: logging.Logger = logging.getLogger("liteq.beat")

_BATCH = 100  # steps in one transaction, so that others can write in between
_BATCHES = 100  # transactions in one turn
_CANNOT_FIRE = (ValueError, OverflowError, OSError)  # no schedule, or no time of a calendar
_PAUSE = 0.1  # seconds before entries are looked at again that are due, and did not fire


class Scheduler:
    """A scheduler of the entries in `broker`.

    `declared`: the entries in the code of the application `app`, which are kept in the store; those
    that no process of the application declares any more are dropped.
    """

    def __init__(
        self, broker: Broker, app: str | None = None, declared: Sequence[Entry] = ()
    ) -> None:
        self._broker = broker
        self._declared = None if app is None else Declared(broker, app, declared)
        self._check_all = True  # not only the entries that are due
        self._unreadable: set[tuple[str, int]] = set()  # name and version

    @property
    def longest(self) -> float:
        """Return the seconds after which `turn` is to be called again at the latest."""
        return LOOK_EVERY if self._declared is not None and self._declared.any else inf

    def turn(self) -> float | None:
        """Fire what is due; return when to call this again (epoch seconds), None for never."""
        self._keep_declared()
        for _ in range(_BATCHES):
            upcoming = self._next_due()
            if not self._check_all and (upcoming is None or upcoming > self._broker.clock()):
                return upcoming
            if all(fired is Fired.STALE for _, fired in self.step()):
                return self._after_nothing_fired()
        return self._broker.clock()

    def step(self) -> list[tuple[Due, Fired]]:
        """Take one step with each entry that is due, up to a batch; return the outcome of each."""
        self._keep_declared()
        now = self._broker.clock()
        entries = self._broker.schedules(None if self._check_all else now)
        found = self._due(entries, now)
        steps = found[:_BATCH]
        fired = self._broker.fire([step.firing for step in steps]) if steps else []
        self._check_all = self._check_all and len(steps) < len(found)
        outcomes = list(zip(steps, fired, strict=True))
        for step, outcome in outcomes:
            self._log(step, outcome)
        return outcomes

    def clock_was_set(self) -> None:
        """Check all entries at the next turn: some may wait for a time that is now far off."""
        self._check_all = True

    def _keep_declared(self) -> None:
        if self._declared is not None:
            self._declared.look()

    def _next_due(self) -> float | None:
        return self._next_that_can_fire() if self._unreadable else self._broker.next_fire()

    def _after_nothing_fired(self) -> float | None:
        """Return when to look again: another scheduler was faster, or what is due cannot fire."""
        upcoming, now = self._next_that_can_fire(), self._broker.clock()
        return upcoming if upcoming is None or upcoming > now else now + _PAUSE

    def _next_that_can_fire(self) -> float | None:
        """Return when the next entry is due, without those that cannot be read."""
        entries = filter(self._can_fire, self._broker.schedules())
        return min((each.due for each in entries if each.due is not None), default=None)

    def _can_fire(self, entry: Entry) -> bool:
        return entry.moment is not None and (entry.name, entry.version) not in self._unreadable

    def _due(self, entries: Sequence[Entry], now: float) -> list[Due]:
        try:
            return due(entries, now)
        except _CANNOT_FIRE:
            return [step for entry in entries for step in self._due_alone(entry, now)]

    def _due_alone(self, entry: Entry, now: float) -> list[Due]:
        """Return the step of one entry; log an unreadable one, so that the others can fire."""
        try:
            return due([entry], now)
        except _CANNOT_FIRE:
            if (entry.name, entry.version) not in self._unreadable:
                self._unreadable.add((entry.name, entry.version))
                logger.exception("Scheduler: %s cannot fire", entry.name)
            return []

    def _log(self, step: Due, fired: Fired) -> None:
        entry, message = step.firing
        if fired is Fired.STALE:
            return  # the scheduler that fired it logs it
        if step.set_back:
            logger.warning("Scheduler: the clock was set back; %s", _fires_at(entry))
            return
        if step.missed or step.late > ON_TIME:
            since = _iso(step.moment)
            count = f"{step.missed} before it" if step.missed < 1000 else "1000 or more before it"
            logger.warning(
                "Scheduler: %s is %.0f s late for %s and has missed %s (misfire=%s)",
                *(entry.name, step.late, since, count, entry.misfire),
            )
        if fired is Fired.PAUSED:
            logger.info(
                "Scheduler: %s is passed over: its task, its queue or the store is paused",
                entry.name,
            )
        elif fired is Fired.HELD:
            why = "finds its unique key taken" if entry.overlap else "still runs"
            logger.warning("Scheduler: %s %s: passed over", entry.name, why)
        elif message is None:
            logger.warning("Scheduler: %s is too late: passed over", entry.name)
        else:
            logger.info("Scheduler: Sending due task %s (%s)", entry.name, message.task)


def _fires_at(entry: Entry) -> str:
    when = "never" if entry.moment is None else f"at {_iso(entry.moment)}"
    return f"{entry.name} fires {when}"


def _iso(moment: float) -> str:
    return utc(moment).isoformat(timespec="seconds")
