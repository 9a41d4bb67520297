"""Other code of the same thread, beside a block and in it."""

import asyncio
import sqlite3
import time
from contextlib import closing, suppress
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import TransactionError

from .shop import Connection, Shop, insert


def test_another_application_on_the_same_file_sends_in_the_block_too(
    shop: Shop, connection: Connection
) -> None:
    url = f"sqlite:///{shop.path}?durability=fast"
    with LiteQ("other", broker=url, set_as_current=False) as other:
        results: list[Any] = []
        for fails in (True, False):
            with suppress(ZeroDivisionError), shop.app.transaction(connection):
                results = [
                    other.send_task("t"),
                    other.send_task("t", task_id="order-1"),
                    shop.receipt.delay(1),
                ]
                assert all(result.exists() for result in results)
                assert 1 / (not fails)
            assert len(shop.sent()) == 3 * (not fails)
        assert sorted(shop.sent()) == sorted(result.id for result in results)

        with shop.app.transaction(connection), other.transaction(connection):
            shop.receipt.delay(2)
            other.send_task("t")
        assert len(shop.sent()) == 5


def test_another_coroutine_is_told_that_it_would_wait_for_ever(shop: Shop) -> None:
    """The first one holds the lock of the file, and goes on only if the second one awaits."""

    async def order(id: int) -> None:
        connection = sqlite3.connect(shop.path, timeout=30)
        with closing(connection), shop.app.transaction(connection):
            insert(connection, id)
            await asyncio.sleep(0.01)
            shop.receipt.delay(id)

    async def send() -> None:
        shop.receipt.delay(3)

    async def all_of_them() -> list[Any]:
        calls = (order(1), order(2), send())
        return list(await asyncio.gather(*calls, return_exceptions=True))

    since = time.monotonic()
    first, *others = asyncio.run(all_of_them())
    assert time.monotonic() - since < 10  # not the 30 seconds for which the file may stay locked
    assert first is None
    for error in others:
        assert isinstance(error, TransactionError)
        assert "do not await" in str(error)
    assert (shop.orders(), len(shop.sent())) == ([1], 1)
    asyncio.run(order(2))  # and nothing is left behind
    shop.receipt.delay(3)
    assert (shop.orders(), len(shop.sent())) == ([1, 2], 3)


def test_a_coroutine_beside_a_block_sends_after_it(shop: Shop, connection: Connection) -> None:
    async def order() -> None:
        with shop.app.transaction(connection):
            insert(connection, 1)
            await asyncio.sleep(0.05)

    async def both() -> None:
        await asyncio.gather(order(), shop.receipt.adelay(1))

    asyncio.run(both())
    assert (shop.orders(), len(shop.sent())) == ([1], 1)


def test_a_worker_does_not_start_in_a_block(shop: Shop, connection: Connection) -> None:
    with shop.app.transaction(connection):
        with pytest.raises(TransactionError, match="a worker that starts inside the transaction"):
            shop.app.Worker(pool="threads", concurrency=1).start()
        shop.receipt.delay(1)
    assert len(shop.sent()) == 1


def test_a_connection_that_is_closed_inside_takes_no_more(shop: Shop) -> None:
    connection = sqlite3.connect(shop.path)
    with (
        pytest.raises(TransactionError, match="do not commit, roll back or close inside"),
        shop.app.transaction(connection),
    ):
        shop.receipt.delay(1)
        connection.close()
        shop.receipt.delay(2)
    assert shop.sent() == []
