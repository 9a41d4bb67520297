"""The output of tasks: the verb that reads it, and how what is stored is read.

Any program may have written what is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from ..exceptions import InvalidTaskError
from ..model.checks import UNREADABLE, check_output_line
from ..model.output import Output, OutputLine, decode_lines


class Outputs(ABC):
    """The output of tasks. `settle` writes it, see `Settlement.output`.

    It is written if the claim holds, or has ended in success and was the last one. What `Output`
    says is not kept is deleted, and all of it with its task.
    """

    @abstractmethod
    def output(self, id: str, after: tuple[int, int] = (0, 0)) -> list[OutputLine]:
        """Return the lines that a task has printed and logged, oldest first.

        `after`: an attempt and a number; only lines behind that one. None for an unknown id.
        """


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
