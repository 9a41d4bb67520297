"""Answers of threads to coroutines: given in the thread of the event loop, a few each turn."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_AT_ONCE = 50  # a coroutine that goes on takes some 20 us: in all a fifth of what a loop may notice

Answer = Callable[[], object]
"""Gives an answer; called in the thread of the loop."""


def answer(loop: "AbstractEventLoop", answers: Iterable[Answer]) -> bool:
    """Have `answers` called by `loop`, from any thread; return False if the loop is closed."""
    try:
        loop.call_soon_threadsafe(_give, loop, deque(answers))
    except RuntimeError:
        return False
    return True


def _give(loop: "AbstractEventLoop", answers: deque[Answer]) -> None:
    """Give the first answers; the rest when the loop has done what else there is to do."""
    for _ in range(min(_AT_ONCE, len(answers))):
        answers.popleft()()
    if answers:
        loop.call_soon(_give, loop, answers)
