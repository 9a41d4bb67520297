"""The heartbeat of a worker."""

from collections.abc import Iterator

import pytest

from liteq.brokers.memory import MemoryBroker
from liteq.exceptions import BrokerUnavailable
from liteq.worker import heartbeat
from liteq.worker.heartbeat import Heartbeat
from tests.e2e.project import wait_for


class CountingBroker(MemoryBroker):
    """A broker that counts the heartbeats, and how often one was due."""

    def __init__(self) -> None:
        super().__init__()
        self.beats = self.due = 0
        self.failing = False

    @property
    def beat_every(self) -> float:  # type: ignore[override]
        self.due += 1
        return 0.001

    def beat(self, worker: int, info: str) -> None:
        if self.failing:
            raise BrokerUnavailable("the disk is full")
        super().beat(worker, info)
        self.beats += 1


@pytest.fixture
def broker() -> Iterator[CountingBroker]:
    broker = CountingBroker()
    yield broker
    broker.close()


def beat(broker: CountingBroker, *, runs_tasks: bool = False) -> Heartbeat:
    worker = broker.register("worker", "{}")
    beating = Heartbeat(broker, worker, lambda: {"done": 3}, runs_tasks=runs_tasks)
    beating.start()
    return beating


def test_a_heartbeat_says_what_the_worker_does(broker: CountingBroker) -> None:
    beating = beat(broker)
    wait_for(lambda: broker.beats > 2)
    beating.close()
    beating.close()

    assert [each.info for each in broker.workers()] == ['{"done": 3}']


def test_heartbeats_go_on_after_the_store_has_failed(broker: CountingBroker) -> None:
    broker.failing = True
    beating = beat(broker)
    wait_for(lambda: broker.due > 5)
    assert broker.beats == 0
    broker.failing = False
    wait_for(lambda: broker.beats > 2)
    beating.close()


def test_a_worker_that_hangs_sends_no_heartbeat(
    broker: CountingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_HUNG_AFTER", 0.0)
    beating = beat(broker)
    wait_for(lambda: broker.due > 5)
    assert broker.beats == 0

    monkeypatch.setattr(heartbeat, "_HUNG_AFTER", 60.0)
    beating.turned()
    wait_for(lambda: broker.beats > 2)
    beating.close()


def test_a_worker_whose_loop_runs_the_tasks_does_not_count_as_hanging(
    broker: CountingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_HUNG_AFTER", 0.0)
    beating = beat(broker, runs_tasks=True)
    wait_for(lambda: broker.beats > 2)
    beating.close()
