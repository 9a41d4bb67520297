"""Standard output of tasks, as lines of the log."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase
from typing import Any, TextIO

from ..execution.context import Context, current_run
from ..model.message import Delivery
from ..model.outcome import Outcome
from ..pools.base import Run
from ..support.printable import one_line
from .output import below

_LONGEST = 8192  # characters of one line; a program can print for ever without ending it
_logger = logging.getLogger("liteq.redirected")


class LoggedStream(TextIOBase):
    """A replacement for the standard stream `stream` that logs each line at `level`.

    An unfinished line is kept until the rest of it is written, until `flush`, or until the task
    ends.
    """

    def __init__(self, stream: TextIO, level: int) -> None:
        self._stream = stream
        self._level = level
        self._here = _Unfinished()

    def write(self, text: str) -> int:
        """Log the lines that `text` completes; keep the rest. Return the length of `text`."""
        here = self._here
        if here.logging:  # a handler that fails complains on standard error
            return self._stream.write(text)
        *lines, rest = (here.text + text).split("\n")
        for line in lines:
            self._log(line)
        here.text = rest
        here.context = current_run() if rest else None
        if len(rest) > _LONGEST:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Log the unfinished line."""
        here = self._here
        if here.logging:
            self._stream.flush()
            return
        rest, here.text = here.text, ""
        if rest:
            self._log(rest, here.context)

    def _log(self, line: str, context: Context | None = None) -> None:
        text = _shown(line)
        if not text or not _logger.isEnabledFor(self._level):
            return
        self._here.logging = True
        try:
            _logger.log(self._level, "%s", text, extra={"liteq_run": context})
        finally:
            self._here.logging = False

    # as a stream

    @property
    def unfinished(self) -> bool:
        """Return whether this thread has an unfinished line."""
        return bool(self._here.text)

    @property
    def buffer(self) -> Any:
        """Return the stream below, for bytes; they are not logged."""
        return self._stream.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def fileno(self) -> int:
        """Return the descriptor below; what other programs write to it is not logged."""
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream below that not every text stream has: `reconfigure`."""
        return getattr(self.__dict__["_stream"], name)


class _Unfinished(threading.local):
    text = ""
    context: Context | None = None
    logging = False


def _shown(line: str) -> str:
    """Return `line` as a terminal would show it: what was written over is gone, tabs are tabs."""
    last = line.rstrip().rpartition("\r")[2]
    return "\t".join(one_line(part) for part in last.split("\t"))


@contextmanager
def logging_stdout(level: str | int | None) -> Iterator[None]:
    """Log what this process prints at `level` until the block ends; None: do nothing."""
    if level is None:
        yield
        return
    streams = sys.stdout, sys.stderr
    log_stdout(level)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = streams


def log_stdout(level: str | int) -> None:
    """Log at `level` what this process prints from now on."""
    number = logging.getLevelNamesMapping()[level] if isinstance(level, str) else level
    sys.stdout, sys.stderr = LoggedStream(sys.stdout, number), LoggedStream(sys.stderr, number)


def flushing_stdout(run: Run) -> Run:
    """Return `run` with a step behind it that logs the line that a task left unfinished."""

    def run_and_flush(delivery: Delivery) -> Outcome:
        outcome = run(delivery)
        for stream in map(below, (sys.stdout, sys.stderr)):
            if isinstance(stream, LoggedStream) and stream.unfinished:
                stream.flush()
        return outcome

    return run_and_flush
