"""What is sent in a transaction of the application exists if and only if that commits."""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, chain, chord, group
from liteq.exceptions import BrokerError, BrokerLocked, BrokerRefused, TransactionError
from liteq.model.message import Message
from liteq.states import Phase

from .shop import Connection, IdleWorker, Shop, insert


def message(id: str, queue: str = "celery") -> Message:
    return Message(id, "receipt", b"[[1], {}]", "json", queue)


def fails() -> None:
    raise RuntimeError("the application has thought better of it")


# a transaction that the block begins


def test_a_task_and_a_row_are_there_together(shop: Shop, connection: Connection) -> None:
    with shop.app.transaction(connection):
        insert(connection, 1)
        result = shop.receipt.delay(1)
        assert shop.orders() == []
        outside = sqlite3.connect(shop.path)
        assert outside.execute("select count(*) from liteq_task").fetchall() == [(0,)]
        outside.close()

    assert shop.orders() == [1]
    assert shop.sent() == [result.id]
    assert not connection.in_transaction


def test_a_block_may_be_entered_again(shop: Shop, connection: Connection) -> None:
    block = shop.app.transaction(connection)
    for n in range(3):
        with block:
            insert(connection, n)
            shop.receipt.delay(n)
            with pytest.raises(TransactionError, match="open already"):
                block.__enter__()

    assert (shop.orders(), len(shop.sent())) == ([0, 1, 2], 3)


def test_neither_is_there_after_an_exception(shop: Shop, connection: Connection) -> None:
    with pytest.raises(RuntimeError, match="better"), shop.app.transaction(connection):
        insert(connection, 1)
        shop.receipt.delay(1)
        fails()

    assert shop.orders() == []
    assert shop.sent() == []
    assert not connection.in_transaction


def test_canvases_are_sent_whole_or_not_at_all(shop: Shop, connection: Connection) -> None:
    step = shop.receipt.si(1)
    canvases: list[Any] = [chain(step, step), group([step, step]), chord([step, step], step)]
    with pytest.raises(RuntimeError), shop.app.transaction(connection):
        for canvas in canvases:
            canvas.delay()
        fails()
    assert shop.sent() == []

    with shop.app.transaction(connection):
        for canvas in canvases:
            canvas.delay()
    assert len(shop.sent()) == 7


def test_many_calls_are_sent_in_it(shop: Shop, connection: Connection) -> None:
    with shop.app.transaction(connection):
        results = shop.app.enqueue_many(shop.receipt.s(n) for n in range(50))

    assert shop.sent() == [result.id for result in results]


def test_a_task_of_a_given_id_is_a_duplicate_in_the_same_transaction(
    shop: Shop, connection: Connection
) -> None:
    with shop.app.transaction(connection):
        first = shop.receipt.apply_async((1,), task_id="order-1")
        second = shop.receipt.apply_async((1,), task_id="order-1")
        third = (shop.receipt.si(1) | shop.receipt.si(2)).apply_async(task_id="order-1")

    assert [first.duplicate, second.duplicate, third.duplicate] == [False, True, True]
    assert shop.sent() == ["order-1"]


def test_other_changes_of_the_store_are_part_of_it_too(shop: Shop, connection: Connection) -> None:
    result = shop.receipt.delay(1)
    with pytest.raises(RuntimeError), shop.app.transaction(connection):
        result.revoke()
        assert result.state == "REVOKED"
        fails()

    assert shop.app.AsyncResult(result.id).state == "PENDING"


def test_an_event_is_part_of_it(shop: Shop, connection: Connection) -> None:
    with pytest.raises(RuntimeError), shop.app.transaction(connection):
        assert shop.app.emit("approved:1", "no")
        fails()
    with shop.app.transaction(connection):
        assert shop.app.emit("approved:1", "yes")
    assert not shop.app.emit("approved:1", "too late")


def test_a_worker_is_notified_after_the_commit(shop: Shop, connection: Connection) -> None:
    with closing(IdleWorker(shop)) as worker:
        worker.rest()
        with shop.app.transaction(connection):
            shop.receipt.delay(1)
            assert not worker.wait(0.0)
        assert worker.wait(5.0)

        worker.rest()
        with pytest.raises(RuntimeError), shop.app.transaction(connection):
            shop.receipt.delay(2)
            fails()
        assert not worker.wait(0.0)


@pytest.mark.parametrize("isolation", [None, "", "IMMEDIATE", "EXCLUSIVE"])
def test_a_connection_may_begin_transactions_by_itself_or_not(shop: Shop, isolation: Any) -> None:
    with closing(sqlite3.connect(shop.path, isolation_level=isolation)) as connection:
        with shop.app.transaction(connection):
            shop.receipt.delay(1)
            insert(connection, 1)
        assert shop.orders() == [1]
        assert len(shop.sent()) == 1


def test_what_the_application_makes_of_its_rows_is_not_ours(
    shop: Shop, connection: Connection
) -> None:
    connection.row_factory = lambda cursor, row: {"a row": row}
    connection.text_factory = bytes
    with shop.app.transaction(connection):
        chain(shop.receipt.si(1), shop.receipt.si(2)).delay()
        shop.receipt.apply_async((1,), task_id="order-1")
        assert connection.execute("select 'text'").fetchall() == [{"a row": (b"text",)}]

    assert len(shop.sent()) == 3


def test_a_call_that_fails_leaves_nothing_and_the_transaction_goes_on(
    shop: Shop, connection: Connection
) -> None:
    with shop.app.transaction(connection):
        insert(connection, 1)
        with pytest.raises(BrokerRefused):
            shop.app.broker.enqueue([message("good"), message("bad", "\ud800")])
        shop.receipt.delay(1)

    assert shop.orders() == [1]
    assert len(shop.sent()) == 1


def test_the_log_of_the_store_does_not_grow_for_ever(shop: Shop, connection: Connection) -> None:
    connection.execute("pragma wal_autocheckpoint = 0")
    blob = "x" * 1000
    for _ in range(600):
        with shop.app.transaction(connection):
            shop.receipt.delay(blob)

    assert Path(f"{shop.path}-wal").stat().st_size < 8 * 2**20


def test_a_transaction_that_the_database_rolls_back_does_not_end_as_if_it_had_not(
    shop: Shop, connection: Connection
) -> None:
    rolled_back = pytest.raises(TransactionError, match="rolled back by the database")
    with rolled_back, shop.app.transaction(connection):
        insert(connection, 1)
        said: list[str] = []
        connection.set_trace_callback(said.append)
        # It interrupts a statement that writes: as some other errors do, that undoes all.
        connection.set_progress_handler(lambda: "insert" in said[-1], 1)
        with pytest.raises(BrokerError, match="interrupted"):
            shop.receipt.delay(1)
        connection.set_progress_handler(None, 1)
        connection.set_trace_callback(None)
        insert(connection, 2)
    assert (shop.orders(), shop.sent()) == ([], [])

    with shop.app.transaction(connection):
        shop.receipt.delay(1)
    assert len(shop.sent()) == 1


# a transaction that is open


def test_whoever_began_a_transaction_ends_it(shop: Shop, connection: Connection) -> None:
    connection.execute("begin")
    with shop.app.transaction(connection):
        insert(connection, 1)
        shop.receipt.delay(1)
    assert shop.orders() == []
    connection.rollback()
    assert shop.sent() == []

    connection.execute("begin")
    with shop.app.transaction(connection):
        insert(connection, 1)
        shop.receipt.delay(1)
    connection.commit()
    assert (shop.orders(), len(shop.sent())) == ([1], 1)


def test_a_transaction_that_has_read_nothing_so_far_can_write(
    shop: Shop, connection: Connection
) -> None:
    connection.execute("begin")
    insert(shop.connection, 1)
    block = shop.app.transaction(connection)
    insert(shop.connection, 2)
    with block:
        shop.receipt.delay(1)
    connection.commit()
    assert (shop.orders(), len(shop.sent())) == ([1, 2], 1)


def test_a_transaction_that_waits_for_another_one_is_told_for_which(
    shop: Shop, connection: Connection
) -> None:
    connection.execute("pragma busy_timeout = 1")
    connection.execute("begin")
    shop.connection.execute("begin immediate")
    locked = pytest.raises(BrokerLocked, match="is locked: held by")
    with locked, shop.app.transaction(connection):
        pass
    shop.connection.execute("rollback")
    with shop.app.transaction(connection):
        shop.receipt.delay(1)
    connection.commit()
    assert len(shop.sent()) == 1


def test_blocks_may_be_nested(shop: Shop, connection: Connection) -> None:
    with closing(IdleWorker(shop)) as worker:
        worker.rest()
        with shop.app.transaction(connection):
            with shop.app.transaction(connection):
                shop.receipt.delay(1)
            shop.receipt.delay(2)
            assert not worker.wait(0.0)
        assert worker.wait(5.0)
    assert len(shop.sent()) == 2


def test_a_block_on_another_connection_would_wait_for_itself(
    shop: Shop, connection: Connection
) -> None:
    with shop.app.transaction(connection):
        another = pytest.raises(TransactionError, match="by another connection")
        with another, shop.app.transaction(shop.connection):
            fails()
        shop.receipt.delay(1)
    assert len(shop.sent()) == 1


def test_a_call_takes_a_connection(shop: Shop, connection: Connection) -> None:
    insert(connection, 1)
    shop.receipt.apply_async((1,), connection=connection)
    shop.app.send_task("receipt", (1,), connection=connection)
    shop.app.enqueue_many([shop.receipt.s(1)], connection=connection)
    group([shop.receipt.s(1)]).apply_async(connection=connection)
    shop.receipt.s(1).apply_async(connection=connection)
    assert shop.sent() == []

    connection.commit()
    assert len(shop.sent()) == 5


def test_a_call_without_one_is_as_ever(shop: Shop) -> None:
    shop.receipt.apply_async((1,), connection=None)

    assert len(shop.sent()) == 1


# what cannot be


def refused(shop: Shop, connection: Any, match: str) -> None:
    with pytest.raises(TransactionError, match=match), shop.app.transaction(connection):
        raise AssertionError("it was entered")
    assert shop.sent() == []
    with shop.app.transaction(shop.connection):  # and nothing is locked
        pass


def test_a_connection_in_no_transaction_is_refused_where_one_is_asked_for(
    shop: Shop, connection: Connection
) -> None:
    with pytest.raises(TransactionError, match=r"begin it before, or use `with app.transaction"):
        shop.receipt.apply_async((1,), connection=connection)
    assert shop.sent() == []


def test_a_closed_connection_is_refused(shop: Shop, connection: Connection) -> None:
    connection.close()
    refused(shop, connection, "closed database")


def test_a_connection_of_another_thread_is_refused(shop: Shop) -> None:
    made: list[Connection] = []
    thread = threading.Thread(target=lambda: made.append(sqlite3.connect(shop.path)))
    thread.start()
    thread.join()
    refused(shop, made[0], "thread")


def test_a_transaction_of_another_thread_is_refused(shop: Shop, connection: Connection) -> None:
    async def send_in_a_thread() -> None:
        with shop.app.transaction(connection):
            await asyncio.to_thread(shop.receipt.delay, 1)

    with pytest.raises(TransactionError, match="belongs to another thread"):
        asyncio.run(send_in_a_thread())
    assert shop.sent() == []


def test_a_connection_to_another_file_is_refused(shop: Shop, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        refused(shop, other, r"other\.db, and the store .* is .*shop\.db.* app\.outbox\(connect\)")
    with closing(sqlite3.connect(":memory:")) as memory:
        refused(shop, memory, "in memory")


def test_a_transaction_that_has_read_old_rows_is_refused(
    shop: Shop, connection: Connection
) -> None:
    connection.execute("begin")
    connection.execute("select * from orders").fetchall()
    insert(shop.connection, 1)

    with pytest.raises(TransactionError, match="begin it with `begin immediate`"):
        shop.receipt.apply_async((1,), connection=connection)
    assert connection.in_transaction, "it is the application's"
    connection.rollback()
    assert shop.sent() == []


@pytest.mark.parametrize("how", ["mode=ro", "query_only"])
@pytest.mark.parametrize("begun", [True, False])
def test_a_connection_that_can_only_read_is_refused(shop: Shop, how: str, *, begun: bool) -> None:
    mode = "?mode=ro" if how == "mode=ro" else ""
    with closing(sqlite3.connect(f"file:{shop.path}{mode}", uri=True)) as reader:
        if how == "query_only":
            reader.execute("pragma query_only = 1")
        if begun:
            reader.execute("begin")
        refused(shop, reader, "can only read")


@pytest.mark.parametrize("thing", [None, "shop.db", 7, object()])
def test_what_is_no_connection_is_refused(shop: Shop, thing: Any) -> None:
    refused(shop, thing, "is no database connection")


def test_a_transaction_that_was_ended_inside_its_block_takes_no_more(
    shop: Shop, connection: Connection
) -> None:
    ended = pytest.raises(TransactionError, match="do not commit, roll back or close inside")
    with ended, shop.app.transaction(connection):
        shop.receipt.delay(1)
        connection.commit()
        shop.receipt.delay(2)

    assert len(shop.sent()) == 1


def test_nobody_waits_for_a_result_inside(shop: Shop, connection: Connection) -> None:
    step = shop.receipt.si(1)
    with shop.app.transaction(connection):
        for result in (shop.receipt.delay(1), chain(step, step).delay(), group([step]).delay()):
            with pytest.raises(TransactionError, match="Wait after the block"):
                result.get(timeout=30)


def test_sends_elsewhere_are_not_part_of_it(
    shop: Shop, connection: Connection, tmp_path: Path
) -> None:
    with LiteQ("other", broker=f"sqlite:///{tmp_path / 'o.db'}", set_as_current=False) as other:
        with pytest.raises(RuntimeError), shop.app.transaction(connection):
            result = other.send_task("t")
            fails()
        assert result.exists()


def test_coroutines_beside_a_block_are_not_in_it(shop: Shop, connection: Connection) -> None:
    async def in_a_block(go: asyncio.Event, went: asyncio.Event) -> None:
        with shop.app.transaction(connection):
            go.set()
            await went.wait()
            fails()

    async def beside() -> str:
        go, went = asyncio.Event(), asyncio.Event()
        block = asyncio.create_task(in_a_block(go, went))
        await go.wait()
        assert shop.app.broker.counts() == []  # not through the connection of the block
        assert not shop.app.broker.fetch(["x"])[0]
        went.set()
        with pytest.raises(RuntimeError):
            await block
        return str(shop.receipt.delay(1).id)

    id = asyncio.run(beside())
    assert shop.sent() == [id]


def test_code_that_outlives_a_block_is_not_in_it(shop: Shop, connection: Connection) -> None:
    async def later(gate: asyncio.Event) -> None:
        await gate.wait()
        shop.receipt.delay(1)

    async def main() -> None:
        gate = asyncio.Event()
        with shop.app.transaction(connection):
            task = asyncio.create_task(later(gate))
        gate.set()
        await task

    asyncio.run(main())
    assert len(shop.sent()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has no other threads
def test_a_forked_child_is_not_in_the_block(shop: Shop, connection: Connection) -> None:
    connection.execute("begin")  # it does not hold the lock that the child would wait for
    with shop.app.transaction(connection):
        pid = os.fork()
        if pid == 0:
            os._exit(int(shop.app.broker.counts() != []))
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        shop.receipt.delay(1)
    connection.commit()
    assert len(shop.sent()) == 1


# long ones


def test_a_transaction_that_keeps_others_waiting_is_named(
    shop: Shop, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "liteq.transactions"), shop.app.transaction(connection):
        shop.receipt.delay(1)
        deadline = time.monotonic() + 1.01
        while time.monotonic() < deadline:
            threading.Event().wait(0.05)

    (line,) = caplog.messages
    assert f"a transaction of {__file__}:" in line
    assert "waiting for 1." in line


def test_it_is_in_line_with_other_writers(shop: Shop, connection: Connection) -> None:
    began = threading.Event()
    done: list[str] = []

    def send() -> None:
        began.set()
        shop.receipt.delay(2)
        done.append("sent")

    with shop.app.transaction(connection):
        thread = threading.Thread(target=send)
        thread.start()
        assert began.wait(5)
        shop.receipt.delay(1)
        assert done == []
    thread.join(10)
    assert done == ["sent"]
    assert [record.phase for record in shop.app.broker.listing([Phase.READY], 9)] == [2, 2]
