"""What tasks print: lines of the log."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase
from typing import Any, TextIO

from ..execution.context import Context, sent_from
from ..model.message import Delivery
from ..model.outcome import Outcome
from ..pools.base import Run
from ..support.printable import one_line

_LONGEST = 8192  # characters of one line; a program can print for ever without ending it
_logger = logging.getLogger("liteq.redirected")


class Printed(TextIOBase):
    """Stands for the standard stream `stream`: each line becomes a record of `level`.

    A line without an end is kept until its end, a `flush`, or the end of the task comes.
    """

    def __init__(self, stream: TextIO, level: int) -> None:
        self._stream = stream
        self._level = level
        self._here = _Unfinished()

    def write(self, text: str) -> int:
        """Take `text`; log what it completes."""
        here = self._here
        if here.logging:  # a handler that fails complains on standard error
            return self._stream.write(text)
        *lines, rest = (here.text + text).split("\n")
        for line in lines:
            self._log(line)
        here.text = rest
        here.context = sent_from() if rest else None
        if len(rest) > _LONGEST:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Log what has no end yet."""
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
            _logger.log(self._level, "%s", text, extra={"run": context})
        finally:
            self._here.logging = False

    # as a stream

    @property
    def unfinished(self) -> bool:
        """Whether this thread has printed something without an end."""
        return bool(self._here.text)

    @property
    def buffer(self) -> Any:
        """The stream below, for bytes; they do not go to the log."""
        return self._stream.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def fileno(self) -> int:
        """The descriptor below: what other programs write there does not go to the log."""
        return self._stream.fileno()

    def writable(self) -> bool:
        return True


class _Unfinished(threading.local):
    text = ""
    context: Context | None = None
    logging = False


def _shown(line: str) -> str:
    """`line` as a terminal would show it: what was written over is gone, tabs are tabs."""
    last = line.rstrip().rpartition("\r")[2]
    return "\t".join(one_line(part) for part in last.split("\t"))


@contextmanager
def printing_to_the_log(level: str | int | None) -> Iterator[None]:
    """What this process prints goes to the log at `level`, as long as this lasts; None: it does
    not."""
    if level is None:
        yield
        return
    streams = sys.stdout, sys.stderr
    print_to_the_log(level)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = streams


def print_to_the_log(level: str | int) -> None:
    """The same, for good."""
    number = logging.getLevelNamesMapping()[level] if isinstance(level, str) else level
    sys.stdout, sys.stderr = Printed(sys.stdout, number), Printed(sys.stderr, number)


def ending_lines(run: Run) -> Run:
    """`run`, and after it an end for the line that a task left without one."""

    def run_and_end(delivery: Delivery) -> Outcome:
        outcome = run(delivery)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Printed) and stream.unfinished:
                stream.flush()
        return outcome

    return run_and_end
