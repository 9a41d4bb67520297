"""What a task has printed and logged, as those see it who look at its result."""

from datetime import UTC, datetime
from typing import NamedTuple

from .backend import Backend


class LogLine(NamedTuple):
    """A line that a task has printed or logged: `result.log()` lists them."""

    attempt: int  # from 1, as in `result.attempts()`
    number: int  # in the attempt, from 1; those before the first that is kept are gone
    at: datetime  # in UTC, by the clock of the machine that ran it
    level: str | None  # of `logging`, such as WARNING; None: it was printed
    text: str  # without the end of the line


def log_of(backend: Backend, id: str, attempt: int | None = None) -> list[LogLine]:
    """Return the lines of the task `id` that are kept, oldest first; or those of one attempt.

    Raises InvalidTaskError when what is stored cannot be read, SecurityError when it is not
    genuine, BrokerError when the store fails.
    """
    after = (0, 0) if attempt is None else (attempt, 0)
    return [
        LogLine(*line[:2], datetime.fromtimestamp(line.at, UTC), *line[3:])
        for line in backend.broker.output(id, after)
        if attempt is None or line.attempt == attempt
    ]
