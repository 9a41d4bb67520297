"""A bar that shows how far a task or a group has come, while somebody waits for it."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TextIO

from ..exceptions import BrokerError
from ..model.progress import Progress
from .status import Observation, Status

_WIDTH = 30  # characters of the bar itself
_LOOK_EVERY = 0.1  # seconds, and no more often than takes a tenth of the time
_PAUSE = 10
_HOUR, _MINUTE = 3600, 60  # seconds

MakeBar = Callable[..., Any]
"""Makes a bar, as `tqdm.tqdm` does."""


class Bar(Protocol):
    """What shows a status."""

    def show(self, status: Status) -> None: ...
    def close(self) -> None: ...


def make_bar(progress: bool | MakeBar) -> Bar | None:
    """Return a bar on standard error, or one that `progress` makes; None if nobody would see it."""
    if callable(progress):
        return ForeignBar(progress)
    stream = sys.stderr
    return TerminalBar(stream) if progress and stream is not None and stream.isatty() else None


class Drawing:
    """The drawing of a `bar`: looks at how far something has come, and shows that."""

    def __init__(self, observation: Observation, bar: Bar) -> None:
        self._observation = observation
        self._bar = bar
        self._next_look = 0.0
        self._drawn = False

    def turn(self) -> None:
        """Look and draw, unless that was done a moment ago."""
        began = time.monotonic()
        if began >= self._next_look:
            self._draw()
            took = time.monotonic() - began
            self._next_look = began + max(_LOOK_EVERY, (1 + _PAUSE) * took)

    def close(self) -> None:
        """Draw the end, if anything was drawn."""
        if self._drawn:
            self._draw()
        self._bar.close()

    def _draw(self) -> None:
        with suppress(BrokerError):  # whoever waits is told of it, if it lasts
            self._bar.show(self._observation.look())
            self._drawn = True


class TerminalBar:
    """A line on a terminal, which is written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._length = 0
        self._began = time.monotonic()

    def show(self, status: Status) -> None:
        from shutil import get_terminal_size  # 2 ms

        line = self._line(status)[: get_terminal_size().columns - 1]
        self._write(f"\r{line.ljust(self._length)}")
        self._length = len(line)

    def close(self) -> None:
        if self._length:
            self._write("\n")

    def _line(self, status: Status) -> str:
        if status.progress is None:
            return f"{status.state} {_clock(time.monotonic() - self._began)}"
        return line_of(status.progress)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody looks any more
            self._stream.write(text)
            self._stream.flush()


class ForeignBar:
    """A bar of another library: one that is called as `tqdm` is."""

    def __init__(self, make: MakeBar) -> None:
        self._make = make
        self._bar: Any = None

    def show(self, status: Status) -> None:
        progress = status.progress
        if progress is None:
            return
        if self._bar is None:
            self._bar = self._make(total=progress.total, desc=progress.text or None)
        self._bar.total, self._bar.n = progress.total, progress.done
        self._bar.set_description(progress.text or None, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def line_of(progress: Progress) -> str:
    """Return `progress` as a line: `reading  30% |###       | 3/10, 1.5/s, 0:05 left`."""
    parts = [_printable(progress.text)] if progress.text else []
    fraction = progress.fraction
    if fraction is None:
        parts.append(_number(progress.done))
    else:
        full = int(fraction * _WIDTH)
        counts = f"{_number(progress.done)}/{_number(progress.total or 0)}"
        parts.append(f"{int(100 * fraction):3}% |{'#' * full:{_WIDTH}}| {counts}")
    details = [] if progress.rate is None else [f"{progress.rate:.3g}/s"]
    if progress.remaining:
        details.append(f"{_clock(progress.remaining)} left")
    return ", ".join([" ".join(parts), *details])


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def _printable(text: str) -> str:
    from ..support.printable import one_line

    return one_line(text)
