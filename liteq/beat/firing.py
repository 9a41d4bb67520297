"""The decision what an entry does at a given time: pure, no I/O, time is an argument.

A moment is a time of the entry's schedule. It fires at that moment plus its jitter. All times are
epoch seconds.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model.entry import Entry, Firing
from ..model.message import Message
from ..model.options import options_of
from ..support.randomness import fraction_of

if TYPE_CHECKING:
    from ..schedules import BaseSchedule

ON_TIME = 60.0  # seconds late: the most for `skip` to run, and for the log not to warn
_SLACK = 1.0  # seconds that the clock may go back before it counts as set back
_COUNTED = 1000  # missed moments are counted up to this, as counting them takes time
# Fields of an entry that the code does not declare.
_HISTORY = ("moment", "due", "planned", "version", "paused", "runs", "last", "last_id")


class Due(NamedTuple):
    """One step of an entry that is due."""

    firing: Firing
    moment: float  # that the step is for
    late: float = 0.0  # seconds
    missed: int = 0  # earlier moments that are skipped, at most 1000
    set_back: bool = False  # the clock was set back, so the entry is planned anew


def planned(entry: Entry, now: float) -> Entry:
    """Return the entry as if it began now: to fire at its schedule's first moment after `now`."""
    return _next(entry, _schedule_of(entry).next_after(utc(now)), now)


def merged(stored: Entry | None, declared: Entry, now: float) -> Entry | None:
    """Return `stored`, changed to what `declared` says; None if it is the same already.

    Its history is kept, and a paused entry stays paused. Its next moment is kept, too, unless the
    schedule or the jitter has changed.
    """
    if stored is None:
        return planned(declared, now)
    kept = {name: getattr(stored, name) for name in _HISTORY}
    entry = declared._replace(**kept)
    if entry == stored:
        return None
    same = (stored.schedule, stored.jitter) == (declared.schedule, declared.jitter)
    return entry if same else planned(entry, now)


def due(entries: Iterable[Entry], now: float) -> list[Due]:
    """Return the next step of each of `entries` that is due, earliest moment first."""
    steps = [step for entry in entries if (step := _step(entry, now))]
    return sorted(steps, key=lambda step: (step.moment, step.firing.entry.name))


def fire_times(entry: Entry) -> Iterator[float]:
    """Yield when it will fire, jitter included, if it is never late and is not changed."""
    if entry.due is None or entry.moment is None:
        return
    schedule = _schedule_of(entry)
    moment: datetime | None = utc(entry.moment)
    while moment is not None:
        seconds = moment.timestamp()
        yield seconds + jitter_of(entry, seconds)
        moment = schedule.next_after(moment)


def timeline(entries: Iterable[Entry]) -> Iterator[tuple[float, str]]:
    """Yield when each of `entries` will fire, in order of time, with its name."""

    def named(entry: Entry) -> Iterator[tuple[float, str]]:
        return ((when, entry.name) for when in fire_times(entry))

    return merge(*map(named, entries))


# one step


def _step(entry: Entry, now: float) -> Due | None:
    if entry.due is None or entry.moment is None:
        return None
    schedule = _schedule_of(entry)
    if now < entry.due:
        return _set_back(entry, schedule, now)
    moment = _chosen(entry, schedule, now)
    after = _next(entry, schedule.next_after(utc(moment)), now)
    late = now - moment - jitter_of(entry, moment)
    missed = _missed(entry, schedule, moment)
    if late > grace_of(entry):
        return Due(Firing(after, None), moment, late, missed)
    message = _message(entry, moment, now)
    after = after._replace(runs=entry.runs + 1, last=moment, last_id=message.id)
    return Due(Firing(after, message), moment, late, missed)


def _chosen(entry: Entry, schedule: "BaseSchedule", now: float) -> float:
    """Return the moment to fire for: the last one that has come; with `all`, the first."""
    assert entry.moment is not None
    # With `all`, moments before `until` are too late to fire. Otherwise moments after it may have
    # to wait for their jitter, and are fired after that.
    until = now - (grace_of(entry) if entry.misfire == "all" else entry.jitter)
    if until <= entry.moment:
        return entry.moment
    return schedule.last_until(utc(entry.moment), utc(until)).timestamp()


def _missed(entry: Entry, schedule: "BaseSchedule", moment: float) -> int:
    """Return how many moments before this one are skipped."""
    assert entry.moment is not None
    each: datetime | None = utc(entry.moment)
    for count in range(_COUNTED):
        if each is None or each.timestamp() >= moment:
            return count
        each = schedule.next_after(each)
    return _COUNTED


def _set_back(entry: Entry, schedule: "BaseSchedule", now: float) -> Due | None:
    """Return the step of an entry that is not due; None unless the clock was set back.

    The entry then waits once more for as long as it had to wait when it was planned. So it neither
    fires again for moments of the time that is repeated, nor waits until the clock shows the old
    time again.
    """
    assert entry.moment is not None
    if now >= entry.planned - _SLACK:
        return None
    # A millisecond less, because a moment at exactly that time counts, and is the one to fire for.
    end = utc(now + entry.moment - entry.planned - 0.001)
    following = schedule.next_after(utc(now))
    if following is not None and following <= end:
        following = schedule.next_after(schedule.last_until(following, end))
    if following is None or following.timestamp() >= entry.moment:
        return None
    return Due(Firing(_next(entry, following, now), None), entry.moment, set_back=True)


def _next(entry: Entry, moment: datetime | None, now: float) -> Entry:
    """Return the entry with `moment` as the next one to fire for."""
    if moment is None:
        return entry._replace(moment=None, due=None, planned=now)
    seconds = moment.timestamp()
    later = None if entry.paused else seconds + jitter_of(entry, seconds)
    return entry._replace(moment=seconds, due=later, planned=now)


def jitter_of(entry: Entry, moment: float) -> float:
    """Return the jitter of `moment` in seconds: random, but the same in every process."""
    return fraction_of(f"{entry.name} {moment!r}") * entry.jitter


def grace_of(entry: Entry) -> float:
    """Return how many seconds late a run may begin."""
    if entry.grace is not None:
        return entry.grace
    return ON_TIME if entry.misfire == "skip" else inf


def _message(entry: Entry, moment: float, now: float) -> Message:
    """Return the message for one moment.

    Its id is derived from the entry and the moment, so two schedulers cannot send it twice.
    """
    from uuid import NAMESPACE_OID, uuid5  # takes 3 ms, with `platform`

    options = options_of(entry.message)
    headers = {"periodic_task_name": entry.name, "periodic_task_moment": utc(moment).isoformat()}
    options = {**options, "headers": {**(options.get("headers") or {}), **headers}}
    # The number of runs is part of it, as a moment may come twice when the clock is set back.
    id = uuid5(NAMESPACE_OID, f"liteq {entry.name} {moment!r} {entry.runs}")
    fields: dict[str, Any] = {"id": str(id), "options": json.dumps(options, separators=(",", ":"))}
    if entry.expires is not None:
        fields["expires"] = now + entry.expires
    return entry.message._replace(**fields)


def _schedule_of(entry: Entry) -> "BaseSchedule":
    from ..schedules import from_text  # takes 2 ms, and many workers have no entries

    return from_text(entry.schedule)


def utc(seconds: float) -> datetime:
    """Return epoch seconds as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
