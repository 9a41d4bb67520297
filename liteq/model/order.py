"""Orders to workers, such as to grow a pool, and the answers to them."""

from typing import NamedTuple

LONGEST_ARGUMENTS = 65_536
"""Characters that the arguments of an order may have."""


class Order(NamedTuple):
    """An order to one worker."""

    call: str  # an id that all orders of one call have
    worker: int  # its number
    name: str  # of the command
    arguments: str  # a JSON object
    sent: float  # epoch seconds
    expires: float  # until when it is worth something, in epoch seconds


class Answer(NamedTuple):
    """What a worker has answered to an order."""

    call: str
    worker: int
    text: str  # JSON
