"""The walk: what the end of a task means for its dependents. See `redis/scripts/walk.lua` too.

It is for stores that allow several reads and writes within one transaction; Redis does the same
in Lua, where the data is. Whether a group is complete is found out anew each time, from its
members: nothing is counted down, so nothing can be counted twice.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from ..states import Phase, phase_for_eta


class Ended(NamedTuple):
    """A task that has just ended."""

    id: str
    phase: Phase
    group: str | None  # that it is a member of
    barrier: str | None  # the group that it waited for
    keep_until: float | None  # for the tasks that will never run because of it
    reported: bool = False  # it set its own state; with SUCCEEDED: it raised Ignore
    awaited: bool = True  # tasks may wait for it, and not only for its group


class Dependent(NamedTuple):
    """A task that waits for the end of another task, or of a group."""

    id: str
    on_failure: int  # see `Place`
    group: str | None  # that it is a member of
    eta: float | None
    delay: float | None = None  # seconds


class Closed(NamedTuple):
    """A group of which the last member has ended."""

    outer: str | None
    forgiving: bool


class Dependents(ABC):
    """The dependents of tasks and groups, as a store reads and changes them in one transaction."""

    now: float

    @abstractmethod
    def of(self, id: str, *, barrier: bool) -> list[Dependent]:
        """Return the WAITING tasks that wait for the task `id`, or with `barrier` the group."""

    @abstractmethod
    def wake(self, id: str, phase: Phase, woken_by: str, eta: float | None) -> None:
        """Make a waiting task READY or, until `eta`, SCHEDULED."""

    @abstractmethod
    def skip(self, id: str, phase: Phase, blame: str, keep_until: float | None) -> None:
        """End a waiting task in `phase`, SKIPPED or CANCELLED, because of the task `blame`."""

    @abstractmethod
    def drop(self, id: str) -> None:
        """Delete a task that waited for a failure."""

    @abstractmethod
    def is_open(self, group: str) -> bool:
        """Return whether a member has not ended."""

    @abstractmethod
    def blame(self, group: str) -> str | None:
        """Return the id of the task by which the group failed; None if it did not fail.

        Of several, the one that was sent first; groups in it come behind all tasks.
        """

    @abstractmethod
    def close(self, group: str, blame: str | None) -> Closed | None:
        """Mark a group as ended; return None if it was already, or does not exist."""

    @abstractmethod
    def free_members(self, group: str) -> None:
        """Allow the members to be swept, unless a task still waits for the group."""


class _End(NamedTuple):
    """The end of a task or a group, which is still to be propagated to its dependents."""

    id: str
    barrier: bool  # a group
    failed: bool
    phase: Phase
    cause: str  # the task that failed, or the last one to end
    keep_until: float | None
    by_itself: bool = True  # it failed itself: it was not skipped
    through_group: bool = False  # it was skipped because a group failed
    inner: bool = False  # a group in another group, by whose end its members are released


def propagate_ends(dependents: Dependents, ended: Iterable[Ended]) -> None:
    """Wake, skip or drop what waited for the tasks that have just ended."""
    walk = _Walk(dependents)
    for each in ended:
        walk.add(each)
    walk.run()


class _Walk:
    """A walk from tasks that have ended to all that ends because of them."""

    def __init__(self, dependents: Dependents) -> None:
        self._dependents = dependents
        self._ends: deque[_End] = deque()
        self._groups: dict[str, Ended] = {}  # groups to look at, and the member that ended last

    def add(self, task: Ended) -> None:
        if task.awaited:
            # A task that wants to be ignored wakes nothing, but it has not failed either.
            ignored = task.reported and task.phase is Phase.SUCCEEDED
            phase = Phase.CANCELLED if ignored else task.phase
            failed = phase is not Phase.SUCCEEDED
            end = _End(task.id, False, failed, phase, task.id, task.keep_until)
            self._ends.append(end._replace(by_itself=not ignored))
        if task.group is not None:
            self._groups[task.group] = task
        if task.barrier is not None:
            self._dependents.free_members(task.barrier)

    def run(self) -> None:
        """Propagate ends until no dependent is left."""
        while self._ends or self._groups:
            if self._ends:
                self._propagate(self._ends.popleft())
            else:
                self._close_if_complete(*self._groups.popitem())

    def _propagate(self, end: _End) -> None:
        for dependent in self._dependents.of(end.id, barrier=end.barrier):
            if dependent.on_failure:
                through_group = end.through_group and dependent.on_failure > 1
                wanted = end.failed and (end.by_itself or through_group)
            else:
                wanted = not end.failed
            if wanted:
                self._wake(dependent, end)
            elif dependent.on_failure:
                self._drop(dependent.id)
            else:
                self._skip(dependent, end)
        if end.barrier and end.failed and not end.inner:
            self._dependents.free_members(end.id)

    def _wake(self, dependent: Dependent, end: _End) -> None:
        eta = dependent.eta if dependent.delay is None else self._dependents.now + dependent.delay
        phase = phase_for_eta(eta, self._dependents.now)
        self._dependents.wake(dependent.id, phase, end.cause, eta)

    def _skip(self, dependent: Dependent, end: _End) -> None:
        # What waits for a cancelled task is cancelled too; the body of a chord is skipped.
        cancelled = end.phase is Phase.CANCELLED and not end.barrier
        phase = Phase.CANCELLED if cancelled else Phase.SKIPPED
        self._dependents.skip(dependent.id, phase, end.cause, end.keep_until)
        skipped = end._replace(id=dependent.id, barrier=False, phase=phase, by_itself=False)
        self._ends.append(skipped._replace(through_group=end.barrier or end.through_group))
        if dependent.group is not None:
            last = Ended(end.cause, phase, dependent.group, None, end.keep_until)
            self._groups[dependent.group] = last

    def _drop(self, id: str) -> None:
        """Delete a task that waited for a failure that did not come, and what waits for it."""
        doomed = [id]
        for each in doomed:  # it grows: a loop, as thousands may wait one for the other
            doomed += [dependent.id for dependent in self._dependents.of(each, barrier=False)]
        for each in reversed(doomed):
            self._dependents.drop(each)

    def _close_if_complete(self, group: str, last: Ended) -> None:
        """End a group if all its members have ended."""
        if self._dependents.is_open(group):
            return
        blame = self._dependents.blame(group)
        closed = self._dependents.close(group, blame)
        if closed is None:
            return
        failed = blame is not None and not closed.forgiving
        phase = Phase.SKIPPED if failed else Phase.SUCCEEDED
        cause = blame if failed and blame else last.id
        inner = closed.outer is not None
        self._ends.append(_End(group, True, failed, phase, cause, last.keep_until, inner=inner))
        if closed.outer is not None:
            self._groups[closed.outer] = last
