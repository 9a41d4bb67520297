"""The handover of results to a callback, one by one, while the rest is waited for."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..exceptions import TimeoutError
from .waiting import refresh

Callback = Callable[[str, Any], object]
"""A function that takes the id of a result and its value."""


class Handover:
    """The handover of `results` to `callback`: in order, and each once.

    `timeout`: seconds that it may take, with the time that the callback takes. `propagate`: raise
    the exceptions of tasks, rather than hand them over as values.
    """

    def __init__(
        self, results: Sequence[Any], callback: Callback, timeout: float | None, propagate: bool
    ) -> None:
        self._left = deque(results)
        self._callback = callback
        self._timeout = timeout
        self._propagate = propagate
        self._deadline = time.monotonic() + timeout if timeout else None  # 0: do not wait for any

    def follow(self, arrivals: Iterable[object]) -> None:
        """Hand over what has finished, at first and after each of `arrivals`.

        Raises TimeoutError when they do, after what has finished by then was handed over, and when
        the time is over with results left.
        """
        polls = iter(arrivals)
        more = True
        while more:
            try:
                more = next(polls, None) is not None
            except TimeoutError:
                self._hand_over_all_finished()
                raise
            self._hand_over_first_ones()

    def _hand_over_first_ones(self) -> None:
        while self._left and _has_finished(self._left[0]):
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise TimeoutError(
                    f"{len(self._left)} results were not handed over within {self._timeout} "
                    "seconds, which the callback took"
                )
            self._hand_over(self._left.popleft())

    def _hand_over_all_finished(self) -> None:
        refresh(leaf for result in self._left for leaf in result.leaves())
        for result in self._left:
            if _has_finished(result):
                self._hand_over(result)

    def _hand_over(self, result: Any) -> None:
        self._callback(result.id, value_of(result, self._propagate))


def value_of(result: Any, propagate: bool) -> Any:
    """Return the value of a result that has finished, without waiting or polling."""
    return result.get(timeout=0, propagate=propagate, disable_sync_subtasks=False)


def _has_finished(result: Any) -> bool:
    return all(leaf.known for leaf in result.leaves())
