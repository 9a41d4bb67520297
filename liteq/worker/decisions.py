"""Decide what becomes of tasks that have ended, and pass it on to be written and counted."""

from typing import NamedTuple

from ..model.message import Delivery
from ..model.outcome import Outcome, Policy
from ..pools.base import PoolEvents
from ..support.clock import Clock
from .batching import Batching
from .decide import decide, decide_successes
from .runs import run_of, successful_runs
from .statistics import WorkerStatistics
from .step_requests import StepRequests
from .writer import Writer


class Sinks(NamedTuple):
    """The parts of a worker that take what was decided."""

    writer: Writer
    steps: StepRequests
    batching: Batching
    statistics: WorkerStatistics


class Decisions:
    """Decides by `policy` what is written of tasks. `clock`: that of their store."""

    def __init__(self, clock: Clock, policy: Policy, sinks: Sinks) -> None:
        self._clock = clock
        self._policy = policy
        self._sinks = sinks

    def add_all(self, events: PoolEvents) -> int:
        """Decide about tasks that have ended, or have ended a step; return how many have ended."""
        now, policy = self._clock(), self._policy
        writer, steps, batching, statistics = self._sinks
        if events.steps:
            writer.add(
                steps.settlements(events.steps, now), [each.delivery for each in events.steps]
            )
        ends = [
            (delivery, outcome, None if outcome.settled else decide(delivery, outcome, policy, now))
            for delivery, outcome, _ in events.finished
        ]
        settlements = decide_successes(events.succeeded, policy, now)
        settlements += [each for *_, each in ends if each is not None]
        ended = [each.delivery for each in events.succeeded]
        ended += [delivery for delivery, _, each in ends if each is not None]
        writer.add(settlements, ended)
        runs = successful_runs(events.succeeded)
        runs += [run_of(delivery, each, outcome.runtime) for delivery, outcome, each in ends]
        batching.note_all(runs)
        statistics.note(runs)
        return len(events.succeeded) + len(ends)

    def add(self, delivery: Delivery, outcome: Outcome) -> None:
        """Decide about a task that was not run here, or whose process cannot report its end."""
        settlement = decide(delivery, outcome, self._policy, self._clock())
        self._sinks.writer.add([settlement], [delivery])
        self._sinks.statistics.note([run_of(delivery, settlement, outcome.runtime)])
