"""The scheduler: it fires the entries of a store that are due.

Any number of schedulers may share a store: each step of an entry is taken once.
"""

import logging
from collections.abc import Sequence

from ..brokers.base import Broker
from ..model.entry import Entry, Fired
from .firing import ON_TIME, Due, due, merged, utc

logger: logging.Logger = logging.getLogger("liteq.beat")

_BATCH = 100  # steps in one transaction, so that others can write in between
_BATCHES = 100  # transactions in one turn
_UNREADABLE = (ValueError, OverflowError, OSError)  # no schedule, or no time of a calendar
_PAUSE = 1.0  # seconds before entries are looked at again that are due, and do not fire
_TRIES = 10  # attempts to write the declared entries, while other processes that start do the same


class Scheduler:
    """A scheduler of the entries in `broker`.

    `declared`: the entries in the code of the application `app`. The first turn writes them to the
    store, and drops those that the code no longer has.
    """

    def __init__(
        self, broker: Broker, app: str | None = None, declared: Sequence[Entry] = ()
    ) -> None:
        self._broker = broker
        self._app = app
        self._declared = {entry.name: entry for entry in declared}
        self._started = False
        self._check_all = True  # not only the entries that are due
        self._unreadable: set[tuple[str, int]] = set()  # name and version
        self._read_all = False  # an entry that is due cannot be read: the next one is looked for

    def turn(self) -> float | None:
        """Fire what is due; return when to call this again (epoch seconds), None for never."""
        self._start()
        idle = 0  # steps in a row that have fired nothing
        for _ in range(_BATCHES):
            upcoming = self._next_due()
            if not self._check_all and (upcoming is None or upcoming > self._broker.clock()):
                return upcoming
            if any(fired is not Fired.LOST for _, fired in self.step()):
                idle = 0
                continue
            # Another scheduler was faster; or what is due cannot be read, or never fires.
            idle, self._read_all = idle + 1, True
            if idle > 2:
                return self._broker.clock() + _PAUSE
        return self._broker.clock()

    def step(self) -> list[tuple[Due, Fired]]:
        """Take one step with each entry that is due, up to a batch; return the outcome of each."""
        self._start()
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

    def _next_due(self) -> float | None:
        upcoming = self._broker.next_fire()
        if not (self._unreadable or self._read_all):
            return upcoming
        readable = [
            each.due
            for each in self._broker.schedules()
            if each.due is not None and self._can_fire(each)
        ]
        due = min(readable, default=None)
        self._read_all = due != upcoming
        return due

    def _can_fire(self, entry: Entry) -> bool:
        return entry.moment is not None and (entry.name, entry.version) not in self._unreadable

    def _start(self) -> None:
        if not self._started:
            if self._app is not None:
                self._reconcile(self._app)
            self._started = True

    def _reconcile(self, app: str) -> None:
        """Write the declared entries, and drop those that the code no longer declares."""
        for _ in range(_TRIES):
            stored = {entry.name: entry for entry in self._broker.schedules()}
            now = self._broker.clock()
            entries = (merged(stored.get(name), each, now) for name, each in self._declared.items())
            changed = [entry for entry in entries if entry is not None]
            if not changed or not self._broker.schedule(changed):
                break  # else another process that starts, too, has written first: read again
        had = [entry.name for entry in self._broker.schedules() if entry.app == app]
        gone = [name for name in had if name not in self._declared]
        if gone:
            self._broker.unschedule(gone)
            logger.info("Scheduler: no longer in the code, dropped: %s", ", ".join(gone))

    def _due(self, entries: Sequence[Entry], now: float) -> list[Due]:
        try:
            return due(entries, now)
        except _UNREADABLE:
            return [step for entry in entries for step in self._due_alone(entry, now)]

    def _due_alone(self, entry: Entry, now: float) -> list[Due]:
        """Return the step of one entry; log an unreadable one, so that the others can fire."""
        try:
            return due([entry], now)
        except _UNREADABLE:
            if (entry.name, entry.version) not in self._unreadable:
                self._unreadable.add((entry.name, entry.version))
                logger.exception("Scheduler: %s cannot fire", entry.name)
            return []

    def _log(self, step: Due, fired: Fired) -> None:
        entry, message = step.firing
        if fired is Fired.LOST:
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
        if fired is Fired.HELD:
            logger.warning("Scheduler: %s still runs: passed over", entry.name)
        elif message is None:
            logger.warning("Scheduler: %s is too late: passed over", entry.name)
        else:
            logger.info("Scheduler: Sending due task %s (%s)", entry.name, message.task)


def _fires_at(entry: Entry) -> str:
    when = "never" if entry.moment is None else f"at {_iso(entry.moment)}"
    return f"{entry.name} fires {when}"


def _iso(moment: float) -> str:
    return utc(moment).isoformat(timespec="seconds")
