"""The pace of the sweeper: how much it deletes at once, and when it comes back.

It must outpace the tasks that end, or the store grows for ever, and yet leave the write lock to
others. So a turn is bounded by time and not by a number; as long as a turn leaves something over it
comes back after as long a pause, and else when about as much as one turn deletes will be due.
"""

TURN = 0.005  # seconds that one transaction may take
_FIRST, _LEAST, _MOST = 500, 100, 20_000  # records in one turn
_SHORTEST, _LONGEST = 0.05, 30.0  # seconds until the next turn when nothing was left over


class SweepPace:
    """How many records to delete in the next turn, `limit`, and after which pause."""

    def __init__(self) -> None:
        self.limit: int = _FIRST
        self._pause = _LONGEST

    def next_turn(self, swept: int, seconds: float) -> float:
        """Return the seconds until the next turn, after one that took `seconds` for `swept`."""
        full = swept >= self.limit
        if full:
            # Halved or doubled at most: one slow turn may be somebody else's.
            factor = min(max(TURN / max(seconds, 1e-6), 0.5), 2.0)
            self.limit = int(min(max(self.limit * factor, _LEAST), _MOST))
            self._pause = _SHORTEST
            return TURN
        rate = self.limit / max(swept, 1) / 2  # a turn that is half full keeps its pause
        self._pause = min(max(self._pause * min(max(rate, 0.5), 2.0), _SHORTEST), _LONGEST)
        return self._pause
