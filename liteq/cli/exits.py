"""The exit codes of commands (after sysexits.h), and the errors that lead to them."""

from collections.abc import Iterable

from ..app.loader import AppNotFound
from ..exceptions import (
    BrokerCorrupt,
    BrokerError,
    BrokerGone,
    BrokerInsecure,
    BrokerTooNew,
    BrokerTooOld,
    BrokerUnavailable,
    ConfigurationError,
    InvalidTaskError,
    LiteqError,
    NotRegistered,
    TimeoutError,
)
from ..support.nearest import did_you_mean
from .output import complain

OK = 0
FAILED = 1  # the task failed, or what was asked for does not exist
USAGE = 2  # argparse
NO_APP = 66
DATA = 65  # a corrupt, foreign, newer or older file; arguments that cannot be sent
UNAVAILABLE = 69
GONE = 74  # the file was deleted or replaced under a running worker
TIMEOUT = 75
FORBIDDEN = 77
CONFIG = 78

# The first that fits is used, so a subclass is above its base class.
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (AppNotFound, NO_APP),
    (BrokerInsecure, FORBIDDEN),
    (BrokerGone, GONE),
    (BrokerCorrupt, DATA),
    (BrokerTooNew, DATA),
    (BrokerTooOld, DATA),
    (BrokerUnavailable, UNAVAILABLE),
    (BrokerError, UNAVAILABLE),
    (ConfigurationError, CONFIG),
    (NotRegistered, DATA),
    (InvalidTaskError, DATA),
    (TimeoutError, TIMEOUT),
    (LiteqError, FAILED),
)


def misused(text: str) -> int:
    """Print how the command is used; return the exit code."""
    complain(text)
    return USAGE


def no_action(command: str, name: str, actions: Iterable[str]) -> int:
    """Print that `command` has no action `name`; return the exit code."""
    known = list(actions)
    otherwise = f": give one of {', '.join(known)}"
    return misused(f"there is no {command} {name}{did_you_mean(name, known, otherwise)}")


def missing(texts: Iterable[str]) -> int:
    """Print a line for each missing thing; return the exit code, OK for none."""
    code = OK
    for text in texts:
        complain(text)
        code = FAILED
    return code


def exit_code(exc: BaseException) -> int | None:
    """Return the code for `exc`; None for an unexpected error, which is a bug."""
    return next((code for kind, code in _CODES if isinstance(exc, kind)), None)
