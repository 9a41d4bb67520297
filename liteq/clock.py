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
