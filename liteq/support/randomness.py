"""Random numbers that are liteq's own.

Programs seed the generator of `random`, so that their runs are alike. If ids were drawn from it,
two tasks could be given the same one, and the second would be taken for the first, sent twice. And
a program that sends tasks would draw other numbers than without them.
"""

import os
from random import Random

_generator = Random()

choice = _generator.choice
getrandbits = _generator.getrandbits
sample = _generator.sample
seed = _generator.seed
uniform = _generator.uniform

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=seed)  # else it draws what its parent draws


def fraction_of(text: str) -> float:
    """Return a number from 0 to 1 that is random, but for each text the same in every process."""
    return Random(text).random()
