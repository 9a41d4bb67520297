"""The `Job`: a sent task, as tools show it."""

from typing import Any, NamedTuple

from ..states import FAILURE, PENDING, RETRY, REVOKED, STARTED, SUCCESS, Phase

_OF_CELERY = {
    PENDING: (Phase.WAITING, Phase.SCHEDULED, Phase.READY),
    STARTED: (Phase.RUNNING,),
    SUCCESS: (Phase.SUCCEEDED,),
    FAILURE: (Phase.FAILED, Phase.DEAD, Phase.SKIPPED),
    REVOKED: (Phase.CANCELLED, Phase.EXPIRED),
    RETRY: (Phase.SCHEDULED,),
}


class Job(NamedTuple):
    """A task that was sent, and what became of it. Times are epoch seconds.

    Arguments and result are short texts, for which nothing of them was run.
    """

    id: str
    task: str  # its name
    state: str  # a phase in lower case, such as `ready` or `failed`
    queue: str
    args: str  # as they stand in a call
    priority: int
    retries: int
    lost: int  # processes that died while running it
    worker: str | None  # that runs it, or ran it last
    sent: float
    eta: float | None
    expires: float | None
    started: float | None
    finished: float | None
    result: str | None  # of one that succeeded
    error: str | None  # the last line of the traceback
    traceback: str | None
    seq: int  # its place in the order of sending
    paused: float | None = None  # of one that waits: since when its queue, task or store is paused

    @property
    def runtime(self) -> float | None:
        """Return the seconds that the last run took; None if it has not ended."""
        ended = self.started is not None and self.finished is not None
        return max(self.finished - self.started, 0.0) if ended else None  # type: ignore[operator]


def phases_of(state: Any) -> list[Phase]:
    """Return the phases that a state names: one of ours, or one of Celery's; None names all.

    Raises ValueError for an unknown one.
    """
    if state is None:
        return list(Phase)
    names = [state] if isinstance(state, str) else list(state)
    found: dict[Phase, None] = {}
    for name in names:
        upper = str(name).upper()
        if upper not in Phase.__members__ and upper not in _OF_CELERY:
            known = ", ".join(phase.name.lower() for phase in Phase)
            raise ValueError(f"there is no state {name!r}; known are {known}, and Celery's")
        own = (Phase[upper],) if upper in Phase.__members__ else _OF_CELERY[upper]
        found.update(dict.fromkeys(own))
    return list(found)
