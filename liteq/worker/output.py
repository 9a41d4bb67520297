"""What tasks print and log is caught, on its way to where it goes anyway.

Standard streams are replaced by streams that write to those below. For log records the method of
`logging.Logger` that calls the handlers is replaced, and not a handler added: a handler of the root
logger does not see all loggers, a program that sets up its logging later takes it away, and its
being there changes what `logging.basicConfig` and loggers without handlers do.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOBase
from typing import Any, TextIO

from ..exceptions import SoftTimeLimitExceeded
from ..execution.context import current_output
from ..model.message import Message
from ..model.options import options_of
from ..task import Task

_STDOUT, _STDERR = 1, 2


class _Here(threading.local):
    passing_on = False  # what is written now was caught already, further above


_here = _Here()


class CaughtStream(TextIOBase):
    """A replacement for the standard stream `below`, which it writes to as well."""

    def __init__(self, below: TextIO, number: int) -> None:
        self.below = below
        self._number = number

    def write(self, text: str) -> int:
        """Keep `text` if a task runs here; write it below. Return what that returns."""
        output = None if _here.passing_on else current_output()
        if output is None or not isinstance(text, str):
            return self.below.write(text)
        output.write(self._number, text)
        _here.passing_on = True
        try:
            return self.below.write(text)
        finally:
            _here.passing_on = False

    def flush(self) -> None:
        self.below.flush()

    # as a stream

    @property
    def buffer(self) -> Any:
        """Return the buffer of the stream below, for bytes; they are not kept."""
        return self.below.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.below.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.below.errors

    @property
    def closed(self) -> bool:
        return self.below.closed

    def close(self) -> None:
        self.below.close()

    def fileno(self) -> int:
        """Return the descriptor below; what other programs write to it is not kept."""
        return self.below.fileno()

    def detach(self) -> Any:
        return self.below.detach()  # type: ignore[attr-defined]

    def isatty(self) -> bool:
        return self.below.isatty()

    def writable(self) -> bool:
        return True

    def __del__(self) -> None:
        """Leave the stream below open: others use it."""

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream below that not every text stream has: `reconfigure`."""
        return getattr(self.__dict__["below"], name)


def below(stream: Any) -> Any:
    """Return the stream below one that catches what is written; any other as it is."""
    return stream.below if isinstance(stream, CaughtStream) else stream


def _catch_record(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Keep `record` if a task runs here; call the handlers of `logger`."""
    output = None if _here.passing_on else current_output()
    if output is None:
        _call_handlers(logger, record)
        return
    try:
        output.log(record.levelname, _text_of(record))
    except (RecursionError, SoftTimeLimitExceeded):
        raise  # of the task
    except Exception:  # noqa: BLE001 - arguments run code of the program; handlers tell the error
        pass
    _here.passing_on = True
    try:
        _call_handlers(logger, record)
    finally:
        _here.passing_on = False


def _text_of(record: logging.LogRecord) -> str:
    """Return the message with its traceback; leave the record as it is, for its handlers."""
    parts = [record.getMessage()]
    if record.exc_info:
        parts.append(record.exc_text or logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


_lock = threading.Lock()
_users = 0  # workers of this process that want output to be caught
_call_handlers: Callable[[logging.Logger, logging.LogRecord], None] = logging.Logger.callHandlers


def catch_output() -> None:
    """Begin to catch what tasks in this process print and log, until `release_output`."""
    global _users, _call_handlers
    with _lock:
        _users += 1
        if _users > 1:
            return
        sys.stdout, sys.stderr = _above(sys.stdout, _STDOUT), _above(sys.stderr, _STDERR)
        if logging.Logger.callHandlers is not _catch_record:
            _call_handlers = logging.Logger.callHandlers  # perhaps replaced by the program's own
            logging.Logger.callHandlers = _catch_record  # type: ignore[method-assign,assignment]


def release_output() -> None:
    """End that, once all who have called `catch_output` have called this."""
    global _users
    with _lock:
        _users -= 1
        if _users:
            return
        # What others have replaced since is theirs; what is ours below it only passes on.
        sys.stdout, sys.stderr = below(sys.stdout), below(sys.stderr)
        if logging.Logger.callHandlers is _catch_record:
            logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign,assignment]


def _above(stream: Any, number: int) -> Any:
    """Return a stream that catches what is written to `stream`; None as it is: there is no such."""
    return stream if stream is None else CaughtStream(stream, number)


@contextmanager
def catching_output(*, here: bool = True) -> Iterator[None]:
    """Keep what tasks here print and log, for the block; not `here`: do nothing."""
    if not here:
        yield
        return
    catch_output()
    try:
        yield
    finally:
        release_output()


def keeps_output(task: Task[..., Any], message: Message, default: bool) -> bool:
    """Return whether the output of a call is kept: as it says, or its task, or the setting."""
    if message.options is not None and "keep_output" in message.options:
        said = options_of(message).get("keep_output")
        if said is not None:
            return bool(said)
    return default if task.keep_output is None else bool(task.keep_output)
