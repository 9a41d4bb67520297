"""The base class of all schedules."""

from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple, Protocol, Self

from ..support.zones import as_zone
from .wallclock import utc

_SHORTEST = timedelta(minutes=1)  # between two runs of a crontab

NEVER = timedelta.max
"""The remaining time of a schedule that does not fire again."""


class ScheduleState(NamedTuple):
    """The state of a schedule: due or not, and the seconds until the next check."""

    is_due: bool
    next: float


class TimeSource(Protocol):
    """An application, as far as a schedule uses it: its time zone and its clock."""

    @property
    def timezone(self) -> tzinfo: ...
    def now(self) -> datetime: ...


class BaseSchedule:
    """A schedule: the times at which something is to be done.

    A schedule is a value: it never changes, and equal ones fire at the same times. A subclass has
    `next_after`, and all else follows from it. Only Celery's methods (`now`, `is_due`,
    `remaining_estimate`) read a clock: `nowfun`, else that of `app`, else the system's.

    `tz` is the zone of wall-clock times: a name such as 'Europe/Paris', an offset such as
    '+05:30', or a tzinfo. Without it the zone is that of `app`, else UTC. Raises ValueError for a
    zone that is not known here.
    """

    def __init__(
        self,
        nowfun: Callable[[], datetime] | None = None,
        app: TimeSource | None = None,
        tz: Any = None,
    ) -> None:
        self.nowfun = nowfun
        self.app = app
        self.tz: tzinfo | None = None if tz is None else as_zone(tz)

    @property
    def zone(self) -> tzinfo:
        """Return the zone of wall-clock times."""
        if self.tz is not None:
            return self.tz
        return UTC if self.app is None else as_zone(self.app.timezone)

    def in_zone(self, tz: Any) -> Self:
        """Return the schedule with `tz` as its zone; itself if it has one, or does not need one."""
        if self.tz is not None:
            return self
        copied = copy(self)
        copied.tz = as_zone(tz)
        return copied

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`, never `moment` itself, at which the schedule fires.

        In UTC; None when it never fires again. Raises ValueError for a datetime without a zone.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say when it fires")

    def last_until(self, moment: datetime, until: datetime) -> datetime:
        """Return the last time of the schedule up to `until`; `moment` if there is none after it.

        In UTC; both arguments are aware. It does not compute all the times between them.
        """
        moment, until = utc(moment), utc(until)
        reach = _SHORTEST
        while until - moment > reach:
            following = self.next_after(until - reach)
            if following is not None and following <= until:
                return self._walk(following, until)
            reach *= 2
        return self._walk(moment, until)

    def _walk(self, moment: datetime, until: datetime) -> datetime:
        following = self.next_after(moment)
        while following is not None and following <= until:
            moment, following = following, self.next_after(following)
        return moment

    def now(self) -> datetime:
        """Return the current time; without a zone it is in UTC."""
        if self.nowfun is not None:
            return self.nowfun()
        return datetime.now(UTC) if self.app is None else self.app.now()

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Return the time from now to the run after `last_run_at`; negative when it is overdue.

        As in Celery, a datetime without a zone is in UTC.
        """
        return self._remaining(last_run_at, self.now())

    def is_due(self, last_run_at: datetime) -> ScheduleState:
        """Return whether the run after `last_run_at` is due, and the seconds until the next one."""
        remaining = self.remaining_estimate(last_run_at)
        if remaining > timedelta():
            return ScheduleState(False, remaining.total_seconds())
        now = self.now()
        return ScheduleState(True, self._remaining(now, now).total_seconds())

    def _remaining(self, last_run_at: datetime, now: datetime) -> timedelta:
        following = self.next_after(aware(last_run_at))
        return NEVER if following is None else following - utc(aware(now))

    def _key(self) -> tuple[Any, ...]:
        """Return the values by which schedules are equal."""
        return (id(self),)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseSchedule):
            return type(self) is type(other) and self._key() == other._key()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())


def aware(moment: datetime) -> datetime:
    """Return `moment`, in UTC if it has no zone, as in Celery."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
