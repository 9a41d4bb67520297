"""One wait of one thread for tasks to finish."""

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from math import inf
from typing import Protocol

from ..brokers.base import Broker, Listener
from ..exceptions import BrokerUnreachable
from ..model.message import Record
from .polls import SharedPolls

POLL_EVERY = 0.5
"""Seconds between two polls of the store, in case a notification is lost."""

# A wait for ten thousand tasks is notified of each of them. So that it does not keep the store
# busy, a poll asks only for the first tasks that are missing, and now and then for all of them.
_FIRST = 200  # tasks that each poll asks for
_POLL_ALL_PAUSE = 10.0  # between two polls for all tasks: so many times as long as one takes
UNREACHABLE_LIMIT = 30.0
"""Seconds that a wait tolerates a server that is away: time for a restart."""


class Source(Protocol):
    """What a wait reads: a `Backend` is one."""

    broker: Broker
    polls: SharedPolls
    thread: threading.local

    def finished(self, ids: Iterable[str]) -> list[Record]: ...
    def is_abandoned(self) -> bool: ...


class Watch:
    """A wait for the tasks `ids`, for `timeout` seconds at most.

    `pause`: between two polls for all tasks, as many times as long as such a poll takes.
    """

    def __init__(
        self,
        source: Source,
        ids: Iterable[str],
        timeout: float | None,
        pause: float = _POLL_ALL_PAUSE,
    ) -> None:
        self._source = source
        self._pause = pause
        self._missing = dict.fromkeys(ids)
        self._observed: Sequence[str] = ()
        self._is_told = True  # the listener, of these
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._next_poll_of_all = time.monotonic() + POLL_EVERY / 10
        self._listener: Listener | None = None
        self._away_since: float | None = None  # the store cannot be reached
        self.abandoned: bool = False  # no worker is left that could run the tasks
        self._all_again = False

    def add(self, ids: Collection[str]) -> None:
        """Wait for more tasks, which the next poll asks for."""
        if ids:
            self._missing = dict.fromkeys((*self._missing, *ids))
            self._all_again = True

    def observe(self, ids: Sequence[str]) -> None:
        """Be notified of these tasks as well, and of their progress; no poll asks for them."""
        if ids != self._observed:
            self._observed = ids
            self._is_told = False

    def discard(self, ids: Iterable[str]) -> None:
        """Wait no more for these tasks."""
        for id in ids:
            self._missing.pop(id, None)

    def listen(self) -> Listener:
        """Have this thread's listener notified of the tasks; return it. Raises BrokerError."""
        listener = self._listener
        expected = self._is_told and self._is_expected()
        if listener is not None and expected and listener.fileno() >= 0:
            return listener
        return self._expect()  # also when the broker was closed meanwhile

    @property
    def over(self) -> bool:
        """Return whether there is nothing to wait for, or no time left."""
        return not self._missing or self._left() <= 0 or self.abandoned

    def poll(self) -> list[Record]:
        """Return the records of the tasks that have finished since the last poll.

        Raises BrokerUnreachable when the server has been away for long.
        """
        found: list[Record] = []
        try:
            found += self._take_first()
            began = time.monotonic()
            due = self._all_again or began >= self._next_poll_of_all
            if len(self._missing) > _FIRST and due:
                found += self._take(list(self._missing))
                self._next_poll_of_all = began + self._pause * (time.monotonic() - began)
                self._all_again = self._all_again and not self._is_expected()
            self.abandoned = self._deadline is None and self._source.is_abandoned()
            self._away_since = None
        except BrokerUnreachable:
            self._away_since = self._away_since or time.monotonic()
            if time.monotonic() - self._away_since > UNREACHABLE_LIMIT:
                self._away_since = None
                raise
        return found

    def wait_for_sent(self, every: float) -> None:
        """Wait until notified, or for `every` seconds, if this thread has just sent all the tasks
        and would be notified of their ends: a poll before that would find nothing."""
        broker, longest = self._source.broker, min(every, self._left())
        if longest > 0 and broker.is_notified_of(self._missing):
            self._expect().wait(longest)

    def wait(self, every: float, *, shared: bool) -> None:
        """Wait until the next poll: for `every` seconds, until notified, or until no time is left.

        With `shared` another thread may poll in place of this one.
        """
        listener = self._listener
        if listener is None or listener.fileno() < 0 or not self._is_expected():
            # Tasks that finished before it was told of them did not notify it, so there is one more
            # poll first. Another wait of this thread may have told it of others meanwhile, or
            # another thread has closed it with the application.
            self._expect()
        elif shared:
            self._source.polls.wait(listener, self._missing, every, self._left())
        else:
            listener.wait(min(every, self._left()))

    def close(self) -> None:
        """Let the listener expect nothing, unless another wait uses it."""
        if self._listener is not None and self._is_expected():
            self._listener.expect(())
            self._source.thread.expected = None

    def _expect(self) -> Listener:
        self._is_told = True
        self._listener = self._source.broker.result_listener()
        if self._observed:
            self._listener.expect([*self._missing, *self._observed], self._observed)
        else:
            self._listener.expect(self._missing)
        self._source.thread.expected = self._missing
        return self._listener

    def _is_expected(self) -> bool:
        return getattr(self._source.thread, "expected", None) is self._missing

    def _left(self) -> float:
        return inf if self._deadline is None else self._deadline - time.monotonic()

    def _take_first(self) -> list[Record]:
        """Remove the finished tasks at the beginning of those missing; return their records.

        It goes on as long as all tasks that it asked for have finished.
        """
        found: list[Record] = []
        while first := list(islice(self._missing, _FIRST)):
            records = self._take(first)
            found += records
            if len(records) < len(first):
                break
        return found

    def _take(self, ids: Sequence[str]) -> list[Record]:
        records = self._source.finished(ids)
        for record in records:
            del self._missing[record.message.id]
        return records
