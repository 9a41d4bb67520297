"""The option `connection` of a call: it is sent in the transaction that is open there."""

from typing import TYPE_CHECKING, Any

from ..result.app import App

if TYPE_CHECKING:  # few programs need it
    from .block import Transaction


def joining(app: App, options: Any) -> "Transaction | None":
    """Take `connection` out of `options`, a dict; return the block to send the call in, if any."""
    connection = options.pop("connection", None)
    if connection is None:
        return None
    from .block import Joined

    return Joined(app, connection)
