"""A task that would be set aside for its next loss runs alone in its worker."""

import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from liteq import LiteQ
from liteq.brokers.base import Broker, Claim
from liteq.brokers.memory import MemoryBroker
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Policy
from liteq.serializers import get
from liteq.states import Phase
from liteq.task import Task
from liteq.worker.decide import runs_alone
from liteq.worker.rescue import rescue
from liteq.worker.supervisor import Supervisor


@pytest.fixture
def app() -> Iterator[LiteQ]:
    app = LiteQ("hand", broker="memory://", set_as_current=False)
    yield app
    app.close()


def phase(broker: Broker, id: str) -> Phase:
    (record,) = broker.fetch([id])
    assert record is not None
    return record.phase


@pytest.mark.parametrize(("most", "first"), [(1, 1), (2, 1), (3, 2), (5, 4)])
def test_a_task_runs_alone_before_its_last_loss(most: int, first: int) -> None:
    message = Message("a", "task", b"", "json", "celery")
    alone = [
        runs_alone(Delivery(message, Receipt(1, 1), lost=lost), Policy(max_lost=most))
        for lost in range(first + 2)
    ]

    assert alone == [False] * first + [True] * 2


def suspect(app: LiteQ, name: str) -> None:
    """Send the task, and let it lose two processes."""
    broker = app.broker
    assert isinstance(broker, MemoryBroker)
    app.send_task(name, task_id="suspect")
    for _ in range(2):
        dead = broker.register("dead", "{}")
        assert broker.claim(Claim(dead, ("celery",), 1))
        broker.mark_dead(dead)
        rescue(broker, Policy(), get("json"))


def test_nothing_starts_beside_a_suspect(app: LiteQ) -> None:
    """Neither what was there before it, which ends first, nor what comes later."""
    go = {name: threading.Event() for name in ("before", "suspect", "after")}
    begun: list[str] = []

    @app.task
    def wait(name: str) -> None:
        begun.append(name)
        assert go[name].wait(20)

    @app.task
    def alone() -> None:
        begun.append("suspect")
        assert go["suspect"].wait(20)

    supervisor: Supervisor = app.Worker(pool="threads", concurrency=2).prepare()
    supervisor.start()
    wait.apply_async(("before",), task_id="before")
    while begun != ["before"]:
        supervisor.turn()
    suspect(app, alone.name)
    wait.apply_async(("after",), task_id="after")
    for _ in range(5):
        supervisor.turn()
    assert begun == ["before"]
    assert phase(app.broker, "after") is Phase.READY, "another worker may run it"

    go["before"].set()
    while begun != ["before", "suspect"]:
        supervisor.turn()
    for _ in range(5):
        supervisor.turn()
    assert begun == ["before", "suspect"]

    go["suspect"].set()
    while begun != ["before", "suspect", "after"]:
        supervisor.turn()
    go["after"].set()
    while phase(app.broker, "after") is not Phase.SUCCEEDED:
        supervisor.turn()
    supervisor.finish()


class Busy(NamedTuple):
    """A worker with two slots, one of which runs a task, while a suspect waits to run alone."""

    supervisor: Supervisor
    go: threading.Event  # ends the task
    begun: list[str]  # the ids of what was started


@pytest.fixture
def busy(app: LiteQ) -> Busy:
    go = threading.Event()
    begun: list[str] = []

    @app.task(bind=True)
    def wait(self: Task[..., None]) -> None:
        begun.append(str(self.request.id))
        assert go.wait(20)

    supervisor: Supervisor = app.Worker(pool="threads", concurrency=2).prepare()
    supervisor.start()
    wait.apply_async(task_id="first")
    while not begun:
        supervisor.turn()
    suspect(app, wait.name)
    while phase(app.broker, "suspect") is not Phase.RUNNING:
        supervisor.turn()
    return Busy(supervisor, go, begun)


def test_a_suspect_that_waits_for_its_turn_goes_back_when_the_worker_stops(
    app: LiteQ, busy: Busy
) -> None:
    supervisor, go, _ = busy
    supervisor.stop()
    supervisor.turn()
    go.set()
    supervisor.finish()

    (record,) = app.broker.fetch(["suspect"])
    assert record is not None
    assert (record.phase, record.lost) == (Phase.READY, 2)


def test_a_suspect_that_was_revoked_while_it_waited_does_not_run(app: LiteQ, busy: Busy) -> None:
    supervisor, go, begun = busy
    app.AsyncResult("suspect").revoke()
    go.set()
    while phase(app.broker, "suspect") is not Phase.CANCELLED:
        supervisor.turn()
    supervisor.finish()

    assert begun == ["first"]
