"""One poll for all threads of a process that wait for results.

Each wait polls the store now and then, in case a notification was lost. A thousand threads that
each did so would take a core; so where many wait, one thread more does it for all of them.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from itertools import islice

from ..brokers.base import Listener
from ..exceptions import BrokerError

MANY = 16
"""Threads that wait at the same time, from which on one polls for all."""

_SHARE = 200  # tasks of one wait that a poll asks for
_AT_ONCE = 1000  # tasks that one query asks for
_LONGEST = 5.0  # seconds until a wait polls for itself all the same

FindFinished = Callable[[Iterable[str]], Collection[str]]
"""Takes ids of tasks; returns those of them that have finished."""


class SharedPolls:
    """The waits of this process. `abandoned` tells whether no worker is left, so that all end."""

    def __init__(self, finished: FindFinished, abandoned: Callable[[], bool]) -> None:
        self._finished = finished
        self._abandoned = abandoned
        self._lock = threading.Lock()
        self._waits: dict[Listener, Collection[str]] = {}
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def wait(self, listener: Listener, ids: Collection[str], every: float, left: float) -> None:
        """Wait until `listener` is notified, `left` seconds are over, or a poll is due.

        `every`: seconds between two polls. `ids`: the tasks that are missing, which may change.
        """
        with self._lock:
            if self._pid != os.getpid():  # after a fork no other thread is left
                self._pid, self._thread, self._waits = os.getpid(), None, {}
            self._waits[listener] = ids
            shared = len(self._waits) > MANY
            if shared and self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(every,), name="liteq-polls", daemon=True
                )
                self._thread.start()
        try:
            listener.wait(min(left, _LONGEST if shared else every))
        finally:
            with self._lock:
                self._waits.pop(listener, None)

    def _run(self, every: float) -> None:
        """Poll while many wait, then wake the rest, which poll for themselves."""
        while True:
            time.sleep(every)
            with self._lock:
                waits = dict(self._waits)
                few = len(waits) <= MANY
                if few:
                    self._thread = None
            for listener in waits if few else self._with_news(waits):
                listener.set()
            if few:
                return

    def _with_news(self, waits: dict[Listener, Collection[str]]) -> list[Listener]:
        """Return the listeners of waits that are to poll."""
        try:
            if self._abandoned():
                return list(waits)
            wanted = {each: _first(ids) for each, ids in waits.items()}
            missing = list({id for ids in wanted.values() for id in ids})
            done: set[str] = set()
            for start in range(0, len(missing), _AT_ONCE):
                done.update(self._finished(missing[start : start + _AT_ONCE]))
        except BrokerError:
            return list(waits)  # each finds out for itself
        return [each for each, ids in wanted.items() if not done.isdisjoint(ids)]


def _first(ids: Collection[str]) -> list[str]:
    """Return the first ids. Its thread may remove some meanwhile: then it does not wait."""
    try:
        return list(islice(ids, _SHARE))
    except RuntimeError:
        return []
