"""Fires the periodic tasks of a store.

Any number of schedulers may do so at the same time: each step of an entry is taken once.
"""

import logging
from collections.abc import Sequence

from ..brokers.base import Broker
from ..model.entry import Entry, Fired
from .firing import ON_TIME, Due, due, merged, utc

logger = logging.getLogger("liteq.beat")

_AT_ONCE = 100  # steps in one transaction, and transactions in one turn: others write in between
_TRIES = 10  # to write what the code has, while others who start do the same


class Scheduler:
    """Fires what is due in `broker`.

    `wanted`: the entries that the code of the application `app` has. They are written at the
    first turn, and those that it has no more are dropped.
    """

    def __init__(
        self, broker: Broker, app: str | None = None, wanted: Sequence[Entry] = ()
    ) -> None:
        self._broker = broker
        self._app = app
        self._wanted = {entry.name: entry for entry in wanted}
        self._begun = False
        self._look_at_all = True
        self._puzzling: set[tuple[str, int]] = set()  # entries that nobody here can read

    def turn(self) -> float | None:
        """Fire what is due; answer the moment when it is worth asking again, None if none is."""
        self._begin()
        for _ in range(_AT_ONCE):
            upcoming = self._upcoming()
            if not self._look_at_all and (upcoming is None or upcoming > self._broker.clock()):
                return upcoming
            self.step()
        return self._broker.clock()

    def step(self) -> list[tuple[Due, Fired]]:
        """Take one step with each entry that has one to take, and say what became of it."""
        self._begin()
        now = self._broker.clock()
        entries = self._broker.schedules(None if self._look_at_all else now)
        found = self._due(entries, now)
        steps = found[:_AT_ONCE]
        fired = self._broker.fire([step.firing for step in steps]) if steps else []
        self._look_at_all = self._look_at_all and len(steps) < len(found)
        taken = list(zip(steps, fired, strict=True))
        for step, answer in taken:
            self._tell(step, answer)
        return taken

    def clock_was_set(self) -> None:
        """Look at all entries at the next turn: some may wait for a time that is far off now."""
        self._look_at_all = True

    def _upcoming(self) -> float | None:
        if not self._puzzling:
            return self._broker.next_fire()
        others = [e for e in self._broker.schedules() if (e.name, e.version) not in self._puzzling]
        return min((each.due for each in others if each.due is not None), default=None)

    def _begin(self) -> None:
        if not self._begun:
            if self._app is not None:
                self._reconcile(self._app)
            self._begun = True

    def _reconcile(self, app: str) -> None:
        """Have the store hold what the code has, and no more of what it had."""
        for _ in range(_TRIES):
            stored = {entry.name: entry for entry in self._broker.schedules()}
            now = self._broker.clock()
            entries = (merged(stored.get(name), each, now) for name, each in self._wanted.items())
            changed = [entry for entry in entries if entry is not None]
            if not changed or not self._broker.schedule(changed):
                break  # otherwise somebody who starts as well was faster: look again
        had = [entry.name for entry in self._broker.schedules() if entry.app == app]
        gone = [name for name in had if name not in self._wanted]
        if gone:
            self._broker.unschedule(gone)
            logger.info("Scheduler: no longer in the code, dropped: %s", ", ".join(gone))

    def _due(self, entries: Sequence[Entry], now: float) -> list[Due]:
        try:
            return due(entries, now)
        except ValueError:
            return [step for entry in entries for step in self._due_alone(entry, now)]

    def _due_alone(self, entry: Entry, now: float) -> list[Due]:
        """What one entry is to do. Whatever is wrong with it keeps no other from firing."""
        try:
            return due([entry], now)
        except ValueError:
            if (entry.name, entry.version) not in self._puzzling:
                self._puzzling.add((entry.name, entry.version))
                logger.exception("Scheduler: %s cannot fire", entry.name)
            return []

    def _tell(self, step: Due, fired: Fired) -> None:
        entry, message = step.firing
        if fired is Fired.LOST:
            return  # whoever was faster tells
        if step.set_back:
            logger.warning("Scheduler: the clock was set back; %s", _upcoming(entry))
            return
        if step.missed or step.late > ON_TIME:
            since = _said(step.moment)
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


def _upcoming(entry: Entry) -> str:
    when = "never" if entry.moment is None else f"at {_said(entry.moment)}"
    return f"{entry.name} fires {when}"


def _said(moment: float) -> str:
    return utc(moment).isoformat(timespec="seconds")
