"""Time as an argument: whoever asks for the time is handed a clock."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Answers the time: seconds since the epoch (UTC)."""

system_clock: Clock = time.time


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`; a negative number moves back."""
        self.now += seconds


class Jumps:
    """Notices when a clock was set, and when the machine slept: waits that were begun are wrong."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = self._now()

    def any(self) -> bool:
        """Whether there was one since this was asked last; only those of a second and more."""
        ahead, self._ahead = self._ahead, self._now()
        return abs(self._ahead - ahead) >= 1.0

    def _now(self) -> float:
        return self._clock() - time.monotonic()
