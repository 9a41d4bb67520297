"""A shop: its orders, and the tasks that are sent with them."""

import sqlite3
from pathlib import Path
from typing import Any

from liteq import LiteQ
from liteq.brokers.base import Phase

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


def _receipt(id: int) -> str:
    return f"receipt {id}"


def insert(connection: Any, id: int) -> None:
    """Insert an order."""
    connection.execute("insert into orders (id) values (?)", (id,))
