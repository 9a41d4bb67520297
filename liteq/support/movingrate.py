"""A rate of late: how much something has grown a second."""

from collections import deque

_WINDOW = 30.0  # seconds
_STEP = 0.5  # seconds between two points that are kept: no more than 60 are


class MovingRate:
    """The rate at which a number has grown in the last half minute.

    Where it grows seldom, since the last time before that.
    """

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()

    def add(self, at: float, value: float) -> None:
        """Note that the number was `value` at the moment `at`, in seconds.

        If it was larger before, something new has begun.
        """
        points = self._points
        if points and value < points[-1][1]:
            points.clear()
        if len(points) > 1 and points[-1][0] - points[-2][0] < _STEP:
            points.pop()  # the first one of all stays
        points.append((at, value))
        while len(points) > 2 and points[1][0] <= at - _WINDOW:
            points.popleft()

    @property
    def per_second(self) -> float | None:
        """Return the rate; None if it is not known yet."""
        if len(self._points) < 2:
            return None
        (began, first), (at, last) = self._points[0], self._points[-1]
        return (last - first) / (at - began) if at > began else None
