"""Waits before the next attempt. Pure: the randomness is passed in."""

from collections.abc import Callable
from typing import NamedTuple

from .randomness import uniform

Jitter = Callable[[float], float]
"""A function from the seconds that are planned to the seconds to wait."""

_MOST_DOUBLINGS = 64  # `longest` is reached long before, and a larger power takes time


def full_jitter(seconds: float) -> float:
    """Return a random wait of 0 to `seconds`, so that tasks that failed together spread out."""
    return uniform(0.0, seconds)


def no_jitter(seconds: float) -> float:
    """Return `seconds` unchanged."""
    return seconds


class Backoff(NamedTuple):
    """Waits that double: `factor` seconds at first, `longest` seconds at most."""

    factor: float = 1.0
    longest: float = 600.0
    jitter: Jitter = full_jitter

    def delay(self, retries: int) -> float:
        """Return the seconds to wait after `retries` earlier retries."""
        doubled = self.factor * 2.0 ** min(retries, _MOST_DOUBLINGS)
        return max(self.jitter(min(doubled, self.longest)), 0.0)
