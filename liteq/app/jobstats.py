"""Tell how tasks fared lately, by the statistics of the store: `app.jobs.stats`."""

from typing import Literal

from ..brokers.base import Broker
from ..model.stat import HOUR, KEPT, MINUTE
from ..model.summary import BY, Summary, resolution, starts, summaries

By = Literal["task", "queue", "all"]

_LONGEST = KEPT[HOUR] / MINUTE


def job_stats(broker: Broker, minutes: float, by: By) -> list[Summary]:
    """Return how runs ended in the last `minutes`: see `Jobs.stats`. Raises ValueError."""
    if by not in BY:
        raise ValueError(f"statistics are by {', by '.join(BY)}: by={by!r} is none of these")
    if not 1 <= minutes <= _LONGEST:
        raise ValueError(
            f"statistics are kept for {_LONGEST:g} minutes: minutes={minutes!r} is not within 1 "
            "and these"
        )
    seconds, periods = resolution(minutes), starts(minutes, broker.clock())
    found = broker.statistics(seconds, periods[0], periods[-1] + seconds)
    return summaries(found, by, periods, seconds)
