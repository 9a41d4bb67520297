"""Connections of `sqlite3` in each mode in which they begin transactions, or do not."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from .shop import Connection, Shop, insert

# -1: as before Python 3.12.
MODES: list[dict[str, Any]] = [
    *({"isolation_level": level} for level in (None, "", "DEFERRED", "IMMEDIATE", "EXCLUSIVE")),
    *({"autocommit": on} for on in (True, False) if sys.version_info >= (3, 12)),
]


@pytest.fixture(params=MODES, ids=str)
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def connection(shop: Shop, mode: Any) -> Iterator[Connection]:
    with closing(sqlite3.connect(shop.path, **mode)) as connection:
        yield connection


def test_a_block_or_its_owner_commits(shop: Shop, connection: Connection, mode: Any) -> None:
    with shop.app.transaction(connection):
        insert(connection, 1)
        shop.receipt.delay(1)
    # That mode is the one of Python's DBAPI: a transaction is open at all times, by nobody.
    if mode == {"autocommit": False}:
        assert (shop.orders(), shop.sent()) == ([], [])
        connection.commit()
    assert (shop.orders(), len(shop.sent())) == ([1], 1)

    with pytest.raises(KeyError), connection, shop.app.transaction(connection):
        insert(connection, 2)
        shop.receipt.delay(2)
        raise KeyError
    assert (shop.orders(), len(shop.sent())) == ([1], 1)


@pytest.mark.parametrize("kind", ["commit", "once"])
def test_a_task_completes(shop: Shop, mode: Any, kind: str) -> None:
    @shop.app.task(bind=True)
    def order(self: Any, id: int, *, fails: bool) -> None:
        with closing(sqlite3.connect(shop.path, **mode)) as connection:
            with getattr(self, kind)(connection) as tx:
                insert(connection, id)
                shop.receipt.delay(id)
                tx.result = id
                if fails:
                    raise ValueError("no")
            assert connection.in_transaction == (mode == {"autocommit": False})

    with shop.app.Worker(pool="threads", concurrency=1):
        assert order.delay(1, fails=False).get(timeout=20) == 1
        with pytest.raises(ValueError, match="no"):
            order.delay(2, fails=True).get(timeout=20)
    assert shop.orders() == [1]
    assert len([job for job in shop.app.jobs.list() if job.task == "receipt"]) == 1
