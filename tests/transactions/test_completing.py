"""A task that completes in a transaction of its own: all of it is there, or nothing."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, chain, chord
from liteq.exceptions import ClaimLost, TransactionError
from liteq.states import Phase
from liteq.testing import MemoryBroker
from tests.e2e.project import wait_for

from .shop import Connection, Shop, insert

POOLS = ["threads", "solo"]  # processes: in tests/faults/test_transactions.py


@pytest.fixture(params=POOLS)
def worker(shop: Shop, request: pytest.FixtureRequest) -> Iterator[Any]:
    with shop.app.Worker(pool=request.param, concurrency=1) as worker:
        yield worker


def opened(shop: Shop) -> "closing[Connection]":
    return closing(sqlite3.connect(shop.path))


def task(shop: Shop, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    return shop.app.task(bind=True, **options)


def test_the_rows_the_success_and_the_value_come_together(shop: Shop, worker: Any) -> None:
    @task(shop)
    def order(self: Any, id: int) -> str:
        with opened(shop) as connection:
            with self.commit(connection) as tx:
                tx.execute("insert into orders (id) values (?)", (id,))
                tx.result = {"order": id}
            found = shop.connection.execute(
                "select phase from liteq_task where id = ?", (self.request.id,)
            )
            insert(shop.connection, 100 + found.fetchone()[0])
        return "this is not used"

    result = order.delay(1)

    assert result.get(timeout=20) == {"order": 1}
    worker.stop()
    assert shop.orders() == [1, 100 + Phase.SUCCEEDED]  # the success was there at once


def test_what_follows_is_part_of_it(shop: Shop, worker: Any) -> None:
    @task(shop)
    def part(self: Any, n: int) -> None:
        with opened(shop) as connection, self.commit(connection) as tx:
            insert(connection, n)
            tx.result = n

    @shop.app.task
    def total(numbers: list[int], more: int) -> int:
        return sum(numbers) + more

    assert chord([part.s(1), part.s(2)], total.s(10)).delay().get(timeout=20) == 13
    assert chain(part.s(3), shop.receipt.s()).delay().get(timeout=20) == "receipt 3"
    assert shop.orders() == [1, 2, 3]


def test_tasks_that_it_sends_are_part_of_it(shop: Shop, worker: Any) -> None:
    sent: list[Any] = []

    @task(shop)
    def order(self: Any, *, fails: bool) -> None:
        with opened(shop) as connection, self.commit(connection):
            sent.append(shop.receipt.delay(1))
            assert not fails

    order.delay(fails=True).get(timeout=20, propagate=False)
    assert not sent.pop().exists()
    order.delay(fails=False).get(timeout=20)
    assert sent.pop().get(timeout=20) == "receipt 1"


def test_an_exception_in_the_block_is_the_failure_of_the_task(shop: Shop, worker: Any) -> None:
    @task(shop, max_retries=1)
    def order(self: Any, *, again: bool) -> None:
        with opened(shop) as connection, self.commit(connection):
            insert(connection, self.request.retries)
            if again and not self.request.retries:
                raise self.retry(countdown=0)
            if not again:
                raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        order.delay(again=False).get(timeout=20)
    assert shop.orders() == []
    order.delay(again=True).get(timeout=20)
    assert shop.orders() == [1]


def test_a_value_that_cannot_be_stored_rolls_all_back(shop: Shop, worker: Any) -> None:
    @task(shop)
    def order(self: Any) -> None:
        with opened(shop) as connection, self.commit(connection) as tx:
            insert(connection, 1)
            tx.result = lambda: None

    result = order.delay()
    result.get(timeout=20, propagate=False)
    assert result.state == "FAILURE"
    assert "order returned a function" in str(result.result)
    assert shop.orders() == []


def test_what_is_raised_after_it_changes_nothing(
    shop: Shop, worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @task(shop)
    def order(self: Any) -> None:
        with opened(shop) as connection, self.commit(connection) as tx:
            tx.result = 7
        raise ValueError("too late")

    with caplog.at_level(logging.ERROR, "liteq.task"):
        result = order.delay()
        assert result.get(timeout=20) == 7
        worker.stop()
    assert result.state == "SUCCESS"
    assert "has succeeded already" in caplog.text
    assert "ValueError('too late')" in caplog.text


def test_a_claim_that_was_lost_rolls_all_back(
    shop: Shop, worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[BaseException] = []

    @task(shop)
    def order(self: Any) -> None:
        # Another worker has it from now on, whose work we play.
        take = "update liteq_task set token = token + 1 where id = ?"
        shop.connection.execute(take, (self.request.id,))
        with opened(shop) as connection:
            try:
                with self.commit(connection):
                    insert(connection, 1)
            except ClaimLost as exc:
                errors.append(exc)
                raise

    with caplog.at_level(logging.WARNING, "liteq"):
        result = order.delay()
        wait_for(lambda: "claim lost; result kept as an attempt" in caplog.text)
    assert result.id in str(errors[0])
    assert shop.orders() == []
    assert result.state in {"PENDING", "STARTED"}


def test_a_durable_step_would_wait_for_it(shop: Shop, worker: Any) -> None:
    @task(shop)
    def order(self: Any) -> int:
        with opened(shop) as connection, self.commit(connection) as tx:
            steps: list[Callable[[], Any]] = [
                lambda: self.step("charge", int),
                lambda: self.sleep("a while", 1),
                lambda: self.wait_for("approved"),
                lambda: self.gather(shop.receipt.s(1)),
            ]
            for step in steps:
                with pytest.raises(TransactionError, match="a durable step inside"):
                    step()
            tx.result = 1
        return 1

    assert order.delay().get(timeout=20) == 1


def test_steps_may_come_before_it(shop: Shop, worker: Any) -> None:
    @task(shop)
    def order(self: Any) -> None:
        charged = self.step("charge", lambda: 7)
        with opened(shop) as connection, self.commit(connection) as tx:
            insert(connection, charged)
            tx.result = charged

    assert order.delay().get(timeout=20) == 7
    assert shop.orders() == [7]


def test_it_can_be_done_once_in_a_run(shop: Shop, worker: Any) -> None:
    @task(shop)
    def order(self: Any) -> None:
        with opened(shop) as connection:
            with self.commit(connection) as tx:
                tx.result = 1
            with pytest.raises(TransactionError, match="one block"), self.commit(connection):
                insert(connection, 1)

    assert order.delay().get(timeout=20) == 1
    assert shop.orders() == []


@pytest.mark.parametrize("wrong", ["open", "other", "closed", "thing"])
def test_a_connection_that_cannot_be_used_fails_the_task(
    shop: Shop, worker: Any, tmp_path: Path, wrong: str
) -> None:
    @task(shop)
    def order(self: Any) -> None:
        with closing(sqlite3.connect(tmp_path / ("x.db" if wrong == "other" else "shop.db"))) as c:
            if wrong == "open":
                c.execute("begin")
            if wrong == "closed":
                c.close()
            with self.commit(None if wrong == "thing" else c):
                insert(shop.connection, 1)

    match = {
        "open": "commit it or roll it back before",
        "other": r"use once\(\) for another database",
        "closed": "closed database",
        "thing": "no database connection",
    }
    with pytest.raises(TransactionError, match=match[wrong]):
        order.delay().get(timeout=20)
    assert shop.orders() == []
    insert(shop.connection, 2)  # nothing is locked


def test_it_needs_a_task(shop: Shop, connection: Connection) -> None:
    for block in (shop.receipt.commit(connection), shop.receipt.once(connection)):
        with pytest.raises(TransactionError, match="no task runs here"), block:
            insert(connection, 1)
    assert shop.orders() == []


def test_without_a_worker_it_is_a_transaction(shop: Shop, connection: Connection) -> None:
    @task(shop)
    def order(self: Any, id: int, *, fails: bool = False) -> str:
        with self.commit(connection) as tx:
            insert(connection, id)
            shop.receipt.delay(id)
            tx.result = id
            assert not fails
        return "returned"

    assert order.apply((1,)).get() == 1
    assert order(2) == "returned"
    for call in (order.apply, order):
        with pytest.raises((AssertionError, TypeError)):
            call(3, fails=True) if call is order else call((3,), {"fails": True}).get()
    assert shop.orders() == [1, 2]
    assert len(shop.sent()) == 2


# once


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table entry (n)")
    return path


def entries(ledger: Path) -> list[int]:
    with closing(sqlite3.connect(ledger)) as connection:
        return [n for (n,) in connection.execute("select n from entry")]


def test_what_was_done_once_is_not_done_again(shop: Shop, worker: Any, ledger: Path) -> None:
    runs: list[int] = []

    @task(shop, max_retries=3)
    def book(self: Any) -> str:
        runs.append(self.request.retries)
        with closing(sqlite3.connect(ledger)) as connection:
            with self.once(connection) as tx:
                connection.execute("insert into entry values (1)")
                tx.result = ("kept", self.request.retries)
            if self.request.retries < 1:
                raise self.retry(countdown=0)
        runs.append(-1)
        return "not used"

    assert book.delay().get(timeout=20) == ["kept", 0]
    assert entries(ledger) == [1]
    assert runs == [0, 1]
    assert book.delay().get(timeout=20) == ["kept", 0]
    assert entries(ledger) == [1, 1]


def test_what_fails_in_it_is_done_again(shop: Shop, worker: Any, ledger: Path) -> None:
    @task(shop, max_retries=3)
    def book(self: Any) -> None:
        with closing(sqlite3.connect(ledger)) as connection, self.once(connection) as tx:
            connection.execute("insert into entry values (?)", (self.request.retries,))
            if self.request.retries < 2:
                raise self.retry(countdown=0)
            tx.result = self.request.retries

    assert book.delay().get(timeout=20) == 2
    assert entries(ledger) == [2]


def test_its_first_value_is_the_same_as_that_of_a_later_run(
    shop: Shop, worker: Any, ledger: Path
) -> None:
    @task(shop)
    def book(self: Any, value: Any) -> None:
        with closing(sqlite3.connect(ledger)) as connection, self.once(connection) as tx:
            tx.result = value

    assert book.delay((1, 2)).get(timeout=20) == [1, 2]
    error = book.delay(object).get(timeout=20, propagate=False)
    assert "JSON" in str(error) or "encode" in str(error)


def test_tasks_cannot_be_sent_in_it_without_an_outbox(
    shop: Shop, worker: Any, ledger: Path
) -> None:
    @task(shop)
    def book(self: Any) -> None:
        with closing(sqlite3.connect(ledger)) as connection, self.once(connection):
            connection.execute("insert into entry values (1)")
            shop.receipt.delay(1)

    with pytest.raises(TransactionError, match=r"app\.outbox"):
        book.delay().get(timeout=20)
    assert entries(ledger) == []


def test_it_works_in_the_file_of_the_store_and_where_nothing_is_stored(
    shop: Shop, ledger: Path
) -> None:
    @task(shop)
    def book(self: Any, path: Path) -> str:
        with closing(sqlite3.connect(path)) as connection, self.once(connection) as tx:
            shop_table = path == shop.path
            connection.execute(f"insert into {'orders' if shop_table else 'entry'} values (1)")
            tx.result = "done"
        return "returned"

    assert book.apply((shop.path,)).get() == "done"
    assert shop.orders() == [1]
    assert book(ledger) == "returned"
    assert entries(ledger) == [1]


def test_a_store_in_memory_takes_part_after_the_commit(ledger: Path) -> None:
    app = LiteQ("m", broker=MemoryBroker(), set_as_current=False)
    with app, closing(sqlite3.connect(ledger)) as connection:
        with app.transaction(connection):
            result = app.send_task("t")
            assert not result.exists()
        assert result.exists()
        with pytest.raises(KeyError), app.transaction(connection):
            result = app.send_task("t")
            raise KeyError
        assert not result.exists()
