"""Log lines about tasks: Celery's lines at Celery's levels."""

import logging
from typing import assert_never

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..support.printable import indented, one_line

logger: logging.Logger = logging.getLogger("liteq.worker")
task_logger: logging.Logger = logging.getLogger("liteq.task")


class TaskLog:
    """The log of received and finished tasks. Where it is disabled, it costs one look at a flag."""

    def __init__(self) -> None:
        self.verbose: bool = task_logger.isEnabledFor(logging.INFO)

    def received(self, delivery: Delivery) -> None:
        """Log that a task was claimed."""
        task_logger.info("Task %s received", _name(delivery))

    def taken(self, delivery: Delivery) -> None:
        """Log that a task was ended because another worker has it now."""
        task_logger.error("Task %s terminated: another worker has it now", _name(delivery))

    def finished(self, delivery: Delivery, outcome: Outcome) -> None:
        """Log the `outcome` of a task."""
        name, note = _name(delivery), one_line(outcome.note)
        match outcome.kind:
            case Kind.SUCCEEDED:
                task_logger.info("Task %s succeeded in %.6gs: %s", name, outcome.runtime, note)
            case Kind.RETRY:
                task_logger.info("Task %s retry: %s", name, note)
            case Kind.FAILED if outcome.expected:
                task_logger.info("Task %s raised expected: %s", name, note)
            case Kind.FAILED:
                trace = f"\n{indented(outcome.traceback)}" if outcome.traceback else ""
                task_logger.error("Task %s raised unexpected: %s%s", name, note, trace)
            case Kind.UNKNOWN:
                task_logger.error("Received unregistered task %s, set aside: %s", name, note)
            case Kind.LOST:
                task_logger.error("Task %s lost its process: %s", name, note)
            case Kind.OVERDUE | Kind.TERMINATED:
                task_logger.error("Task %s terminated: %s", name, note)
            case Kind.EXPIRED:
                task_logger.info("Discarding revoked task: %s (expired)", name)
            case Kind.IGNORED | Kind.REJECTED | Kind.REQUEUED | Kind.REPLACED:
                task_logger.info("Task %s %s: %s", name, outcome.kind, note)
            case _:
                assert_never(outcome.kind)


def _name(delivery: Delivery) -> str:
    return one_line(f"{delivery.message.task}[{delivery.message.id}]")
