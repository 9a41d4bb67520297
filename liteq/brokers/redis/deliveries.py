"""Sorts deliveries: one that cannot be read, or is not genuine, costs no other."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ...exceptions import InvalidTaskError, SecurityError
from ...model.message import Delivery, Receipt
from ...model.outcome import Settlement
from ...support.clock import Clock
from ..stored import set_aside, set_delivery_aside
from .replies import delivery_of, receipt_of
from .signing import UNSIGNED

_logger = logging.getLogger("liteq.broker")


def log_unusable(receipts: Iterable[Receipt]) -> None:
    """Log tasks whose outcome could not be written, see `set_aside` in scripts/settling.lua."""
    for receipt in receipts:
        _logger.warning("task %s is set aside: what is stored of it cannot be used", receipt.key)


def sort_out(
    replies: Iterable[Any], decode: Callable[[Any], Delivery], clock: Clock
) -> tuple[list[Delivery], list[Settlement]]:
    """Return the deliveries that can be run, and the settlements that set the others aside.

    `decode` reads one of `replies`.
    """
    good, bad = [], []
    for reply in replies:
        try:
            good.append(decode(reply))
        except InvalidTaskError as exc:
            bad.append(set_aside(receipt_of(reply), "a task", exc, clock()))
        except SecurityError as exc:
            bad.append(set_delivery_aside(delivery_of(reply, UNSIGNED), exc, clock()))
    return good, bad
