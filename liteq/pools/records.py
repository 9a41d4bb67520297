"""Log records on the stream from a child to the supervisor, whose loggers then handle them.

A program sets up its logging under its main guard, which its child processes do not run: without
this, what tasks log would be seen nowhere, or only as warnings on standard error.
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from ..exceptions import SoftTimeLimitExceeded
from ..model.checks import MAYBE_TEXT, NUMBER, TEXT, Shape

ROOT = "root"

_LONGEST = 64 * 1024  # characters of a message, and of a traceback
_RECORD = Shape(
    name=TEXT,
    level=(int,),
    message=TEXT,
    traceback=MAYBE_TEXT,
    path=TEXT,
    line=(int,),
    function=MAYBE_TEXT,
    created=NUMBER,
    process=(int,),
    thread=TEXT,
)
_SLOT = Shape(slot=(int, type(None)))


def levels() -> dict[str, int]:
    """Return the levels of this program's loggers, of those that have one."""
    named = {
        name: each.level
        for name, each in list(logging.root.manager.loggerDict.items())
        if isinstance(each, logging.Logger) and each.level
    }
    return {**named, ROOT: logging.root.level}


class RecordSender(logging.Handler):
    """A handler of the root logger that hands each record to `send`, as plain values."""

    def __init__(self, send: Callable[[tuple[Any, ...]], None]) -> None:
        super().__init__()
        self._send = send
        self._pid = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Send `record`. A process that the task has forked has no stream of its own.

        What is wrong with a record is printed, as Python's own handlers do: the task goes on.
        """
        if os.getpid() == self._pid:
            try:
                self._send(_plain(record))
            except (RecursionError, SoftTimeLimitExceeded):
                raise  # of the task
            except OSError:
                pass  # the supervisor has exited
            except Exception:  # noqa: BLE001 - arguments of the program's run their own code
                self.handleError(record)
        elif logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)


def send_records(send: Callable[[tuple[Any, ...]], None], wanted: Mapping[str, int]) -> None:
    """Send records to the supervisor that its loggers, with the levels `wanted`, would handle.

    A child whose modules have set up the root logger keeps that.
    """
    if logging.root.handlers:
        return
    for name, level in wanted.items():
        logger = logging.root if name == ROOT else logging.getLogger(name)
        if logger is logging.root or not logger.level:
            logger.setLevel(level)
    logging.root.addHandler(RecordSender(send))


def handle_record(values: Any, slot: int | None) -> None:
    """Let the loggers of this process handle what a child has sent. Raises one of UNREADABLE.

    `slot`: None for a line that no task has written.
    """
    _SLOT.check((slot,))
    _RECORD.check(values)
    try:
        _handle(values, slot)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - what the program has put in may raise anything
        pass


def _handle(values: tuple[Any, ...], slot: int | None) -> None:
    name, level, message, traceback, path, line, function, created, process, thread = values
    logger = logging.getLogger(name)
    if not logger.isEnabledFor(level):
        return
    # A name that no record factory of a program sets.
    extra = None if slot is None else {"liteq_slot": slot}
    where = "child" if slot is None else f"slot-{slot}"
    record = logger.makeRecord(name, level, path, line, message, (), None, function, extra)
    record.exc_text = traceback
    record.created, record.msecs = created, created % 1 * 1000
    record.process, record.processName, record.threadName = process, where, thread
    logger.handle(record)


def _plain(record: logging.LogRecord) -> tuple[Any, ...]:
    """Return what the supervisor needs of `record`, in exactly the types of _RECORD.

    Programs put in subclasses and None: `makeLogRecord` takes whatever it is given.
    """
    traceback = record.exc_text
    if traceback is None and record.exc_info:
        traceback = logging.Formatter().formatException(record.exc_info)
    return (
        _logger_for(_text(record.name)),
        int(record.levelno or 0),
        _text(record.getMessage())[:_LONGEST],
        _text(traceback)[-_LONGEST:] or None,
        _text(record.pathname),
        int(record.lineno or 0),
        _text(record.funcName) or None,
        float(record.created or 0),
        os.getpid(),
        _text(record.threadName),
    )


def _text(value: object) -> str:
    """Return `value` as text that is of no subclass."""
    return "" if value is None else str.__str__(str(value))


def _logger_for(name: str) -> str:
    """Return the name of the logger that is to handle a record of the logger `name`.

    The root logger, if one below it has handlers in this child: these have handled it already.
    """
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger is not logging.root:
        if logger.handlers:
            return ROOT
        logger = logger.parent
    return name
