"""How the lines of a log look."""

import logging
from typing import Any

from ..execution.context import sent_from
from ..support.printable import indented


class LineFormatter(logging.Formatter):
    """Formats lines by `format`; those that a task writes, by whatever logger, by `task_format`.

    That one knows `task_name` and `task_id` as well.
    """

    def __init__(self, format: str, task_format: str) -> None:
        super().__init__(format)
        self._of_task = logging.Formatter(task_format)

    def usesTime(self) -> bool:  # noqa: N802 - logging's
        """Whether `asctime` is needed."""
        return super().usesTime() or self._of_task.usesTime()

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """The line without a traceback."""
        run = getattr(record, "run", None) or sent_from()
        record.task_name, record.task_id = (run.task, run.id) if run else ("???", "???")
        return self._of_task.formatMessage(record) if run else super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's
        """The traceback below it."""
        return indented(super().formatException(ei))
