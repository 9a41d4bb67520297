"""Log lines about tasks: Celery's lines at Celery's levels."""

import logging
from functools import partial
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

    def finished(self, delivery: Delivery, outcome: Outcome, slot: int | None) -> None:
        """Log the `outcome` of a task that ran in `slot`; None: it did not run."""
        info = partial(task_logger.info, extra={"liteq_slot": slot})
        error = partial(task_logger.error, extra={"liteq_slot": slot})
        name, note = _name(delivery), one_line(outcome.note)
        match outcome.kind:
            case Kind.SUCCEEDED:
                info("Task %s succeeded in %.6gs: %s", name, outcome.runtime, note)
            case Kind.RETRY:
                info("Task %s retry: %s", name, note)
            case Kind.FAILED if outcome.expected:
                info("Task %s raised expected: %s", name, note)
            case Kind.FAILED:
                trace = f"\n{indented(outcome.traceback)}" if outcome.traceback else ""
                error("Task %s raised unexpected: %s%s", name, note, trace)
            case Kind.UNKNOWN:
                error("Received unregistered task %s, set aside: %s", name, note)
            case Kind.LOST:
                error("Task %s lost its process: %s", name, note)
            case Kind.OVERDUE | Kind.TERMINATED:
                error("Task %s terminated: %s", name, note)
            case Kind.EXPIRED:
                info("Discarding revoked task: %s (expired)", name)
            case (
                Kind.IGNORED
                | Kind.REJECTED
                | Kind.REQUEUED
                | Kind.REPLACED
                | Kind.LEFT
                | Kind.LIMITED
            ) | (Kind.LIMITED | Kind.SNOOZED | Kind.SLEPT | Kind.AWAITED | Kind.GATHERED):
                info("Task %s %s: %s", name, outcome.kind, note)
            case _:
                assert_never(outcome.kind)


def _name(delivery: Delivery) -> str:
    return one_line(f"{delivery.task}[{delivery.id}]")
