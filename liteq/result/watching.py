"""Watch a result: an iterator of what becomes of it, for threads and for coroutines.

The thread that polls for coroutines looks for all who watch. They are told of the newest status
only, so one that comes back late is not told of all that was in between.
"""

import builtins
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from ..exceptions import TimeoutError
from ..support.loopanswers import answer
from .backend import Backend
from .blocking import assert_can_be_run, assert_will_not_block
from .status import Observation, Status

# Seconds between two looks at a group, of which any task may be the reason; and at least so many
# times as long as a look takes.
_SHORTEST, _PAUSE = 0.1, 10
_NOTHING = object()


class Watching:
    """The statuses of a task or a group: each that differs from the last one, up to the end.

    `for status in result.watch():` or `async for`. Raises TimeoutError after `timeout` seconds, and
    as `get` does where no worker is left.
    """

    def __init__(self, backend: Backend, observation: Observation, timeout: float | None) -> None:
        self._backend = backend
        self._observation = observation
        self._timeout = timeout
        self._statuses: Iterator[Status] | None = None
        self._async_statuses: AsyncIterator[Status] | None = None

    def __iter__(self) -> Iterator[Status]:
        return self

    def __next__(self) -> Status:
        if self._statuses is None:
            self._statuses = self._iterate()
        return next(self._statuses)

    def __aiter__(self) -> AsyncIterator[Status]:
        return self

    async def __anext__(self) -> Status:
        if self._async_statuses is None:
            self._async_statuses = self._iterate_async()
        return await anext(self._async_statuses)

    def _iterate(self) -> Iterator[Status]:
        woken = threading.Event()
        look = self._begin(woken.set)
        try:
            while True:
                if not woken.wait(look.left()):
                    raise self._timed_out()
                woken.clear()
                for status in look.news():
                    yield status
                    if status.ready:
                        return
        finally:
            self._backend.poller.disregard(look)

    async def _iterate_async(self) -> AsyncIterator[Status]:
        import asyncio  # 50 ms, which other programs do not pay

        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        look = self._begin(lambda: answer(loop, [woken.set]))
        try:
            while True:
                try:
                    await asyncio.wait_for(woken.wait(), look.left())
                except builtins.TimeoutError:
                    raise self._timed_out() from None
                woken.clear()
                for status in look.news():
                    yield status
                    if status.ready:
                        return
        finally:
            self._backend.poller.disregard(look)

    def _begin(self, wake: Callable[[], object]) -> "Looking":
        assert_can_be_run()
        assert_will_not_block()
        look = Looking(self._observation, wake, self._timeout, self._why_abandoned)
        self._backend.poller.observe(look)
        return look

    def _timed_out(self) -> TimeoutError:
        return TimeoutError(f"{self._names()} has not ended within {self._timeout} seconds")

    def _why_abandoned(self) -> TimeoutError:
        why = self._backend.embedded.nobody_left()
        return TimeoutError(f"{self._names()} will not end: no worker is up, as ours {why}")

    def _names(self) -> str:
        ids = self._observation.ids
        return ids[0] if len(ids) == 1 else f"the group of {len(ids)} tasks"


class Looking:
    """One who watches, as the thread that polls sees it: an `Observer`.

    `wake`: called from that thread when there are `news`. `timeout`: seconds; None for no limit.
    """

    def __init__(
        self,
        observation: Observation,
        wake: Callable[[], object],
        timeout: float | None,
        why_abandoned: Callable[[], BaseException],
    ) -> None:
        self.ids: Sequence[str] = observation.ids
        self.patient: bool = timeout is None
        self._observation = observation
        self._wake = wake
        self._why_abandoned = why_abandoned
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._news: deque[Status | BaseException] = deque(maxlen=1)
        self._last: object = _NOTHING
        self._next_look = 0.0
        self.due: float | None = None

    def left(self) -> float | None:
        """Return the seconds until the timeout; None if there is none."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def news(self) -> Iterator[Status]:
        """Yield the newest status, if it was not yielded before. Raises what has gone wrong."""
        while self._news:
            found = self._news.popleft()
            if isinstance(found, BaseException):
                raise found
            yield found

    def look(self) -> bool:
        """Look at the store; return whether there will be nothing more to see."""
        began = time.monotonic()
        self.due = self._next_look if began < self._next_look else None
        if self.due is not None:
            return False
        status = self._observation.look()
        if len(self.ids) > 1:
            took = time.monotonic() - began
            self._next_look = began + max(_SHORTEST, (1 + _PAUSE) * took)
        if self._observation.mark != self._last:
            self._last = self._observation.mark
            self._tell(status)
        return status.ready

    def fail(self, error: BaseException) -> None:
        """End the watch because of an error."""
        self._tell(error)

    def abandon(self) -> None:
        """End the watch: no worker is left."""
        self._tell(self._why_abandoned())

    def _tell(self, news: Status | BaseException) -> None:
        self._news.append(news)
        self._wake()
