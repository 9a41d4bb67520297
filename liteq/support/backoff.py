"""How long to wait before the next attempt. Pure: chance is an argument."""

import random
from collections.abc import Callable
from typing import NamedTuple

Jitter = Callable[[float], float]
"""Answers the seconds to wait instead of those it is given."""

_MOST_DOUBLINGS = 64  # beyond it the longest wait is long reached, and the power costs something


def full_jitter(seconds: float) -> float:
    """Any wait up to `seconds`, so that what failed together does not come back together."""
    return random.uniform(0.0, seconds)


def no_jitter(seconds: float) -> float:
    """Exactly `seconds`."""
    return seconds


class Backoff(NamedTuple):
    """Waits that double: `factor` seconds at first, `longest` seconds at most."""

    factor: float = 1.0
    longest: float = 600.0
    jitter: Jitter = full_jitter

    def delay(self, retries: int) -> float:
        """Seconds to wait after `retries` earlier retries."""
        doubled = self.factor * 2.0 ** min(retries, _MOST_DOUBLINGS)
        return max(self.jitter(min(doubled, self.longest)), 0.0)
