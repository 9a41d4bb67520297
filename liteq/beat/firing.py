"""When entries fire, and what then becomes of them: pure, no I/O, time is an argument."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from math import inf
from random import Random
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from ..model.entry import Entry, Firing
from ..model.message import Message
from ..model.options import options_of
from ..schedules import BaseSchedule, from_text

ON_TIME = 60.0  # seconds: what `skip` takes for punctual, and what is too late to go unsaid
_SLACK = 1.0  # seconds that a clock may be put back without anybody minding
_COUNTED = 1000  # missed moments; that there were more is all one needs to know


class Due(NamedTuple):
    """A step that an entry is to take now."""

    firing: Firing
    moment: float  # which it is for
    late: float = 0.0  # seconds
    missed: int = 0  # moments before it that are passed over, at most 1000
    set_back: bool = False  # the clock was; the entry is planned anew


def planned(entry: Entry, now: float) -> Entry:
    """The entry as if it began now: it fires at the first moment of its schedule after `now`."""
    return _next(entry, from_text(entry.schedule).next_after(utc(now)), now)


def merged(stored: Entry | None, wanted: Entry, now: float) -> Entry | None:
    """What `stored` is to become so that it is as the code has it; None if it is that already.

    Its history stays, a paused one stays paused, and it goes on as it would have, unless its
    moments are others now.
    """
    if stored is None:
        return planned(wanted, now)
    kept = {name: getattr(stored, name) for name in _HISTORY}
    entry = wanted._replace(**kept)
    if entry == stored:
        return None
    same = (stored.schedule, stored.jitter) == (wanted.schedule, wanted.jitter)
    return entry if same else planned(entry, now)


_HISTORY = ("moment", "due", "planned", "version", "paused", "runs", "last", "last_id")


def due(entries: Iterable[Entry], now: float) -> list[Due]:
    """What `entries` are to do now, the longest due first. Each takes one step at a time."""
    steps = [step for entry in entries if (step := _step(entry, now))]
    return sorted(steps, key=lambda step: (step.moment, step.firing.entry.name))


def moments(entry: Entry) -> Iterator[float]:
    """When it fires from now on, jitter included, if it is neither late nor changed."""
    if entry.due is None or entry.moment is None:
        return
    schedule = from_text(entry.schedule)
    moment: datetime | None = utc(entry.moment)
    while moment is not None:
        seconds = moment.timestamp()
        yield seconds + jitter_of(entry, seconds)
        moment = schedule.next_after(moment)


def timeline(entries: Iterable[Entry]) -> Iterator[tuple[float, str]]:
    """All moments at which entries fire from now on, in order, with the entries' names."""

    def named(entry: Entry) -> Iterator[tuple[float, str]]:
        return ((when, entry.name) for when in moments(entry))

    return merge(*map(named, entries))


# one step


def _step(entry: Entry, now: float) -> Due | None:
    if entry.due is None or entry.moment is None:
        return None
    schedule = from_text(entry.schedule)
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


def _chosen(entry: Entry, schedule: BaseSchedule, now: float) -> float:
    """The moment that it is for: the last one that has come, or with `all` the next in turn."""
    assert entry.moment is not None
    # With `all` those before this are too late. Otherwise those after it may still have a jitter
    # to wait for, and have their turn then.
    until = now - (grace_of(entry) if entry.misfire == "all" else entry.jitter)
    if until <= entry.moment:
        return entry.moment
    return schedule.last_until(utc(entry.moment), utc(until)).timestamp()


def _missed(entry: Entry, schedule: BaseSchedule, moment: float) -> int:
    """How many moments before this one are passed over."""
    assert entry.moment is not None
    each: datetime | None = utc(entry.moment)
    for count in range(_COUNTED):
        if each is None or each.timestamp() >= moment:
            return count
        each = schedule.next_after(each)
    return _COUNTED


def _set_back(entry: Entry, schedule: BaseSchedule, now: float) -> Due | None:
    """What to do when the clock shows less than it did when the entry was planned.

    It waits once more for as long as it was to wait then. So it neither runs at once for moments
    that have just been, nor keeps silent until the clock shows the old time again.
    """
    assert entry.moment is not None
    if now >= entry.planned - _SLACK:
        return None
    # A little less, because the moment at its very end is one of those that are looked for.
    end = utc(now + entry.moment - entry.planned - 0.001)
    following = schedule.next_after(utc(now))
    if following is not None and following <= end:
        following = schedule.next_after(schedule.last_until(following, end))
    if following is None or following.timestamp() >= entry.moment:
        return None
    return Due(Firing(_next(entry, following, now), None), entry.moment, set_back=True)


def _next(entry: Entry, moment: datetime | None, now: float) -> Entry:
    """The entry with `moment` as what it fires for next."""
    if moment is None:
        return entry._replace(moment=None, due=None, planned=now)
    seconds = moment.timestamp()
    later = None if entry.paused else seconds + jitter_of(entry, seconds)
    return entry._replace(moment=seconds, due=later, planned=now)


def jitter_of(entry: Entry, moment: float) -> float:
    """Seconds after `moment` at which it fires: random, but the same wherever it is asked."""
    return Random(f"{entry.name} {moment!r}").random() * entry.jitter


def grace_of(entry: Entry) -> float:
    """Seconds late that a run may begin."""
    if entry.grace is not None:
        return entry.grace
    return ON_TIME if entry.misfire == "skip" else inf


def _message(entry: Entry, moment: float, now: float) -> Message:
    """What is sent for `moment`. Its id says so, and is the same whoever sends it."""
    options = options_of(entry.message)
    told = {"periodic_task_name": entry.name, "periodic_task_moment": utc(moment).isoformat()}
    options = {**options, "headers": {**(options.get("headers") or {}), **told}}
    # With the number of runs: after the clock was set back a moment may come a second time.
    id = uuid5(NAMESPACE_OID, f"liteq {entry.name} {moment!r} {entry.runs}")
    fields: dict[str, Any] = {"id": str(id), "options": json.dumps(options, separators=(",", ":"))}
    if entry.expires is not None:
        fields["expires"] = now + entry.expires
    return entry.message._replace(**fields)


def utc(seconds: float) -> datetime:
    """Seconds since the epoch as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)
