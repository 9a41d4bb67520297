"""The watch over an event loop: which task blocks it, for all others wait meanwhile."""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextvars import Context
from types import CodeType, FrameType
from typing import NamedTuple

from ..support.driving import Driver

_EVERY = 0.1  # seconds between two questions to the loop
_BLOCKED = 1.0  # seconds without an answer


class Block(NamedTuple):
    """A loop that is blocked."""

    context: Context | None  # that of the code which blocks it, if that is known
    stack: str


class LoopWatch:
    """Asks `loop` to answer, again and again, from another thread than its own.

    `report` is called with what blocks it, and with None once it goes on.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, report: Callable[[Block | None], None]
    ) -> None:
        self._loop = loop
        self._report = report
        self._thread = threading.get_ident()  # of the loop
        self._answered = True
        self._asked_at = self._looked_at = time.monotonic()
        self._worked = time.process_time()
        self._blocked = self._rested = False

    def rest(self) -> None:
        """Note that `look` is not called for a while: until then no time passes."""
        self._rested = True

    def look(self) -> float:
        """Look whether the loop has answered; return the seconds until the next look."""
        now, worked = time.monotonic(), time.process_time()
        late, busy = now - self._looked_at - _EVERY, worked - self._worked
        # All of the process stood still if it was stopped, or the machine slept. (But not where
        # C code has held the interpreter lock, which keeps this thread waiting too.)
        slept = self._rested or (late > _BLOCKED / 2 and busy < late / 2)
        self._looked_at, self._worked, self._rested = now, worked, False
        if self._answered:
            if self._blocked:
                self._blocked = False
                self._report(None)
            self._ask(now)
        elif slept:
            self._asked_at = now
        elif now - self._asked_at > _BLOCKED - _EVERY and not self._blocked:
            self._blocked = True
            self._report(self._block())
        return _EVERY

    def _ask(self, now: float) -> None:
        self._answered, self._asked_at = False, now
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # it is closed
            self._answered = True

    def _answer(self) -> None:
        self._answered = True

    def _block(self) -> Block:
        frame = sys._current_frames().get(self._thread)
        frames, handle = _frames(frame)
        context = None if handle is None else _context_of(handle)
        if context is None:
            task = asyncio.current_task(self._loop)
            get_context = getattr(task, "get_context", None)  # from Python 3.12 on
            context = None if get_context is None else get_context()
        summary = traceback.StackSummary.extract((each, each.f_lineno) for each in frames)
        return Block(context, "".join(summary.format()))


def _frames(frame: FrameType | None) -> tuple[list[FrameType], FrameType | None]:
    """Return the frames of the code that the loop runs, the outermost first, and the loop's own.

    What lies between a task's code and the loop is left out.
    """
    ours: CodeType = Driver.drive.__code__
    frames: list[FrameType] = []
    while frame is not None and frame.f_code is not _HANDLE:
        if frame.f_code is ours:
            inner = frames
            while frame is not None and frame.f_code is not _HANDLE:
                frame = frame.f_back
            return inner[::-1], frame
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1], frame


_HANDLE = asyncio.Handle._run.__code__


def _context_of(handle: FrameType) -> Context | None:
    """Return the context in which the loop calls what blocks it."""
    context = getattr(handle.f_locals.get("self"), "_context", None)
    return context if isinstance(context, Context) else None
