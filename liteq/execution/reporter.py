"""What a running task says and asks while it runs: how far it has come, and whether it is to end.

It says so a million times a second, if it likes: that is only noted here, and read by a thread
four times a second, see `pulse.py`. A direct call, and `apply`, tell nobody.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from operator import length_hint
from typing import (
    TYPE_CHECKING,
    Any,
    Protocol,
    SupportsFloat,
    SupportsIndex,
    TypeVar,
    overload,
)

from ..support.movingrate import MovingRate

if TYPE_CHECKING:
    from ..model.message import Receipt
    from ..model.progress import Progress, ProgressReport
    from .pulse import Pulse

T = TypeVar("T")

Number = SupportsFloat | SupportsIndex
"""Stand for a number of any kind."""

_LARGEST = 2**53  # as in model/progress.py
_NOTHING: Any = object()


class _Loop:
    """A walk through what a task works on."""

    __slots__ = ("began", "done", "text", "total")

    def __init__(self, total: float | None, text: str) -> None:
        self.done: float = 0
        self.total = total
        self.text = text
        self.began = time.monotonic()


_Said = tuple[float, float | None, str]  # done, total, text


class SayProgress(Protocol):
    """A function that says how far a run has come: `self.progress` in the code of a task."""

    @overload
    def __call__(
        self, done: Iterable[T], total: Number | str | None = None, text: str = ""
    ) -> Iterator[T]: ...
    @overload
    def __call__(
        self, done: AsyncIterable[T], total: Number | str | None = None, text: str = ""
    ) -> AsyncIterator[T]: ...
    @overload
    def __call__(self, done: Number, total: Number | None = None, text: str = "") -> None: ...
    def __call__(self, done: Any, total: Any = None, text: str = "") -> Any:
        """Say that so much is `done`, of `total`; or go through `done`, and say so at each item.

        `self.progress(3, 10, "writing")`, or `for row in self.progress(rows, "reading"):`. `total`
        is `len(rows)` unless it is given; None, where that is not known. What is said last becomes
        `result.progress`. Raises TypeError for what is no number and nothing to go through, and
        ValueError for one that is not finite, or beyond 2**53.
        """


class Reporter:
    """What one run says and asks.

    `pulse`: sends what is said, and looks whether the claim `receipt` is to end; None: nobody does.
    It may be used in any thread, until the run has ended.
    """

    __slots__ = (
        *("receipt", "asks", "to_end", "_pulse", "_followed", "_shown", "_total", "_text"),
        *("_loop", "_rate", "_sent"),
    )

    def __init__(self, pulse: "Pulse | None" = None, receipt: "Receipt | None" = None) -> None:
        self.receipt = receipt
        self.asks: bool = False
        self.to_end: bool = False  # it was found to be
        self._pulse = pulse
        self._followed = pulse is None  # there is nothing to be told to the pulse
        self._shown: _Loop | _Said | None = None
        self._total: float | None = None  # that was said last, and so need not be checked again
        self._text = ""  # likewise
        self._loop: object = None  # the loop of the last sample
        self._rate = MovingRate()
        self._sent: Progress | None = None

    def say(self, done: Any, total: Any = None, text: str = "") -> Any:
        """Say how far the run has come: see `SayProgress`."""
        # As cheap as can be, 0.17 us: a task may say so for each of a million rows.
        if type(done) is not int and type(done) is not float:
            return self._say_other(done, total, text)
        if not -9007199254740992 <= done <= 9007199254740992:  # 2**53; a name would cost 10 ns
            _number(done, "done")
        if total is not self._total:
            self._total = None if total is None else _number(total, "total")
        if text is not self._text:
            self._text = _checked_text(text)
        self._shown = (done, self._total, text)
        if not self._followed:
            self._follow()
        return None

    def _say_other(self, done: Any, total: Any, text: str) -> Any:
        if isinstance(total, str):
            total, text = None, total
        text = _checked_text(text)
        if hasattr(done, "__aiter__"):
            return self._go_through_async(done, _total(done, total), text)
        if hasattr(done, "__iter__") or hasattr(done, "__getitem__"):
            return self._go_through(done, _total(done, total), text)
        self.say(_number(done, "done"), total, text)
        return None

    def _go_through(self, rows: Iterable[T], total: float | None, text: str) -> Iterator[T]:
        loop = self._enter(total, text)
        row: Any = _NOTHING
        # While a row is worked on, its index is how many are done. (Counting in the loop would
        # take a third longer.)
        for loop.done, row in enumerate(rows):
            self._shown = loop  # again, as another loop may be inside this one
            yield row
        loop.done += row is not _NOTHING
        self._finish(loop)

    async def _go_through_async(
        self, rows: AsyncIterable[T], total: float | None, text: str
    ) -> AsyncIterator[T]:
        loop = self._enter(total, text)
        async for row in rows:
            self._shown = loop
            yield row
            loop.done += 1
        self._finish(loop)

    def _enter(self, total: float | None, text: str) -> _Loop:
        self._shown = loop = _Loop(total, text)
        if not self._followed:
            self._follow()
        return loop

    def _finish(self, loop: _Loop) -> None:
        if loop.total is None:
            loop.total = loop.done  # it is known now
        self._shown = loop

    # what the pulse does with it

    def _follow(self) -> None:
        if self._pulse is not None and not self._followed:
            self._followed = True
            self._pulse.add(self)

    def is_to_end(self) -> bool:
        """Return whether the task was revoked, or its claim lost. See `InRun.is_revoked`."""
        if self.to_end or self._pulse is None or self.receipt is None:
            return self.to_end
        if not self.asks:
            self.asks = True
            self._pulse.look([self])
            self._follow()
        return self.to_end

    def end(self) -> None:
        """Send what was said last: the run has ended. What is said from now on is not sent."""
        pulse, self._pulse = self._pulse, None
        if pulse is not None and self._followed:
            pulse.end(self)
        self._followed = True

    def news(self, at: float) -> "ProgressReport | None":
        """Return what is to be sent at the moment `at`, in epoch seconds; None for nothing new."""
        from ..model.progress import ProgressReport  # few tasks say how far they have come

        progress = self.current(at)
        if progress is None or self.receipt is None:
            return None
        before, self._sent = self._sent, progress
        if before is not None and before[:2] == progress[:2] and before.text == progress.text:
            self._sent = before
            return None
        return ProgressReport(self.receipt, progress)

    def current(self, at: float) -> "Progress | None":
        """Return how far the run has come; None if it has not said so."""
        from ..model.progress import LONGEST_TEXT, Progress

        shown, now = self._shown, time.monotonic()
        if shown is None:
            return None
        if isinstance(shown, _Loop):
            done, total, text = shown.done, shown.total, shown.text
            if shown is not self._loop:
                self._rate = MovingRate()
                self._rate.add(shown.began, 0)
        else:
            done, total, text = shown
        self._loop = shown if isinstance(shown, _Loop) else None
        self._rate.add(now, done)
        # A text may be the name of a file, which can be no text at all.
        text = text[:LONGEST_TEXT].encode(errors="backslashreplace").decode()[:LONGEST_TEXT]
        return Progress(done, total, self._rate.per_second, text, at)


def _total(rows: Any, total: Any) -> float | None:
    """Return how many items there are, if that is given or known."""
    if total is not None:
        return _number(total, "total")
    try:
        return length_hint(rows, -1) if length_hint(rows, -1) >= 0 else None
    except Exception:  # noqa: BLE001 - a `__len__` of the user's can raise anything
        return None


def _checked_text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"the text of a progress is a str, not a {type(text).__name__}")
    return text


def _number(value: Any, name: str) -> float:
    """Return a number of any kind as a plain one. Raises TypeError or ValueError."""
    if not (hasattr(value, "__index__") or hasattr(value, "__float__")):
        raise TypeError(
            f"`{name}` of a progress is {type(value).__name__}: give a number, as in "
            "progress(3, 10), or what to go through, as in `for row in progress(rows)`"
        )
    number = value.__index__() if hasattr(value, "__index__") else float(value)
    if not -_LARGEST <= number <= _LARGEST:
        raise ValueError(f"`{name}` of a progress is {number}: give a number below 2**53")
    return number
