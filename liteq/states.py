"""The states a task can be in: Celery's words for users, and the phases a store keeps.

A store keeps a `Phase`; users read Celery's states, and `public_state` is the only translation.
"""

from enum import IntEnum

PENDING = "PENDING"
RECEIVED = "RECEIVED"
STARTED = "STARTED"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
REVOKED = "REVOKED"
REJECTED = "REJECTED"
RETRY = "RETRY"
IGNORED = "IGNORED"

READY_STATES = frozenset({SUCCESS, FAILURE, REVOKED})
UNREADY_STATES = frozenset({PENDING, RECEIVED, STARTED, REJECTED, RETRY})
EXCEPTION_STATES = frozenset({RETRY, FAILURE, REVOKED})
PROPAGATE_STATES = frozenset({FAILURE, REVOKED})
ALL_STATES = READY_STATES | UNREADY_STATES

# Most final first; a custom state ranks between the finished and the unfinished ones.
PRECEDENCE = (SUCCESS, FAILURE, None, REVOKED, STARTED, RECEIVED, REJECTED, RETRY, PENDING)


def precedence(name: str) -> int:
    """The rank of state `name` (0 is the most final); custom states share one rank."""
    return PRECEDENCE.index(name if name in PRECEDENCE else None)


class state(str):  # noqa: N801 - Celery's name
    """A state that compares by precedence: `state("SUCCESS") > state("PENDING")`."""

    __slots__ = ()

    def __gt__(self, other: str) -> bool:
        return precedence(self) < precedence(other)

    def __ge__(self, other: str) -> bool:
        return precedence(self) <= precedence(other)

    def __lt__(self, other: str) -> bool:
        return precedence(self) > precedence(other)

    def __le__(self, other: str) -> bool:
        return precedence(self) >= precedence(other)


class Phase(IntEnum):
    """Where a task stands in its store. From SUCCEEDED on it is final."""

    WAITING = 0  # for other tasks
    SCHEDULED = 1  # for its eta, or for its next attempt
    READY = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    DEAD = 6  # set aside: it killed its processes, used up its retries, or nobody knew it
    CANCELLED = 7
    EXPIRED = 8
    SKIPPED = 9  # what it waited for has failed

    @property
    def final(self) -> bool:
        return self >= Phase.SUCCEEDED


_FINAL_STATES = {
    Phase.SUCCEEDED: SUCCESS,
    Phase.FAILED: FAILURE,
    Phase.DEAD: FAILURE,
    Phase.CANCELLED: REVOKED,
    Phase.EXPIRED: REVOKED,
    Phase.SKIPPED: FAILURE,
}


def was_ignored(phase: Phase, reported: str | None) -> bool:
    """Whether a task that ended in `phase` wanted to be ignored, so that nothing comes of it."""
    return phase == Phase.SUCCEEDED and reported is not None


def public_state(phase: Phase, *, retries: int, track_started: bool, reported: str | None) -> str:
    """Celery's word for a task in `phase`.

    `reported` is what the task said of itself by `update_state`: it stays for one that raised
    Ignore then. STARTED is told only for tasks with `track_started`, as in Celery; a task between
    two attempts is in RETRY.
    """
    if was_ignored(phase, reported) and reported != IGNORED:
        return str(reported)
    if phase.final:
        return _FINAL_STATES[phase]
    if reported is not None:
        return reported
    if phase is Phase.RUNNING and track_started:
        return STARTED
    return RETRY if retries else PENDING
