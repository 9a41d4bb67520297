"""Whatever another program writes about steps, events and what was done: it costs one task."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import LiteqError
from tests.faults.test_hostile_stores import GARBAGE

# As they are where all is well, by name: kind, at, until, value, serializer, failed.
STEPS: dict[str, tuple[Any, ...]] = {
    "charge": ("step", 1.0, None, b"1", "json", 0),
    "nap": ("sleep", 1.0, 2.0, None, None, 0),
    "approved": ("wait", 1.0, 3.0, b'"yes"', "json", 0),
    "gather": ("gather", 1.0, None, b"[]", None, 0),
}
FIELDS = ("name", "kind", "at", "until", "value", "serializer", "failed")
GATHERED = [b"{}", b"7", b"[7]", b'[["x"]]', b"[[null, []]]", b'[[["x", null], [[7, 8]]]]', b"nul"]


class Shop:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "shop.db"
        url = f"sqlite:///{self.path}?durability=fast"
        self.app = LiteQ("shop", broker=url, set_as_current=False)
        self.others = folder / "others.db"
        self.app.outbox(lambda: sqlite3.connect(self.others, timeout=30))

        @self.app.task(name="order", bind=True)
        def order(self: Any) -> Any:
            return [
                self.step("charge", lambda: 1),
                self.sleep("nap", 0),
                self.wait_for("approved", timeout=0),
                self.gather(),
            ]

        @self.app.task(name="good")
        def good() -> str:
            return "good"

        @self.app.task(name="book", bind=True)
        def book(task: Any) -> None:
            with closing(sqlite3.connect(self.others, timeout=30)) as db, task.once(db) as tx:
                tx.result = "booked"

        self.order: Any = order
        self.good: Any = good
        self.book: Any = book

    def waiting(self, **fields: Any) -> str:
        """Store a task that has done all its steps but is not to run yet; return its id."""
        result = self.order.apply_async(countdown=1000)
        with closing(sqlite3.connect(self.path, timeout=30)) as db, db:
            ((seq,),) = db.execute("select seq from liteq_task where id = ?", (result.id,))
            db.execute("update liteq_task set details = 1 where seq = ?", (seq,))
            rows = [(seq, name, *step) for name, step in STEPS.items()]
            db.executemany("insert into liteq_step values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return str(result.id)

    def change(self, sql: str, *values: Any) -> bool:
        """Run one statement; return False if the table does not take that."""
        db = sqlite3.connect(self.path, timeout=30)
        with closing(db), suppress(sqlite3.IntegrityError), db:
            db.execute(sql, values)
            return True
        return False

    def run(self, ids: list[str]) -> None:
        """Let the tasks run; assert that each one ends, and that others run all the time."""
        for id in ids:
            self.change("update liteq_task set phase = 2, eta = null where id = ?", id)
        self.app.broker.enqueue([])  # nothing, but workers look
        assert self.good.delay().get(timeout=30) == "good"
        for id in ids:
            result = self.app.AsyncResult(id)
            with suppress(Exception):  # whatever has become of it
                result.get(timeout=30)
            assert result.state in {"SUCCESS", "FAILURE"}, (id, result.state)
            for look in (result.steps, lambda id=id: self.app.jobs.why(id)):
                with suppress(LiteqError):
                    look()
        assert self.good.delay().get(timeout=30) == "good"


@pytest.fixture
def shop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Shop]:
    caplog.set_level(logging.CRITICAL)  # hundreds of tasks fail
    shop = Shop(tmp_path)
    with shop.app, shop.app.Worker(pool="threads", concurrency=2):
        yield shop


SEQ = "(select seq from liteq_task where id = ?)"


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_was_changed_costs_its_task_only(shop: Shop, name: str) -> None:
    ids = []
    for field in FIELDS:
        for value in GARBAGE:
            if field == "until" and value in {2**62, float("inf")}:
                continue  # it sleeps for ever, as it says
            id = shop.waiting()
            sql = f"update liteq_step set {field} = ? where task = {SEQ} and name = ?"
            if shop.change(sql, value, id, name):
                ids.append(id)
    assert len(ids) > 100

    shop.run(ids)


def test_tasks_to_gather_that_are_no_tasks_cost_their_task_only(shop: Shop) -> None:
    ids = []
    for value in GATHERED:
        ids.append(shop.waiting())
        sql = f"update liteq_step set value = ? where task = {SEQ} and name = 'gather'"
        assert shop.change(sql, value, ids[-1])

    shop.run(ids)
    errors = [str(shop.app.AsyncResult(id).result) for id in ids]
    assert all("the tasks of the step 'gather' cannot be read" in each for each in errors[1:3])


@pytest.mark.parametrize("field", ["key", "value", "serializer", "at", "keep_until", "id"])
def test_an_event_that_was_changed_costs_those_only_that_wait_for_it(
    shop: Shop, field: str
) -> None:
    ids = []
    for n, value in enumerate(GARBAGE):
        key = f"event-{n}"
        shop.app.emit(key, "yes")
        if not shop.change(f"update liteq_event set {field} = ? where key = ?", value, key):
            continue
        ids.append(shop.waiting())
        pending = "name = ?, value = null, serializer = null"
        sql = f"update liteq_step set {pending} where task = {SEQ} and name = 'approved'"
        assert shop.change(sql, key, ids[-1])
        sql = f"insert into liteq_event_wait (key, task) values (?, {SEQ})"
        assert shop.change(sql, key, ids[-1])
        with suppress(LiteqError):
            shop.app.emit(key, "once more")
        with suppress(LiteqError):
            shop.app.backend.event_value(key)
    assert ids

    shop.run(ids)


def test_waits_of_no_task_or_for_no_event_cost_nothing(shop: Shop) -> None:
    ids = [shop.waiting() for _ in GARBAGE]
    for n, value in enumerate(GARBAGE):
        shop.change("insert into liteq_event_wait (task, key) values (?, 'k')", value)
        shop.change(f"insert into liteq_event_wait (task, key) values ({SEQ}, ?)", ids[n], value)
    assert shop.app.emit("k", 1)

    shop.run(ids)


def test_what_was_done_once_and_cannot_be_read_fails_its_task(shop: Shop) -> None:
    shop.book.delay().get(timeout=30)  # makes the table
    results = []
    with closing(sqlite3.connect(shop.others, timeout=30)) as db:
        for n, value in enumerate(GARBAGE):
            row = f"insert into liteq_done values ('{n}', ?, ?)"
            with suppress(sqlite3.IntegrityError):
                db.execute(row, (value, value))
                results.append(n)
        db.commit()
    for n in results:
        result = shop.book.apply_async(task_id=str(n))
        with suppress(Exception):
            result.get(timeout=30)
        assert result.state in {"SUCCESS", "FAILURE"}
    assert "cannot be read" in str(shop.app.AsyncResult("8").result)
    assert shop.good.delay().get(timeout=30) == "good"


def test_rows_of_the_outbox_that_are_no_calls_cost_nothing(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.others, timeout=30)) as db:
        with shop.app.transaction(db):
            shop.good.delay()
        for n, value in enumerate(GARBAGE):
            for field in ("id", "app", "at", "body", "failed"):
                row = {"id": f"{n}{field}", "app": "shop", "at": 0.0, "body": "[]", "failed": None}
                with suppress(sqlite3.IntegrityError):
                    db.execute(
                        "insert into liteq_outbox (id, app, at, body, failed) "
                        "values (:id, :app, :at, :body, :failed)",
                        {**row, field: value},
                    )
        db.execute("update liteq_outbox set body = cast(x'fffe' as text) where id like '9%'")
        db.commit()
        result = shop.good.apply_async(connection=_begun(db))
        db.commit()
    assert result.get(timeout=30) == "good"


def _begun(db: sqlite3.Connection) -> sqlite3.Connection:
    db.execute("begin")
    return db
