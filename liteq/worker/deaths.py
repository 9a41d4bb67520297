"""What is told of a task whose process has ended."""

import json

from ..exceptions import LiteqError, Terminated, TimeLimitExceeded, WorkerLostError
from ..execution.failure import describe, encode_failure
from ..model.outcome import Kind, Outcome
from ..pools import scoreboard
from ..pools.base import Death
from ..serializers import Serializer

_ERRORS: dict[Kind, type[LiteqError]] = {
    Kind.LOST: WorkerLostError,
    Kind.OVERDUE: TimeLimitExceeded,
    Kind.TERMINATED: Terminated,
}


class Scoreboards:
    """What dead workers left behind, by the `info` of each in the store."""

    def __init__(self) -> None:
        self._read: set[str] = set()

    def started(self, info: str) -> frozenset[int] | None:
        """The tokens of the claims that a dead worker had started.

        None when nobody can tell, as after a restart of the machine.
        """
        path = json.loads(info).get("scoreboard")
        if not path:
            return None
        self._read.add(path)
        return scoreboard.started_tokens(path)

    def remove(self) -> None:
        """Remove those that were read. Only after the rescue is written: until then it may have
        to be done again."""
        while self._read:
            scoreboard.remove(self._read.pop())


def lost_outcome(death: Death, serializer: Serializer) -> Outcome:
    """The outcome of the task that `death` ended."""
    error = _ERRORS[death.kind](death.reason)
    return Outcome(
        death.kind,
        encode_failure(error, serializer),
        serializer.name,
        death.ran,
        describe(error),
        death.reason,
    )
