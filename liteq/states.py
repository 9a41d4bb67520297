"""The states of a task: Celery's names for users, and the phases in the store.

A store keeps a `Phase`; users see Celery's states, and `public_state` is the only translation.
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
    """Return the rank of the state `name` (0 is the most final); custom states share one rank."""
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
    """The phase of a task in its store. SUCCEEDED and all that follow are final."""

    WAITING = 0  # for other tasks
    SCHEDULED = 1  # for its eta, or for its next attempt
    READY = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    DEAD = 6  # set aside: its processes died, its retries were used up, or its name is unknown
    CANCELLED = 7
    EXPIRED = 8
    SKIPPED = 9  # the task or group that it waited for failed

    @property
    def final(self) -> bool:
        """Return whether the task has ended."""
        return self >= Phase.SUCCEEDED


def phase_for_eta(eta: float | None, now: float) -> Phase:
    """Return the phase of a task that waits for no other task. `eta`, `now`: epoch seconds."""
    return Phase.READY if eta is None or eta <= now else Phase.SCHEDULED


_FINAL_STATES = {
    Phase.SUCCEEDED: SUCCESS,
    Phase.FAILED: FAILURE,
    Phase.DEAD: FAILURE,
    Phase.CANCELLED: REVOKED,
    Phase.EXPIRED: REVOKED,
    Phase.SKIPPED: FAILURE,
}


def was_ignored(phase: Phase, reported: str | None) -> bool:
    """Return whether a task that ended in `phase` raised Ignore, so that nothing follows it."""
    return phase == Phase.SUCCEEDED and reported is not None


def public_state(phase: Phase, *, retries: int, reported: str | None) -> str:
    """Return Celery's state of a task in `phase`.

    `reported` is the state that the task set by `update_state`; it stays when the task raises
    Ignore after that. A task that runs is STARTED, which Celery shows with `track_started` only; a
    task between two attempts is in RETRY.
    """
    if was_ignored(phase, reported) and reported != IGNORED:
        return str(reported)
    if phase.final:
        return _FINAL_STATES[phase]
    if reported is not None:
        return reported
    if phase is Phase.RUNNING:
        return STARTED
    return RETRY if retries else PENDING
