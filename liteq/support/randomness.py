"""Random numbers that are liteq's own.

Programs seed the generator of `random`, so that their runs are alike. If ids were drawn from it,
two tasks could be given the same one, and the second would be taken for the first, sent twice. And
a program that sends tasks would draw other numbers than without them.
"""

import os
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

_generator = Random()

getrandbits: Callable[[int], int] = _generator.getrandbits
seed: Callable[..., None] = _generator.seed
uniform: Callable[[float, float], float] = _generator.uniform

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=seed)  # else it draws what its parent draws


def choice(items: Sequence[T]) -> T:
    """Return one of `items`."""
    return _generator.choice(items)


def sample(items: Sequence[T], count: int) -> list[T]:
    """Return `count` of `items`, none of them twice."""
    return _generator.sample(items, count)


def fraction_of(text: str) -> float:
    """Return a number from 0 to 1 that is random, but for each text the same in every process."""
    return Random(text).random()
