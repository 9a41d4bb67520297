"""One poll for all threads of a process that wait."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from liteq.brokers.listeners import LocalListener
from liteq.exceptions import BrokerUnavailable
from liteq.result.polls import MANY, SharedPolls

EVERY = 0.01  # seconds
SOON = 10.0


class Store:
    """Counts who asks for what."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.asked_by: set[str] = set()
        self.broken = False
        self.abandoned = False
        self.over = False  # the threads are to end when they go on

    def finished(self, ids: Iterable[str]) -> list[str]:
        self.asked_by.add(threading.current_thread().name)
        if self.broken:
            raise BrokerUnavailable("gone")
        return [id for id in ids if id in self.ended]


class Waiting:
    """Tells when so many threads wait at the same time, and so that another one polls for them.

    (The first ones wait by themselves, for a moment, until there are enough.)
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._inside = 0
        self.all_wait = threading.Event()

    def wait(self, timeout: float, wait: Callable[[float], bool]) -> bool:
        if timeout <= EVERY and self._count > MANY:
            return wait(timeout)
        with self._lock:
            self._inside += 1
            if self._inside == self._count:
                self.all_wait.set()
        try:
            return wait(SOON if timeout > EVERY else timeout)
        finally:
            with self._lock:
                self._inside -= 1


class Listener(LocalListener):
    """A listener that tells how it was used."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__()
        self.waiting = waiting

    def wait(self, timeout: float) -> bool:
        return self.waiting.wait(timeout, super().wait)

    def expect(self, ids: object, progress: object = ()) -> None:
        pass


def wait_in_threads(store: Store, count: int, stack: ExitStack) -> dict[str, threading.Event]:
    """Let so many threads wait for a task each; return what is set when one of them goes on."""
    polls = SharedPolls(store.finished, lambda: store.abandoned)
    waiting, done = Waiting(count), {str(n): threading.Event() for n in range(count)}

    def wait(id: str) -> None:
        listener = Listener(waiting)
        stack.callback(listener.close)
        while not (id in store.ended or store.over):
            polls.wait(listener, {id: None}, EVERY, SOON)
        done[id].set()

    for id in done:
        threading.Thread(target=wait, args=(id,), name="waiter", daemon=True).start()
    assert waiting.all_wait.wait(SOON)
    return done


def test_a_thread_that_waits_alone_polls_for_itself() -> None:
    store = Store()
    with ExitStack() as stack:
        done = wait_in_threads(store, 1, stack)
        store.over = True
        assert done["0"].wait(SOON)
    assert store.asked_by == set()


def test_of_many_that_wait_the_one_whose_task_has_ended_goes_on() -> None:
    store = Store()
    with ExitStack() as stack:
        done = wait_in_threads(store, 2 * MANY, stack)
        last = str(2 * MANY - 1)
        store.ended.add(last)
        assert done[last].wait(SOON)
        assert store.asked_by == {"liteq-polls"}
        store.abandoned = store.over = True
        assert all(each.wait(SOON) for each in done.values())


def test_when_the_store_fails_each_finds_out_for_itself() -> None:
    store = Store()
    with ExitStack() as stack:
        done = wait_in_threads(store, 2 * MANY, stack)
        store.broken = store.over = True
        assert all(each.wait(SOON) for each in done.values())


def test_the_thread_that_polls_ends_when_few_wait() -> None:
    store = Store()
    with ExitStack() as stack:
        done = wait_in_threads(store, 2 * MANY, stack)
        store.abandoned = store.over = True
        assert all(each.wait(SOON) for each in done.values())
    until = time.monotonic() + SOON
    while any(each.name == "liteq-polls" for each in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(EVERY)
