"""One thread that polls the store for all coroutines of a process that wait for results.

It has one listener, however many coroutines wait in however many event loops; each loop is told by
`call_soon_threadsafe`, which every kind of loop has. So a loop neither waits for the store, nor
needs a descriptor of its own for that.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..brokers.base import Listener
from ..exceptions import BrokerError
from ..model.message import Record
from ..support.loopanswers import Answer, answer
from .observers import Observer, Observers
from .watch import POLL_EVERY, Source, Watch

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_IDLE = 5.0  # seconds without waits, after which the thread ends
_CHECK_LOOPS_EVERY = 1.0  # seconds
_POLL_ALL_PAUSE = 2  # coroutines wait for tasks in no order, so that all are polled more often


class Finished(NamedTuple):
    """The end of a task that somebody waits for."""

    record: Record
    value: tuple[Any] | None  # None: it cannot be decoded


class Wait(Protocol):
    """The wait of one coroutine for some tasks. Its methods are called in the loop's thread."""

    loop: "AbstractEventLoop"
    context: Context  # in which values are decoded
    ids: Collection[str]
    patient: bool  # it has no timeout

    def take(self, finished: Finished) -> None: ...
    def fail(self, error: BaseException) -> None: ...
    def abandon(self) -> None: ...  # no worker is left that could run the tasks


class Decoding(Source, Protocol):
    """What the thread reads: a `Backend` is one."""

    def value(self, record: Record) -> Any: ...


class Poller:
    """The thread, which runs while coroutines wait."""

    def __init__(self, source: Decoding) -> None:
        self._source = source
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._new: list[Wait] = []
        self._left: list[Wait] = []
        self._calls: list[Callable[[], object]] = []
        self._observers: tuple[list[Observer], list[Observer]] = [], []  # that came, and that left
        self._listener: Listener | None = None  # while the thread may wait for it
        self._thread: threading.Thread | None = None

    # from any thread

    def add(self, wait: Wait) -> None:
        """Tell `wait` of the end of its tasks, until `leave`."""
        self._put(wait=wait)

    def leave(self, wait: Wait) -> None:
        """Tell `wait` nothing more."""
        if self._pid == os.getpid():
            with self._changed:
                self._left.append(wait)  # which is noticed by the next poll

    def observe(self, observer: Observer) -> None:
        """Let `observer` look whenever one of its tasks may have changed, until `disregard`."""
        self._put(observer=observer)

    def disregard(self, observer: Observer) -> None:
        """Let `observer` look no more."""
        if self._pid == os.getpid():
            with self._changed:
                self._observers[1].append(observer)

    def call(self, function: Callable[[], object]) -> None:
        """Call `function` in the thread, for what would make a loop wait. It must not raise."""
        self._put(call=function)

    def _put(
        self,
        wait: Wait | None = None,
        call: Callable[[], object] | None = None,
        observer: Observer | None = None,
    ) -> None:
        if self._pid != os.getpid():  # after a fork no other thread is left
            self._reset()
        with self._changed:
            is_first = not self._has_news()
            self._new += () if wait is None else (wait,)
            self._calls += () if call is None else (call,)
            self._observers[0].extend(() if observer is None else (observer,))
            if self._thread is None:
                name = "liteq-results"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            elif is_first:
                self._changed.notify()
                if self._listener is not None:
                    self._listener.set()

    # in the thread

    def _run(self) -> None:
        waits, observers = _Waits(), Observers()
        watch = Watch(self._source, (), None, _POLL_ALL_PAUSE)
        try:
            while self._take(waits, observers, watch):
                listener = self._listen(watch, needed=bool(waits.by_id or observers))
                self._poll(waits, watch)
                observers.look(abandoned=watch.abandoned)
                if waits.by_id or observers:
                    self._wait(listener, observers.pause(POLL_EVERY))
                else:
                    self._listener = None
                    watch.close()
        except BaseException as exc:  # noqa: BLE001 - raised again in the coroutines
            observers.end(exc)
            self._end(waits, exc)

    def _end(self, waits: "_Waits", error: BaseException) -> None:
        """End the thread because of an error that nobody expects; the next wait starts another."""
        with self._changed:
            waits.add(self._new)
            new_observers = self._observers[0]
            self._new, self._left, self._calls, self._observers = [], [], [], ([], [])
            self._thread = self._listener = None
        for observer in new_observers:
            observer.fail(error)
        _tell((wait, partial(wait.fail, error)) for wait in waits.all())

    def _listen(self, watch: Watch, *, needed: bool) -> Listener | None:
        """Expect the tasks before the poll, so that none can end in between."""
        try:
            return watch.listen() if needed else None
        except BrokerError:  # a file that is locked, say
            return None

    def _wait(self, listener: Listener | None, pause: float) -> None:
        with self._changed:
            self._listener = listener
            if self._has_news():
                return
            if listener is None:
                self._changed.wait_for(self._has_news, pause)
                return
        with suppress(OSError, ValueError):  # the broker was closed just now
            listener.wait(pause)

    def _take(self, waits: "_Waits", observers: Observers, watch: Watch) -> bool:
        """Take what is new; return False when there was nothing for long: the thread ends."""
        with self._changed:
            if not (waits.by_id or observers or self._has_news()):
                self._changed.wait_for(self._has_news, _IDLE)
                if not self._has_news():
                    self._thread = None
                    return False
            new, self._new = self._new, []
            left, self._left = self._left, []
            calls, self._calls = self._calls, []
            changes, self._observers = self._observers, ([], [])
        observers.change(*changes)
        watch.observe(observers.ids())
        watch.add(waits.add(new))
        watch.discard(waits.discard(left))
        watch.discard(waits.discard(waits.of_closed_loops()))
        for call in calls:
            call()
        return True

    def _has_news(self) -> bool:
        return bool(self._new or self._calls or self._observers[0])

    def _poll(self, waits: "_Waits", watch: Watch) -> None:
        try:
            found = watch.poll()
        except BaseException as exc:  # noqa: BLE001 - raised again in the coroutines
            everyone = waits.all()
            watch.discard(waits.discard(everyone))
            _tell((wait, partial(wait.fail, exc)) for wait in everyone)
            return
        told: list[tuple[Wait, Answer]] = []
        for record in found:
            finished = None
            for wait in waits.by_id.pop(record.message.id, ()):
                if finished is None:
                    finished = Finished(record, self._decoded(wait, record))
                told.append((wait, partial(wait.take, finished)))
        if watch.abandoned:
            abandoned = [wait for wait in waits.all() if wait.patient]
            watch.discard(waits.discard(abandoned))
            told += [(wait, wait.abandon) for wait in abandoned]
        closed = _tell(told)
        watch.discard(waits.discard([each for each in waits.all() if each.loop in closed]))

    def _decoded(self, wait: Wait, record: Record) -> tuple[Any] | None:
        try:
            return (wait.context.run(self._source.value, record),)
        except Exception:  # noqa: BLE001 - the coroutine decodes it once more, and raises this
            return None


class _Waits:
    """The waits that the thread knows, by the tasks that they wait for."""

    def __init__(self) -> None:
        self.by_id: dict[str, list[Wait]] = {}
        self._next_check = 0.0

    def all(self) -> list[Wait]:
        """Return all waits, each once."""
        return list({id(each): each for waits in self.by_id.values() for each in waits}.values())

    def add(self, waits: Iterable[Wait]) -> list[str]:
        """Add `waits`; return the tasks that nobody waited for before."""
        new: list[str] = []
        for wait in waits:
            for task in wait.ids:
                if task not in self.by_id:
                    new.append(task)
                self.by_id.setdefault(task, []).append(wait)
        return new

    def discard(self, waits: Iterable[Wait]) -> list[str]:
        """Remove `waits`; return the tasks that nobody waits for any more."""
        free: list[str] = []
        for wait in waits:
            for task in wait.ids:
                others = [each for each in self.by_id.get(task, ()) if each is not wait]
                if others:
                    self.by_id[task] = others
                elif self.by_id.pop(task, None) is not None:
                    free.append(task)
        return free

    def of_closed_loops(self) -> list[Wait]:
        """Return the waits of loops that were closed; looks now and then only."""
        now = time.monotonic()
        if now < self._next_check:
            return []
        self._next_check = now + _CHECK_LOOPS_EVERY
        return [each for each in self.all() if each.loop.is_closed()]


def _tell(told: Iterable[tuple[Wait, Answer]]) -> set["AbstractEventLoop"]:
    """Give the answers, in the loops of the waits; return the loops that are closed."""
    by_loop: dict[AbstractEventLoop, list[Answer]] = {}
    for wait, each in told:
        by_loop.setdefault(wait.loop, []).append(each)
    return {loop for loop, answers in by_loop.items() if not answer(loop, answers)}
