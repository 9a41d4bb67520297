"""A shop: its orders, and the tasks that are sent with them."""

import sqlite3
from pathlib import Path
from typing import Any

from liteq import LiteQ
from liteq.brokers.base import Claim, Phase

Connection = sqlite3.Connection

EVERY_PHASE = tuple(Phase)


class Shop:
    """The orders at `path`, and the tasks of `app`."""

    def __init__(self, app: LiteQ, path: Path) -> None:
        self.app = app
        self.path = path
        self.receipt: Any = app.task(name="receipt")(_receipt)
        app.broker.counts()  # opens the store, which makes it
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("create table if not exists orders (id integer primary key)")

    def orders(self) -> list[int]:
        """Return the orders that are committed."""
        return [id for (id,) in self.connection.execute("select id from orders order by id")]

    def sent(self) -> list[str]:
        """Return the ids of the tasks that are in the store."""
        found = self.app.broker.listing(EVERY_PHASE, 1000)
        return [record.message.id for record in found]


class IdleWorker:
    """A worker that has found nothing to do, and waits to be notified."""

    def __init__(self, shop: Shop) -> None:
        self._broker = shop.app.broker
        self._worker = self._broker.register("idle", "{}")
        self._listener = self._broker.work_listener(self._worker)
        self.rest()

    def rest(self) -> None:
        """Take what there is, and be idle."""
        while self._broker.claim(Claim(self._worker, ("celery",), 100)):
            pass
        self._listener.clear()

    def wait(self, seconds: float) -> bool:
        """Return whether it is notified in so many seconds."""
        return self._listener.wait(seconds)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _receipt(id: int) -> str:
    return f"receipt {id}"


def insert(connection: Any, id: int) -> None:
    """Insert an order."""
    connection.execute("insert into orders (id) values (?)", (id,))
