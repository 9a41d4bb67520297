"""Exit codes: which error ends a command with which (sysexits.h)."""

from collections.abc import Iterable

from ..app.loader import AppNotFound
from ..exceptions import (
    BrokerCorrupt,
    BrokerError,
    BrokerGone,
    BrokerInsecure,
    BrokerTooNew,
    BrokerUnavailable,
    ConfigurationError,
    InvalidTaskError,
    LiteqError,
    NotRegistered,
    TimeoutError,
)
from .output import complain

OK = 0
FAILED = 1  # the task failed, or what was asked for is not there
USAGE = 2  # argparse
NO_APP = 66
DATA = 65  # a corrupt, foreign or newer file; arguments that cannot be sent
UNAVAILABLE = 69
GONE = 74  # the file was deleted or replaced under a running worker
TIMEOUT = 75
FORBIDDEN = 77
CONFIG = 78

# The first that fits counts, so that the special stands before the general.
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (AppNotFound, NO_APP),
    (BrokerInsecure, FORBIDDEN),
    (BrokerGone, GONE),
    (BrokerCorrupt, DATA),
    (BrokerTooNew, DATA),
    (BrokerUnavailable, UNAVAILABLE),
    (BrokerError, UNAVAILABLE),
    (ConfigurationError, CONFIG),
    (NotRegistered, DATA),
    (InvalidTaskError, DATA),
    (TimeoutError, TIMEOUT),
    (LiteqError, FAILED),
)


def misused(text: str) -> int:
    """Say how the command wants to be used; the code."""
    complain(text)
    return USAGE


def missing(texts: Iterable[str]) -> int:
    """Say what is not there, a line for each; the code, OK for none."""
    code = OK
    for text in texts:
        complain(text)
        code = FAILED
    return code


def exit_code(exc: BaseException) -> int | None:
    """The code for `exc`; None for an error that is nobody's but ours."""
    return next((code for kind, code in _CODES if isinstance(exc, kind)), None)
