"""What follows from the end of a task, for every store that can be asked a few small questions.

Whether a group is complete is asked anew each time, of its members: nothing is counted down, so
nothing can be counted twice.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from ..states import Phase


class Ended(NamedTuple):
    """A task that has just ended."""

    id: str
    phase: Phase
    group: str | None  # that it is a member of
    barrier: str | None  # the group that it waited for
    keep_until: float | None  # of what will never run because of it
    told: bool = False  # it keeps a state of its own, as does one that wants to be ignored
    awaited: bool = True  # others may wait for it, and not only for its group


class Waiter(NamedTuple):
    """A task that waits for the end of another one, or of a group."""

    id: str
    on_failure: int  # see `Place`
    group: str | None
    eta: float | None
    delay: float | None = None  # seconds


class Closed(NamedTuple):
    """A group of which the last member has ended."""

    outer: str | None
    forgiving: bool


class Dependents(ABC):
    """What the walk asks of a store, and tells it, within one transaction."""

    now: float

    @abstractmethod
    def waiters(self, id: str, *, barrier: bool) -> list[Waiter]:
        """What waits for the task, or for the group, of that id."""

    @abstractmethod
    def wake(self, id: str, phase: Phase, woken_by: str, eta: float | None) -> None:
        """What a task waited for has ended; it is not to run before `eta`."""

    @abstractmethod
    def skip(self, id: str, phase: Phase, blame: str, keep_until: float | None) -> None:
        """What a task waited for has failed: end it, in `phase`."""

    @abstractmethod
    def drop(self, id: str) -> None:
        """Forget a task that waited for a failure."""

    @abstractmethod
    def is_open(self, group: str) -> bool:
        """Whether a member has not ended."""

    @abstractmethod
    def blame(self, group: str) -> str | None:
        """The task by which the group failed, if any did."""

    @abstractmethod
    def close(self, group: str, blame: str | None) -> Closed | None:
        """Note that all members have ended; None if that was known, or there is no such group."""

    @abstractmethod
    def release(self, group: str) -> None:
        """Let the members be swept, unless somebody still waits for the group."""


class _End(NamedTuple):
    """A task or a group has ended, and this is told to what waits for it."""

    id: str
    barrier: bool
    failed: bool
    phase: Phase
    blame: str  # the task that failed, or the last one to end
    keep_until: float | None
    own: bool = True  # it failed itself: it was not skipped
    chord: bool = False  # it was skipped because a group failed
    inner: bool = False  # a group in another one, whose end decides what its members are kept for


def propagate_ends(dependents: Dependents, ended: Iterable[Ended]) -> None:
    """Wake, skip or drop what waited for the tasks that have just ended."""
    walk = _Walk(dependents)
    for each in ended:
        walk.begin(each)
    walk.run()


class _Walk:
    """From ends to what they end in turn."""

    def __init__(self, dependents: Dependents) -> None:
        self._dependents = dependents
        self._ends: deque[_End] = deque()
        self._groups: dict[str, Ended] = {}  # groups, and the member that ended last

    def begin(self, task: Ended) -> None:
        if task.awaited:
            # Nothing comes of one that wants to be ignored, but it has not failed.
            ignored = task.told and task.phase is Phase.SUCCEEDED
            phase = Phase.CANCELLED if ignored else task.phase
            failed = phase is not Phase.SUCCEEDED
            end = _End(task.id, False, failed, phase, task.id, task.keep_until)
            self._ends.append(end._replace(own=not ignored))
        if task.group is not None:
            self._groups[task.group] = task
        if task.barrier is not None:
            self._dependents.release(task.barrier)

    def run(self) -> None:
        """Tell whoever waits, until nobody is left to tell."""
        while self._ends or self._groups:
            if self._ends:
                self._tell(self._ends.popleft())
            else:
                self._close(*self._groups.popitem())

    def _tell(self, end: _End) -> None:
        for waiter in self._dependents.waiters(end.id, barrier=end.barrier):
            if waiter.on_failure:
                wanted = end.failed and (end.own or (end.chord and waiter.on_failure > 1))
            else:
                wanted = not end.failed
            if wanted:
                self._wake(waiter, end)
            elif waiter.on_failure:
                self._drop(waiter.id)
            else:
                self._skip(waiter, end)
        if end.barrier and end.failed and not end.inner:
            self._dependents.release(end.id)

    def _wake(self, waiter: Waiter, end: _End) -> None:
        eta = waiter.eta if waiter.delay is None else self._dependents.now + waiter.delay
        later = eta is not None and eta > self._dependents.now
        self._dependents.wake(waiter.id, Phase.SCHEDULED if later else Phase.READY, end.blame, eta)

    def _skip(self, waiter: Waiter, end: _End) -> None:
        # What waited for a revoked task is revoked with it; a chord's body has failed.
        cancelled = end.phase is Phase.CANCELLED and not end.barrier
        phase = Phase.CANCELLED if cancelled else Phase.SKIPPED
        self._dependents.skip(waiter.id, phase, end.blame, end.keep_until)
        skipped = end._replace(id=waiter.id, barrier=False, phase=phase, own=False)
        self._ends.append(skipped._replace(chord=end.barrier or end.chord))
        if waiter.group is not None:
            self._groups[waiter.group] = Ended(end.blame, phase, waiter.group, None, end.keep_until)

    def _drop(self, id: str) -> None:
        """It waited for a failure that did not come, and others may wait for it."""
        for waiter in self._dependents.waiters(id, barrier=False):
            self._drop(waiter.id)
        self._dependents.drop(id)

    def _close(self, group: str, last: Ended) -> None:
        """See whether the last member of a group has ended."""
        if self._dependents.is_open(group):
            return
        blame = self._dependents.blame(group)
        closed = self._dependents.close(group, blame)
        if closed is None:
            return
        failed = blame is not None and not closed.forgiving
        phase = Phase.SKIPPED if failed else Phase.SUCCEEDED
        who = blame if failed and blame else last.id
        inner = closed.outer is not None
        self._ends.append(_End(group, True, failed, phase, who, last.keep_until, inner=inner))
        if closed.outer is not None:
            self._groups[closed.outer] = last
