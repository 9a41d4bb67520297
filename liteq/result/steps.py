"""The durable steps of a task, as those see them who look at its result."""

from typing import Any, NamedTuple

from ..model.step import Step, StepKind
from .backend import Backend


class StepResult(NamedTuple):
    """A step of a task: `result.steps()` lists them."""

    name: str
    kind: str  # step, sleep, wait, gather
    state: str  # done, failed, timed out; pending while it goes on
    at: float  # epoch seconds; when it ended, or began if it goes on
    until: float | None  # epoch seconds; when a sleep, or a wait, ends at the latest
    value: Any  # of the function, the event, or the tasks; the error if it failed


def steps_of(backend: Backend, id: str) -> list[StepResult]:
    """Return the steps of the task `id`, oldest first.

    Raises SerializationError when a value cannot be decoded here, BrokerError when the store fails.
    """
    broker = backend.broker
    now = broker.clock()
    return [
        StepResult(
            step.name,
            str(step.kind),
            state_of_step(step, now),
            step.at,
            step.until,
            backend.step_value(step),
        )
        for step in broker.steps(id)
    ]


def state_of_step(step: Step, now: float) -> str:
    """Return how far a step is at `now`, in epoch seconds."""
    if not step.ended(now):
        return "pending"
    if step.failed:
        return "failed"
    timed_out = step.kind == StepKind.WAIT and step.serializer is None
    return "timed out" if timed_out else "done"
