"""The example of the orders: its customers, its worker and the children of that are killed at any
moment, again and again. In the end each order has its task, was charged once, and shipped once or
not at all.
"""

import os
import random
import shutil
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from liteq import LiteQ
from liteq.states import Phase
from tests.e2e.project import KILL, ROOT, Program, Project, children_of, wait_for
from tests.servers import needs_redis

EXAMPLE = ROOT / "examples/orders"

# Customers, who order without a pause, from the first number that is free.
CUSTOMERS = """
import random, shop, sqlite3, sys, time
from contextlib import closing
with closing(shop.connect()) as db:
    ((first,),) = db.execute("select coalesce(max(id), -1) + 1 from orders").fetchall()
for n in range(first, first + int(sys.argv[1])):
    shop.place(n, 100 + n, f"ann{n}@example.org")
    time.sleep(random.uniform(0, float(sys.argv[2])))
"""

posix = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Shop:
    """The example in a folder of its own, in a hurry."""

    def __init__(self, folder: Path, seed: int, url: str | None = None) -> None:
        shutil.copytree(EXAMPLE, folder / "shop")
        self.project = Project(folder / "shop", source="")
        self.file = folder / "shop" / "shop.db"
        self.url = url
        self.project.env |= {
            "WORLD_SLOW": "0.02",
            "WORLD_FAILS": "0.2",
            "PACKING": "0.2",
            "PATIENCE": "0.05",
            "APPROVAL": "600",
        }
        self.project.env.pop("LITEQ_BROKER_URL", None)
        if url:
            self.project.env["LITEQ_BROKER_URL"] = url
        self.project.python("import shop; shop.set_up()")
        here = url or f"sqlite:///{self.file}?shared=1"
        self.app = LiteQ("observers", broker=here, set_as_current=False)
        self.random = random.Random(seed)

    @property
    def orders(self) -> list[int]:
        with closing(sqlite3.connect(self.file, timeout=30)) as db:
            return [id for (id,) in db.execute("select id from orders order by id")]

    def states(self) -> dict[int, str]:
        with closing(sqlite3.connect(self.file, timeout=30)) as db:
            return dict(db.execute("select id, state from orders"))

    def customers(self, number: int, pause: float = 0.0) -> Program:
        return self.project.start("-c", CUSTOMERS, str(number), str(pause))

    def order(self, number: int) -> None:
        """Place so many orders."""
        self.project.run("-c", CUSTOMERS, str(number), "0")

    def decide(self, number: int) -> None:
        self.app.emit(f"approved:{number}", {"ok": self.is_approved(number), "by": "bob"})

    def is_approved(self, number: int) -> bool:
        return number % 4 != 3

    def id(self, number: int) -> str:
        return f"order-{number}"

    def start(self) -> Program:
        argv = ("-m", "liteq", "worker", "-A", "shop", "-c", "3", "-l", "critical")
        return self.project.start(*argv)

    def unfinished(self) -> list[str]:
        ids = [self.id(number) for number in self.orders]
        return [
            id
            for id, record in zip(ids, self.app.broker.fetch(ids), strict=True)
            if record is None or not record.phase.final
        ]

    def kill_at_random(self, kills: int) -> None:
        """Approve orders, and kill: now the customers, now a child, now the worker."""
        worker, customers = self.start(), self.customers(10_000, 0.2)
        known = 0
        try:
            for n in range(kills):
                wait_for(lambda: len(self.orders) > known, "an order")  # noqa: B023 - it is at once
                orders = self.orders
                self.decide(self.random.choice(orders))
                time.sleep(self.random.uniform(0.0, 0.25))
                victims = sorted(children_of(worker.pid))
                if n % 4 == 3:
                    customers.kill()
                    known = len(self.orders)
                    customers = self.customers(10_000, 0.2)
                elif n % 2 or not victims:
                    worker.kill()
                    worker = self.start()
                else:
                    with suppress(ProcessLookupError):  # it may have exited
                        os.kill(self.random.choice(victims), KILL)
            customers.kill()
            wait_for(lambda: not self.untold(), "the tasks of all orders", deadline=60)
            for number in self.orders:
                self.decide(number)
            wait_for(lambda: not self.unfinished(), "the end of all orders", deadline=120)
        finally:
            customers.kill()
            worker.kill()

    def untold(self) -> list[int]:
        """Return the orders that have no task. In one file there is never one."""
        return [n for n in self.orders if not self.app.AsyncResult(self.id(n)).exists()]

    def audit(self) -> Counter[str]:
        """Look at the books of all: what became of the orders, by kind."""
        ends: Counter[str] = Counter()
        with closing(sqlite3.connect(self.project.folder / "world.db")) as books:
            payments = dict(books.execute("select key, refunded from payment"))
            amounts = dict(books.execute("select key, amount from payment"))
            parcels = Counter(key for (key,) in books.execute("select key from parcel"))
            letters = Counter(key for (key,) in books.execute("select key from letter"))
        states = self.states()
        for number, state in states.items():
            id = self.id(number)
            (record,) = self.app.broker.fetch([id])
            assert record is not None
            assert record.phase is Phase.SUCCEEDED, record
            assert amounts[id] == 100 + number
            approved = self.is_approved(number)
            assert payments[id] == (0 if approved else 1)
            assert parcels[id] == (1 if approved else 0)
            assert letters[id] >= 1
            wanted = f"shipped as parcel-{id}" if approved else "refused by bob"
            assert (self.app.backend.value(record), state) == (wanted, wanted)
            names = [step.name for step in self.app.broker.steps(id)]
            assert names[0] == "charge"
            assert ("ship" in names) == approved
            ends["shipped" if approved else "refused"] += 1
        assert len(payments) == len(states) == len(self.app.jobs.list(limit=100_000))
        return ends


@posix
def test_an_order_is_charged_once_and_shipped_once_or_not_at_all(tmp_path: Path) -> None:
    shop = Shop(tmp_path, seed=14)

    shop.kill_at_random(kills=20)

    ends = shop.audit()
    assert ends["shipped"] > ends["refused"] > 0


@posix
@needs_redis
@pytest.mark.timeout(180)  # the claims of a worker that was killed are taken back after seconds
def test_the_same_holds_on_redis(tmp_path: Path, redis_store: str) -> None:
    shop = Shop(tmp_path, seed=14, url=redis_store)

    shop.kill_at_random(kills=8)

    shop.audit()


@posix
@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(8))
def test_a_thousand_kills(tmp_path: Path, seed: int) -> None:
    shop = Shop(tmp_path, seed)

    shop.kill_at_random(kills=125)

    shop.audit()


def test_without_kills_nothing_is_asked_for_twice(tmp_path: Path) -> None:
    shop = Shop(tmp_path, seed=1)
    shop.project.env["WORLD_FAILS"] = "0"
    shop.order(5)
    assert shop.untold() == []
    worker = shop.start()
    try:
        orders = shop.orders
        wait_for(lambda: all(shop.app.broker.steps(shop.id(n)) for n in orders))
        for number in orders:
            shop.decide(number)
        wait_for(lambda: not shop.unfinished(), "the end of all orders")
    finally:
        worker.kill()

    shop.audit()
    with closing(sqlite3.connect(shop.project.folder / "world.db")) as books:
        assert set(Counter(books.execute("select what, key from request")).values()) == {1}


def test_an_order_that_nobody_approves_is_refunded(tmp_path: Path) -> None:
    shop = Shop(tmp_path, seed=1)
    shop.project.env |= {"WORLD_FAILS": "0", "APPROVAL": "0.1"}
    shop.order(1)
    worker = shop.start()
    try:
        wait_for(lambda: not shop.unfinished(), "the end of the order")
    finally:
        worker.kill()

    assert shop.app.AsyncResult(shop.id(0)).get(timeout=5) == "refused by nobody"


def test_the_commands_of_its_page_work(tmp_path: Path) -> None:
    shop = Shop(tmp_path, seed=1)
    shop.project.env["WORLD_FAILS"] = "0"
    worker = shop.start()
    try:
        assert shop.project.run("order.py", "17", "1250", "ann@example.org") == "order-17\n"
        wait_for(lambda: len(shop.app.broker.steps("order-17")) == 2)
        graph = shop.project.liteq("graph", "order-17", "-A", "shop")
        why = shop.project.liteq("why", "order-17", "-A", "shop")
        emit = ("emit", "approved:17", '{"ok": true, "by": "bob"}', "-A", "shop")
        emitted = [shop.project.liteq(*emit) for _ in range(2)]
        result = shop.project.liteq("result", "order-17", "-A", "shop", "--wait")
    finally:
        worker.kill()

    assert "- step charge: done" in graph
    assert "- wait approved:17: pending" in graph
    assert "it waits for the event 'approved:17', until" in why
    assert emitted == ["emitted\n", "emitted before: the first event of a key counts\n"]
    assert result == "SUCCESS: 'shipped as parcel-order-17'\n"
