"""What tasks print and log, on its way to the server and back.

A sorted set has the output of a task. Each of its members is what came at once, as JSON: the
attempt, the number of the first line that was kept then, and the lines.
"""

import json
from collections.abc import Iterable

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE, check_output_line
from ...model.outcome import Settlement
from ...model.output import MOST_ATTEMPTS, Output, OutputLine, PlainLine
from .arguments import Arguments
from .server import Server
from .signing import Signing

_LINES_BITS = 33  # a score is exact up to 2**53: for a million attempts of 8,000 million lines

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def settlement_args(settlement: Settlement, signing: Signing, *, again: bool) -> Arguments:
    """Return a settlement with output and nothing else. Read by scripts/settling.lua."""
    output = settlement.output
    assert output is not None
    id, token = settlement.receipt
    output_of_it = output_args(str(id), output, signing)
    args: Arguments = [id, token, int(settlement.phase), int(again), 0, 0, *output_of_it]
    return [len(args), *args]


def output_args(id: str, output: Output, signing: Signing) -> Arguments:
    """Return the output of the task `id`. Read by scripts/output.lua."""
    attempt, lines, keep_from, begins = output
    body = signing.sign_output(id, _encode((attempt, keep_from, lines)).encode())
    oldest = max(attempt - MOST_ATTEMPTS + 1, 0)
    places = (_place(oldest, 0), _place(attempt, 0), _place(attempt, keep_from))
    return [1, int(begins), *places, _place(attempt, output.last), body]


def read_output(
    server: Server, prefix: str, id: str, signing: Signing, after: tuple[int, int]
) -> list[OutputLine]:
    """Return the lines of the task `id` that are behind the line `after` of an attempt.

    Raises InvalidTaskError for what liteq did not write, SecurityError for what is not genuine.
    """
    lines = lines_of(id, read_bodies(server, prefix, id, after), signing)
    return [line for line in lines if (line.attempt, line.number) > after]


def read_bodies(
    server: Server, prefix: str, id: str, after: tuple[int, int] = (0, 0)
) -> list[bytes]:
    """Return the members of a sorted set with lines behind the line `after` of an attempt."""
    behind = f"({_place(*after)}"
    bodies: list[bytes] = server.execute("ZRANGEBYSCORE", f"{prefix}:output:{id}", behind, "+inf")
    return bodies


def lines_of(id: str, bodies: Iterable[bytes], signing: Signing) -> list[OutputLine]:
    """Return the lines in the members of a sorted set. Raises as `read_output` does."""
    found: list[OutputLine] = []
    for body in bodies:
        data = signing.verify_output(id, body)
        try:
            attempt, keep_from, lines = json.loads(data)
            new = [OutputLine(attempt, *line) for line in lines]
            for line in new:
                check_output_line(line)
            found = [line for line in found if line.attempt != attempt or line.number >= keep_from]
        except UNREADABLE as exc:
            raise InvalidTaskError(f"the output of the task {id} cannot be read: {exc}") from exc
        found += new
    return found


def outputs_of(lines: Iterable[OutputLine]) -> list[Output]:
    """Return the lines of a task, oldest first, as one output for each attempt."""
    found: dict[int, list[PlainLine]] = {}
    for attempt, number, at, level, text in lines:
        found.setdefault(attempt, []).append((number, at, level, text))
    return [Output(attempt, tuple(each), each[0][0]) for attempt, each in found.items()]


def _place(attempt: int, number: int) -> int:
    """Return the score of a line."""
    return (attempt << _LINES_BITS) + number
