"""Autoscaling: how many slots a worker has, by how long ready tasks wait and which slots are idle.

One slot is added each second while a task waits and all slots are busy. One is taken away each
second while it was idle for the last half minute.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..exceptions import ConfigurationError

_WAITED = 0.5  # seconds for which the oldest ready task waits before a slot is added
_IDLE = 30.0  # seconds without use after which a slot is taken away


class Scale(NamedTuple):
    """The number of slots that a worker may have."""

    most: int
    least: int


class Load(NamedTuple):
    """The load of a worker at one moment."""

    size: int  # slots
    busy: int  # of them
    waited: float | None = None  # seconds for which the oldest ready task has waited; None: no such


def check_scale(most: int, least: int) -> Scale:
    """Return the scale. Raises ConfigurationError for one that no worker can have."""
    if not 1 <= least <= most:
        raise ConfigurationError(
            f"autoscale takes the most and the least slots, such as 10,2, and not {most},{least}"
        )
    return Scale(most, least)


def note_use(used: Sequence[float], load: Load, now: float) -> list[float]:
    """Return when each number of slots was needed last: at index 0 that of one slot.

    `used`: what the last call returned, empty at first. `now`: seconds, by any clock.
    """
    known = [*used[: load.size], *[now] * (load.size - len(used))]
    return [now] * min(load.busy, load.size) + known[load.busy :]


def next_size(scale: Scale, load: Load, used: Sequence[float], now: float) -> int:
    """Return how many slots there are to be now. `used`: what `note_use` has returned."""
    size = min(max(load.size, scale.least), scale.most)
    if size != load.size:
        return size
    if load.busy >= size and load.waited is not None and load.waited >= _WAITED:
        return min(size + 1, scale.most)
    if size > scale.least and now - used[size - 1] >= _IDLE:
        return size - 1
    return size
