"""Exit codes: which error ends a command with which (sysexits.h)."""

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
from ..loader import AppNotFound

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


def exit_code(exc: BaseException) -> int | None:
    """The code for `exc`; None for an error that is nobody's but ours."""
    return next((code for kind, code in _CODES if isinstance(exc, kind)), None)
