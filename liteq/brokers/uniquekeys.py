"""What becomes of a message whose unique key another task has. See `redis/scripts/unique.lua` too.

It is for stores that read in Python who has a key; Redis does the same in Lua, where the data is.
Whether a key is free is asked of the tasks each time, so that none can be left behind.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from ..exceptions import DuplicateTask
from ..model.message import Message
from ..model.unique import (
    COALESCE,
    FINISHED,
    RAISE,
    SKIP,
    STARTED,
    THROTTLE,
    UniqueKey,
    own_part,
)
from ..states import Phase

Answers = Mapping[str, str]
"""By the id of each message that was not stored as a task of its own, the id of the task that has
its key."""

NO_ANSWERS: Answers = MappingProxyType({})

MOST_AWAITED = 1000
"""Tasks that are looked at to find out whether one waits for another."""


class Holder(NamedTuple):
    """A task that has, or had, a key."""

    id: str
    phase: Phase
    ran: bool  # it has started before: it runs, or will run again
    until: str  # how long it has the key: STARTED, FINISHED; or empty
    keep_until: float | None  # or until this time, whatever becomes of it
    created: float
    eta: float | None
    expires: float | None
    newest: str | None  # the id of the message whose arguments it was given

    @property
    def started(self) -> bool:
        """Return whether it has started, so that it keeps its arguments."""
        return self.ran or self.phase >= Phase.RUNNING

    def has_ended(self, now: float) -> bool:
        """Return whether it does not run any more: it has ended, or is too old to be started."""
        if self.phase.final:
            return True
        return self.phase < Phase.RUNNING and self.expires is not None and self.expires <= now

    def holds(self, now: float) -> bool:
        """Return whether it has the key."""
        if self.keep_until is not None and self.keep_until > now:
            return True
        if not self.until or self.has_ended(now):
            return False
        return self.until == FINISHED or not self.started


class Action(Enum):
    """What becomes of a message."""

    STORE = "store"
    ANSWER = "answer"  # it is not stored: the holder's result is the answer
    GIVE = "give"  # the same, and the holder gets its arguments
    REFUSE = "refuse"


class Decision(NamedTuple):
    """What becomes of a message, by those who have its key."""

    action: Action
    holder: Holder | None = None  # STORE: the one behind which it has to wait
    eta: float | None = None  # STORE, GIVE: when the task is to run


def decide(
    key: UniqueKey, holders: Iterable[Holder], now: float, eta: float | None, *, gives: bool = True
) -> Decision:
    """Return what becomes of a message with `key` that is to run at `eta`; `holders`: who has, or
    had, that key, the newest first. Unless it `gives`, it does not hand over its arguments."""
    held = [holder for holder in holders if holder.holds(now)]
    if not held:
        return Decision(Action.STORE, None, eta)
    alive = [holder for holder in held if not holder.has_ended(now)]
    waiting = next((holder for holder in alive if not holder.started), None)
    running = next((each for each in alive if each.started and each.until == FINISHED), None)
    if key.then == RAISE:
        return Decision(Action.REFUSE, held[0])
    if key.then == SKIP:
        return Decision(Action.ANSWER, held[0])
    if waiting is not None:
        return Decision(Action.GIVE if gives else Action.ANSWER, waiting, _due(key, waiting, eta))
    if key.then == THROTTLE:
        window = max((holder.keep_until or now for holder in held), default=now)
        later = window if eta is None else max(window, eta)
        return Decision(Action.STORE, running, later if later > now else eta)
    if key.then == COALESCE and running is not None:
        return Decision(Action.STORE, running, eta)
    return Decision(Action.ANSWER, held[0])


def _due(key: UniqueKey, waiting: Holder, eta: float | None) -> float | None:
    """Return when a task that waits is to run, by a later call that is to run at `eta`."""
    if key.then == THROTTLE:
        return waiting.eta
    if key.latest is not None and eta is not None:
        return min(eta, waiting.created + key.latest)
    return eta


def until_of(key: UniqueKey) -> str:
    """Return how long a task has its key, as a `Holder` says it."""
    if isinstance(key.until, str):
        return key.until
    return STARTED if key.then == THROTTLE else ""


def kept_until(key: UniqueKey, now: float, eta: float | None) -> float | None:
    """Return until when a task that is stored now has its key whatever becomes of it."""
    if key.seconds is None:
        return None
    due = now if eta is None or key.then != THROTTLE else max(eta, now)
    return due + key.seconds


def waits_for(awaited_by: Callable[[str], Iterable[str]], id: str, other: str) -> bool:
    """Return whether the task `id` waits for `other`, through however many tasks; also if these
    are too many to look at. `awaited_by` returns for which unfinished ones a task waits."""
    found, pending = {id}, [id]
    while pending:
        if other in found or len(found) > MOST_AWAITED:
            return True
        new = set(awaited_by(pending.pop())) - found
        found |= new
        pending += new
    return False


def refusal(message: Message, key: UniqueKey, holder: str) -> DuplicateTask:
    """Return the error for `message`, which is refused as the task `holder` has its key."""
    own = own_part(message.task, key.key)
    return DuplicateTask(
        f"{message.task} is not sent: the task {holder} has its unique key {own!r}", own, holder
    )
