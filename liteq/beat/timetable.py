"""The periodic tasks in the store, to be listed and changed at run time: `app.schedules`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError
from ..model.entry import Entry
from ..model.message import new_id
from ..result import AsyncResult
from ..result.app import App
from ..schedules import BaseSchedule
from .firing import merged, planned, timeline
from .periodic import FIELDS, call_of, entries_of, entry_of, name_of


class Upcoming(NamedTuple):
    """A time at which an entry will fire."""

    when: datetime  # in the time zone of the application
    name: str


class Timetable:
    """The periodic tasks of `app`: those that its code declares, and those that were added here.

    Every change is written to the store, and running workers follow it at once.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the entries in the order of their names."""
        return iter(self._app.broker.schedules())

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of that name. Raises KeyError when there is none."""
        entry = self._find(name)
        if entry is None:
            raise KeyError(name)
        return entry

    def add(
        self,
        name: str,
        schedule: float | timedelta | BaseSchedule,
        task: Any,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Entry:
        """Add an entry, or change the one of that name; return it.

        `schedule`: seconds, a timedelta or a schedule. `task`: a task, its name or a signature.
        `misfire`, `grace`, `overlap`, `jitter`, `relative`, `timezone` are those of an entry; other
        keywords are options of `apply_async`. Raises ConfigurationError for values that are not
        valid, and for a name that the code of an application declares.
        """
        own = {field: more.pop(field) for field in FIELDS if field in more}
        added = entry_of(
            self._app, name, {"schedule": schedule, **call_of(task, args, kwargs, more), **own}
        )
        while True:
            stored = self._find(name)
            if stored is not None and stored.app is not None:
                raise ConfigurationError(
                    f"the schedule {name!r} comes from the code of {stored.app}: change it "
                    "there, or choose another name"
                )
            entry = merged(stored, added, self._app.broker.clock())
            if entry is None or not self._app.broker.schedule([entry]):
                return self[name]

    def pause(self, *names: str) -> list[str]:
        """Pause entries until they are resumed; return the names of those that exist."""
        return [name for name in names if self._change(name, paused=True)]

    def resume(self, *names: str) -> list[str]:
        """Resume entries, for moments from now on; return the names of those that exist."""
        return [name for name in names if self._change(name, paused=False)]

    def run(self, name: str) -> AsyncResult[Any]:
        """Send the task of an entry now, beside its schedule; return the result.

        Raises KeyError when there is no entry of that name.
        """
        message = self[name].message._replace(id=new_id())
        self._app.broker.enqueue([message])
        result: AsyncResult[Any] = self._app.AsyncResult(message.id)
        return result

    def remove(self, *names: str) -> list[str]:
        """Remove entries; return the names of those that existed.

        Raises ConfigurationError, and removes none, when the code of an application declares one.
        One that the code of this application declared before, and does no longer, is removed.
        """
        for entry in filter(None, map(self._find, names)):
            if entry.app is None or self._has_lost(entry):
                continue
            raise ConfigurationError(
                f"the schedule {entry.name!r} comes from the code of {entry.app}, and would come "
                "again with the next worker: take it out there and remove it with that application "
                "(-A), or pause it"
            )
        return self._app.broker.unschedule(names)

    def next(self, n: int = 10, *names: str) -> list[Upcoming]:
        """Return the next `n` times at which entries fire, all or those named, in order of time."""
        zone = self._app.timezone
        entries = [entry for entry in self if not names or entry.name in names]
        return [
            Upcoming(datetime.fromtimestamp(when, zone), name)
            for when, name in islice(timeline(entries), n)
        ]

    def list(self) -> "list[Entry]":
        """Return the entries in the order of their names."""
        return [*self]

    def _has_lost(self, entry: Entry) -> bool:
        """Return whether the code of this application declared the entry, and does no longer."""
        if entry.app != name_of(self._app):
            return False
        self._app.load_tasks()
        return entry.name not in {each.name for each in entries_of(self._app)}

    def _find(self, name: str) -> Entry | None:
        return self._app.broker.entry(name)

    def _change(self, name: str, *, paused: bool) -> bool:
        """Pause or resume one entry; return whether it exists."""
        # Again, for as long as another process changes it between the read and the write.
        while (entry := self._find(name)) is not None:
            if entry.paused == paused:
                return True
            changed = planned(entry._replace(paused=paused), self._app.broker.clock())
            if not self._app.broker.schedule([changed]):
                return True
        return False
