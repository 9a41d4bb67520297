"""Runs that ended together, grouped by what statistics and batch sizes distinguish."""

from collections.abc import Iterable
from typing import NamedTuple

from ..model.message import Delivery, Receipt
from ..model.outcome import Settlement
from ..pools.base import Success
from ..states import Phase

_SUCCEEDED = Phase.SUCCEEDED.name.lower()
_RUNS_AGAIN = ("retry", "lost")  # what is counted of runs after which a task runs once more


class Runs(NamedTuple):
    """The runs of tasks of one name, from one queue, that ended in one way."""

    queue: str
    task: str
    outcome: str | None  # see `Stat`; None: it is not counted
    seconds: list[float]  # that each took
    example: Receipt  # of one of them


def successful_runs(ends: Iterable[Success]) -> list[Runs]:
    """Return the runs of `ends`."""
    found: dict[tuple[str, str], Runs] = {}
    for delivery, _, _, seconds, _ in ends:
        key = (delivery.queue, delivery.task)
        runs = found.get(key)
        if runs is None:
            found[key] = Runs(*key, _SUCCEEDED, [seconds], delivery.receipt)
        else:
            runs.seconds.append(seconds)
    return list(found.values())


def run_of(delivery: Delivery, settlement: Settlement | None, seconds: float) -> Runs:
    """Return the run that ended in `settlement`; None: the task has settled itself, and succeeded.

    `seconds`: that it took.
    """
    return Runs(delivery.queue, delivery.task, _outcome(settlement), [seconds], delivery.receipt)


def _outcome(settlement: Settlement | None) -> str | None:
    if settlement is None:
        return _SUCCEEDED
    if settlement.phase.final:
        return settlement.phase.name.lower()
    return settlement.why if settlement.why in _RUNS_AGAIN else None
