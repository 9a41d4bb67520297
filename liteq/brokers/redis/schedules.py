"""Entries of periodic tasks on Redis."""

import json
import logging
from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Any

from ...exceptions import SecurityError
from ...model.entry import Entry, Fired, Firing
from ..base import Broker
from .rows import Arguments, message_args, packed, unpacked
from .seals import Seal
from .server import Server

_logger = logging.getLogger("liteq.broker")


class Scheduling(Broker):
    """The part of the broker that keeps periodic tasks."""

    server: Server
    _seal: Seal

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        args: Arguments = []
        for entry in entries:
            message = packed(self._seal.message(entry.message))
            args += (entry.name, entry.version, _kept(entry), message, int(entry.overlap))
            args += _step(entry)
        return [name.decode() for name in self._run("schedule", *args)] if args else []

    def unschedule(self, names: Sequence[str]) -> list[str]:
        return [name.decode() for name in self._run("unschedule", *names)] if names else []

    def schedules(self, due_by: float | None = None) -> list[Entry]:
        rows = self._run("schedules", inf if due_by is None else due_by)
        found = (self._entry(dict(zip(row[::2], row[1::2], strict=True))) for row in rows)
        return sorted(filter(None, found), key=lambda entry: entry.name)

    def next_fire(self) -> float | None:
        due = self._run("next_fire")
        return None if due is None or float(due) == inf else float(due)

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        args: Arguments = []
        for entry, message in firings:
            args += (entry.name, entry.version, *_step(entry))
            args += [0] if message is None else [1, *message_args(self._seal.message(message))]
        return [Fired(each.decode()) for each in self._run("fire", *args)] if args else []

    @abstractmethod
    def _run(self, verb: str, *args: Any) -> Any:
        """Run the script of `verb`."""

    def _entry(self, found: dict[bytes, bytes]) -> Entry | None:
        name = found[b"name"].decode()
        schedule, app, paused, misfire, grace, jitter, expires = json.loads(found[b"entry"])
        try:
            message = self._seal.opened_message(unpacked("", found[b"message"]))
        except SecurityError as exc:
            _logger.warning("the schedule %r in %s is left out: %s", name, self.url, exc)
            return None
        return Entry(
            name,
            schedule,
            message,
            _moment(found[b"moment"]),
            _moment(found[b"due"]),
            float(found[b"planned"]),
            int(found[b"version"]),
            app,
            paused,
            int(found[b"runs"]),
            _moment(found[b"last"]),
            found[b"last_id"].decode() or None,
            misfire,
            grace,
            found[b"overlap"] == b"1",
            jitter,
            expires,
        )


def _kept(entry: Entry) -> str:
    """What no script has to know."""
    rest = (entry.app, entry.paused, entry.misfire, entry.grace, entry.jitter, entry.expires)
    return json.dumps((entry.schedule, *rest))


def _step(entry: Entry) -> Arguments:
    times = (entry.moment, entry.due, entry.planned)
    args: Arguments = ["" if each is None else each for each in times]
    return [*args, entry.runs, "" if entry.last is None else entry.last, entry.last_id or ""]


def _moment(data: bytes) -> float | None:
    return float(data) if data else None
