"""Looking for tasks that have expired while no claim hands them out, some at a time."""

from collections.abc import Callable, Iterable, Sequence

from ..model.pause import Pause, PauseKind
from .pausing import BREAK

Look = Callable[[str, int, int], tuple[int, int]]
"""Takes a queue, how many of its ready tasks to skip, and how many to look at. Ends those that have
expired; returns how many it has looked at, and how many have ended."""

_PAGE = 500  # tasks in one look


class Expiry:
    """Where the next look begins: a look at all of a million tasks would take seconds."""

    def __init__(self) -> None:
        self._queue = ""
        self._skip = 0

    def run(self, queues: Iterable[str], limit: int, look: Look) -> bool:
        """Look at `limit` tasks, from where the last call has ended; return whether these were the
        last ones. Then the next call begins anew."""
        for queue in sorted(queues):
            if queue < self._queue:
                continue
            if queue > self._queue:
                self._queue, self._skip = queue, 0
            while True:
                if limit <= 0:
                    return False
                size = min(limit, _PAGE)
                seen, ended = look(queue, self._skip, size)
                self._skip += seen - ended
                limit -= max(seen, 1)
                if seen < size:
                    break
        self._queue, self._skip = "", 0
        return True


def passed_over(stored: Iterable[object], pauses: Sequence[Pause]) -> list[str]:
    """Return those of the queues that tasks are kept in from which nothing is handed out, or not to
    every worker."""
    names = [queue for queue in stored if isinstance(queue, str)]
    if any(pause.kind == PauseKind.STORE for pause in pauses):
        return names
    paused = {pause.name for pause in pauses if pause.kind == PauseKind.QUEUE}
    return [queue for queue in names if BREAK in queue or queue in paused]
