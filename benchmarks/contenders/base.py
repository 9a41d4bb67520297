"""What is asked of every contender: the few verbs that the rows are made of."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

BIN = Path(sys.executable).parent


class Contender(ABC):
    """One queue with one store, driven as its users drive it.

    Making one imports the queue; the store is empty then. `sent` holds what the queue handed
    back for each task (`add(i, 1)`, i from 0), for `results` to read.
    """

    queue: ClassVar[str]  # the name of its venv, and of its file in `requirements`
    on_redis: ClassVar[bool] = False
    on_postgres: ClassVar[bool] = False
    imports: ClassVar[str]  # the line that a program of a user starts with

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.environment: dict[str, str] = {}  # for its workers, besides this process's own

    @abstractmethod
    def worker_command(self, processes: int) -> list[str]:
        """Return the command that starts a worker with so many processes."""

    @abstractmethod
    def enqueue_each(self, count: int) -> None:
        """Send `count` tasks, one call and one commit each."""

    @abstractmethod
    def enqueue_bulk(self, count: int) -> None:
        """Send `count` tasks by the quickest way that the queue documents."""

    @abstractmethod
    def waiting(self) -> int:
        """Return how many tasks wait to be run. Asked when no worker is up."""

    @abstractmethod
    def finished(self) -> int:
        """Return how many results are stored. Cheap, for it is asked while the clock runs."""

    @abstractmethod
    def results(self, first: int = 0) -> Iterator[int]:
        """Return the results of all that was sent from task `first` on, in the order of sending."""

    @abstractmethod
    def add_and_get(self, x: int, y: int) -> int:
        """Send one task and wait for its result."""


class Coroutines(Contender):
    """One whose tasks are coroutines, of which a process runs many at a time.

    `slots`: how many; set before a worker is started. The command is for tasks that are coroutines.
    """

    slots: int = 100
    naps: int = 0  # sent so far
    keeps_results: ClassVar[bool] = True

    @abstractmethod
    def send_naps(self, count: int) -> None:
        """Send `count` tasks that sleep for a second."""

    @abstractmethod
    def napped(self) -> int:
        """Return how many of all that were sent have ended."""

    def await_trips(self, count: int) -> list[float]:
        """Make `count` trips in a coroutine, one after the other; return the seconds of each."""
        raise NotImplementedError("its results cannot be awaited")


class OnRedis(Contender):
    """A contender on the Redis server that `run.py` started; two of its databases are used."""

    on_redis = True

    def __init__(self) -> None:
        super().__init__()
        from redis import Redis

        url = os.environ["BENCH_REDIS"]
        self.queues, self.stored = Redis.from_url(f"{url}/0"), Redis.from_url(f"{url}/1")
        self.queues.flushall()
