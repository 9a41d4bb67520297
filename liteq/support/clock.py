"""Clocks: code that needs the time is given one, so tests can replace it."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""A function that returns the time in epoch seconds (UTC)."""

system_clock: Clock = time.time


class ManualClock:
    """A clock for tests that stands still until it is advanced."""

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.now: float = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`; a negative number moves it back."""
        self.now += seconds


class JumpDetector:
    """A detector of clocks that were set and of machines that slept, both of which spoil waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._offset_now()

    def jumped(self) -> bool:
        """Return whether the clock jumped by a second or more since the last call."""
        before, self._offset = self._offset, self._offset_now()
        return abs(self._offset - before) >= 1.0

    def _offset_now(self) -> float:
        return self._clock() - time.monotonic()
