"""The contract, run by every broker."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import Broker, connect
from liteq.brokers.memory import MemoryBroker
from liteq.brokers.owners import this_process
from liteq.testing import BrokerContract, ManualClock
from tests import redis_workers
from tests.shop import make_shop, of_the_shop

BOOT = this_process().boot

WORKER = """
import sys
from liteq.brokers import connect

print(connect(sys.argv[1]).register("killable", "{}"), flush=True)
sys.stdin.read()
"""


class TestMemory(BrokerContract):
    def make_broker(self, clock: ManualClock) -> Broker:
        return MemoryBroker(clock)

    def kill_worker(self, broker: Broker, worker: int) -> None:
        assert isinstance(broker, MemoryBroker)
        broker.mark_dead(worker)

    def restart_machine(self, broker: Broker, worker: int) -> None:
        assert isinstance(broker, MemoryBroker)
        broker.mark_dead(worker, with_machine=True)


class TestSqlite(BrokerContract):
    """Workers that are to die are processes, which are killed."""

    @pytest.fixture(autouse=True)
    def _store(self, store: str) -> None:
        self.url = store
        self.processes: dict[int, subprocess.Popen[str]] = {}

    def make_broker(self, clock: ManualClock) -> Broker:
        return connect(self.url, clock=clock)

    def register_killable(self, broker: Broker) -> int:
        if os.name != "posix":
            pytest.skip("no proof of death here: a worker is dead when its lease has expired")
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, self.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        self.processes[worker] = process
        return worker

    def kill_worker(self, broker: Broker, worker: int) -> None:
        with self.processes.pop(worker) as process:
            process.kill()

    def restart_machine(self, broker: Broker, worker: int) -> None:
        self.kill_worker(broker, worker)
        with closing(sqlite3.connect(self.url.partition("///")[2].partition("?")[0])) as db, db:
            boot = "replace(owner, '|' || ? || '|', '|another boot|')"
            db.execute(f"update liteq_worker set owner = {boot} where id = ?", (BOOT, worker))

    def connect_application(self, broker: Broker) -> sqlite3.Connection:
        return sqlite3.connect(self.url.partition("///")[2].partition("?")[0])

    def teardown_method(self) -> None:
        super().teardown_method()
        for worker in list(self.processes):
            self.kill_worker(self.broker, worker)


class TestSharedFile(TestSqlite):
    """In the file of an application everything works as in one of its own."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> Iterator[None]:
        path = tmp_path / "shop.db"
        make_shop(path)
        before = of_the_shop(path)
        self.url = f"sqlite:///{path}?durability=fast&shared=1"
        self.processes = {}
        yield
        assert of_the_shop(path) == before


class TestRedis(BrokerContract):
    """Workers that are to die belong to this process; the store is told that they do not."""

    @pytest.fixture(autouse=True)
    def _store(self, redis_store: str) -> None:
        self.url = redis_store

    def make_broker(self, clock: ManualClock) -> Broker:
        return connect(self.url, clock=clock)

    def kill_worker(self, broker: Broker, worker: int) -> None:
        redis_workers.kill(broker, worker)

    def miss_heartbeats(self, broker: Broker, worker: int) -> None:
        redis_workers.miss_heartbeats(broker, worker)

    def restart_machine(self, broker: Broker, worker: int) -> None:
        redis_workers.restart_machine(broker, worker)


class TestSignedRedis(TestRedis):
    """With signatures everything works as without."""

    def make_broker(self, clock: ManualClock) -> Broker:
        return connect(self.url, clock=clock, secret_key="k" * 32)
