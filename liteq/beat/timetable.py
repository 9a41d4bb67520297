"""The periodic tasks in the store: `app.schedules`."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError
from ..model.entry import Entry
from ..result.app import App
from .firing import merged, planned, timeline
from .periodic import FIELDS, call_of, entry_of


class Upcoming(NamedTuple):
    """A moment at which an entry will fire."""

    when: datetime  # in the time zone of the application
    name: str


class Timetable:
    """The periodic tasks of `app`: those that its code has, and those that were added here.

    Every change is written in the store, and workers see it at once.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __iter__(self) -> Iterator[Entry]:
        """The entries, by name."""
        return iter(self._app.broker.schedules())

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name. Raises KeyError."""
        for entry in self:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def add(
        self, name: str, schedule: Any, task: Any, args: Any = None, kwargs: Any = None, **more: Any
    ) -> Entry:
        """Add an entry, or change the one of that name; answer it.

        `schedule`: seconds, a timedelta or a schedule. `task`: a task, its name or a signature.
        `misfire`, `grace`, `overlap`, `jitter`, `relative`, `timezone` are those of an entry; all
        other keywords are options of `apply_async`. Raises ConfigurationError for what cannot be,
        and for a name that the code of an application has.
        """
        own = {field: more.pop(field) for field in FIELDS if field in more}
        wanted = entry_of(
            self._app, name, {"schedule": schedule, **call_of(task, args, kwargs, more), **own}
        )
        while True:
            stored = self._find(name)
            if stored is not None and stored.app is not None:
                raise ConfigurationError(
                    f"the schedule {name!r} comes from the code of {stored.app}: change it there, "
                    "or choose another name"
                )
            entry = merged(stored, wanted, self._app.broker.clock())
            if entry is None or not self._app.broker.schedule([entry]):
                return self[name]

    def pause(self, *names: str) -> list[str]:
        """Have entries not fire until they are resumed; answer the names of those there are."""
        return [name for name in names if self._change(name, paused=True)]

    def resume(self, *names: str) -> list[str]:
        """Have entries fire again, from now on: what they missed is not made up for."""
        return [name for name in names if self._change(name, paused=False)]

    def remove(self, *names: str) -> list[str]:
        """Drop entries; answer the names of those that there were.

        Raises ConfigurationError for those that the code of an application has, and drops none.
        """
        for entry in self:
            if entry.name in names and entry.app is not None:
                raise ConfigurationError(
                    f"the schedule {entry.name!r} comes from the code of {entry.app}, and would "
                    "come again with the next worker: take it out there, or pause it"
                )
        removed: list[str] = self._app.broker.unschedule(names)
        return removed

    def next(self, n: int = 10, *names: str) -> list[Upcoming]:
        """The next `n` moments at which entries fire, of all or of those named, in order."""
        zone = self._app.timezone
        entries = [entry for entry in self if not names or entry.name in names]
        return [
            Upcoming(datetime.fromtimestamp(when, zone), name)
            for when, name in islice(timeline(entries), n)
        ]

    def list(self) -> "list[Entry]":
        """The entries, by name."""
        return [*self]

    def _find(self, name: str) -> Entry | None:
        return next((entry for entry in self if entry.name == name), None)

    def _change(self, name: str, *, paused: bool) -> bool:
        """Pause or resume one entry; say whether there is one. Tries until nobody interferes."""
        while (entry := self._find(name)) is not None:
            if entry.paused == paused:
                return True
            changed = planned(entry._replace(paused=paused), self._app.broker.clock())
            if not self._app.broker.schedule([changed]):
                return True
        return False
