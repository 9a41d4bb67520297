"""The output of tasks, as it is read from a store. Any program may have written what is there."""

from collections.abc import Iterable

from ..exceptions import InvalidTaskError
from ..model.checks import UNREADABLE, check_output_line
from ..model.output import Output, OutputLine, decode_lines


def lines_of(id: str, outputs: Iterable[Output], after: tuple[int, int]) -> list[OutputLine]:
    """Return the lines of the task `id` behind the line `after`, of its outputs in their order.

    Raises InvalidTaskError for what liteq did not write.
    """
    try:
        lines = decode_lines(outputs)
        for line in lines:
            check_output_line(line)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"the output of the task {id} cannot be read: {exc}") from exc
    return [line for line in lines if (line.attempt, line.number) > after]
