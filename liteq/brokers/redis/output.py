"""What tasks print and log, on its way to the server and back.

A sorted set has the output of a task. Each of its members is an `Output`, the fields of which are
separated by spaces; its score is the place of the last line.
"""

from collections.abc import Iterable

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE
from ...model.outcome import Settlement
from ...model.output import MOST_ATTEMPTS, Output, OutputLine
from ..output import lines_of
from .arguments import Arguments
from .server import Server
from .signing import Signing

_LINES_BITS = 33  # a score is exact up to 2**53: for a million attempts of 8,000 million lines


def settlement_args(settlement: Settlement, signing: Signing, *, again: bool) -> Arguments:
    """Return a settlement with output and nothing else. Read by scripts/settling.lua."""
    output = settlement.output
    assert output is not None
    id, token = settlement.receipt
    rest = output_args(str(id), output, signing)
    args: Arguments = [id, token, int(settlement.phase), int(again), 0, 0, *rest]
    return [len(args), *args]


def output_args(id: str, output: Output, signing: Signing) -> Arguments:
    """Return the output of the task `id`. Read by scripts/output.lua."""
    attempt, last, keep_from, lines, begins = output
    body = signing.sign_output(id, f"{attempt} {last} {keep_from} {lines}".encode())
    oldest = max(attempt - MOST_ATTEMPTS + 1, 0)
    places = (_place(oldest, 0), _place(attempt, 0), _place(attempt, keep_from))
    return [1, int(begins), *places, _place(attempt, last), body]


def read_output(
    server: Server, prefix: str, id: str, signing: Signing, after: tuple[int, int]
) -> list[OutputLine]:
    """Return the lines of the task `id` that are behind the line `after` of an attempt.

    Raises InvalidTaskError for what liteq did not write, SecurityError for what is not genuine.
    """
    bodies = read_bodies(server, prefix, id, after)
    return lines_of(id, outputs_of(id, bodies, signing), after)


def read_bodies(
    server: Server, prefix: str, id: str, after: tuple[int, int] = (0, 0)
) -> list[bytes]:
    """Return the members of a sorted set with lines behind the line `after` of an attempt."""
    behind = f"({_place(*after)}"
    bodies: list[bytes] = server.execute("ZRANGEBYSCORE", f"{prefix}:output:{id}", behind, "+inf")
    return bodies


def outputs_of(id: str, bodies: Iterable[bytes], signing: Signing) -> list[Output]:
    """Return the outputs in the members of a sorted set. Raises as `read_output` does."""
    found: list[Output] = []
    for body in bodies:
        data = signing.verify_output(id, body)
        try:
            *numbers, lines = data.decode().split(" ", 3)
            attempt, last, keep_from = map(int, numbers)
        except UNREADABLE as exc:
            raise InvalidTaskError(f"the output of the task {id} cannot be read: {exc}") from exc
        found.append(Output(attempt, last, keep_from, lines))
    return found


def _place(attempt: int, number: int) -> int:
    """Return the score of a line."""
    return (attempt << _LINES_BITS) + number
