"""The supervisor's loop, turned by hand in this process."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from selectors import BaseSelector

import pytest

from liteq import LiteQ
from liteq.brokers.base import Claim, Settled
from liteq.brokers.memory import MemoryBroker
from liteq.exceptions import (
    BrokerError,
    BrokerRefused,
    BrokerUnavailable,
    ImproperlyConfigured,
)
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Policy, Settlement
from liteq.model.step import Step
from liteq.pools import Pool
from liteq.pools.base import CLAIM_LOST, KEPT, PoolEvents, Slot, StepRequest
from liteq.serializers import get
from liteq.states import Phase
from liteq.worker.rescue import rescue
from liteq.worker.supervisor import Supervisor


@pytest.fixture
def app() -> Iterator[LiteQ]:
    app = LiteQ("hand", broker="memory://", set_as_current=False)
    yield app
    app.close()


def supervisor_of(app: LiteQ, pool: str) -> Supervisor:
    supervisor: Supervisor = app.Worker(pool=pool, concurrency=1).prepare()
    supervisor.start()
    return supervisor


def test_a_limit_that_a_pool_cannot_enforce_does_not_keep_the_loop_spinning(app: LiteQ) -> None:
    begun, go = threading.Event(), threading.Event()

    @app.task(time_limit=0.01)
    def wait() -> None:
        begun.set()
        go.wait(20)

    supervisor = supervisor_of(app, "threads")
    result = wait.delay()
    while not begun.is_set():
        supervisor.turn()
    end, turns = time.monotonic() + 0.5, 0
    while time.monotonic() < end:
        supervisor.turn()
        turns += 1
    go.set()
    while not result.ready():
        supervisor.turn()
    supervisor.finish()

    assert turns < 50
    assert result.successful()


def test_an_idle_supervisor_sleeps(app: LiteQ) -> None:
    supervisor = supervisor_of(app, "solo")
    supervisor.turn()
    end, turns = time.monotonic() + 0.6, 0
    while time.monotonic() < end:
        supervisor.turn()
        turns += 1
    supervisor.finish()

    assert turns < 20


def test_what_expires_while_it_waits_is_not_run(app: LiteQ) -> None:
    ran = []

    @app.task
    def mark() -> None:
        ran.append(1)

    late = mark.apply_async(expires=0.001)
    time.sleep(0.01)  # the clock of the system is the one that is asked
    supervisor = supervisor_of(app, "solo")
    while not late.ready():
        supervisor.turn()
    supervisor.finish()

    assert (late.state, ran) == ("REVOKED", [])


def test_a_store_in_this_process_is_no_place_for_child_processes(app: LiteQ) -> None:
    with pytest.raises(ImproperlyConfigured, match="pool='threads'"):
        app.Worker(pool="processes").prepare()


def test_what_cannot_be_settled_at_the_end_is_left_to_a_rescue(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To release it would run it again, and it may run only once."""
    ran = []

    @app.task(acks_late=False)
    def mark() -> None:
        ran.append(1)

    def fail(*args: object) -> None:
        raise BrokerUnavailable("the disk is full")

    result = mark.delay()
    supervisor = supervisor_of(app, "solo")
    monkeypatch.setattr(app.broker, "settle", fail)
    claimed = app.broker.claim(Claim(supervisor.worker, ("celery",), 1))
    supervisor.pool.submit(supervisor.pool.slots[0], claimed)
    supervisor.finish()

    (record,) = app.broker.fetch([result.id])
    assert ran == [1]
    assert record is not None
    assert record.phase is Phase.RUNNING
    assert [each.id for each in app.broker.workers()] == [supervisor.worker]


def test_a_task_whose_release_was_not_answered_is_not_run_here(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may have released it, and another worker begun it: perhaps it may run only once."""
    held, begun, go = threading.Event(), threading.Event(), threading.Event()

    @app.task
    def hold() -> None:
        held.set()
        go.wait(20)

    @app.task(acks_late=False)
    def mark() -> None:
        begun.set()

    def release_and_fail(receipts: Sequence[Receipt]) -> None:
        release(receipts)
        raise BrokerUnavailable("the connection was cut before the reply came")

    release = app.broker.release
    hold.delay()
    result = mark.delay()
    supervisor = supervisor_of(app, "threads")
    supervisor._returned = app.broker.claim(Claim(supervisor.worker, ("celery",), 2))
    with monkeypatch.context() as patch:
        patch.setattr(app.broker, "release", release_and_fail)
        supervisor.turn()  # its only slot is taken
    other = app.broker.register("other", "{}")
    (elsewhere,) = app.broker.claim(Claim(other, ("celery",), 1))
    assert held.wait(20)
    go.set()
    wait_until(supervisor, lambda: supervisor.done == 1 and not supervisor._releases.waiting)
    supervisor.finish()

    assert elsewhere.id == result.id
    assert not begun.is_set()
    (record,) = app.broker.fetch([result.id])
    assert record is not None
    assert (record.phase, record.worker) == (Phase.RUNNING, "other")


def wait_until(supervisor: Supervisor, reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end
        supervisor.turn()


def test_a_result_that_is_dropped_is_logged_with_the_id_of_its_task(
    app: LiteQ, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = supervisor_of(app, "solo")

    @app.task
    def lose_claim() -> None:
        app.broker.unregister(supervisor.worker)

    sent = lose_claim.delay()
    supervisor.turn()
    supervisor.turn()
    supervisor.finish()

    why = f"claim lost; result kept as an attempt: task {sent.id}: it succeeded: None"
    assert why in caplog.messages
    assert sent.attempts()[0].outcome == "late"
    assert "ended when its worker had lost it (it succeeded: None)" in app.jobs.why(sent.id)


def test_a_store_works_again_only_when_what_failed_there_succeeds(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While a disk is full, what only reads succeeds."""
    caplog.set_level("WARNING", "liteq.worker")
    promoted_again = threading.Event()
    failures = 0

    def fail() -> float:
        nonlocal failures
        failures += 1
        raise BrokerUnavailable("the disk is full")

    supervisor = supervisor_of(app, "solo")

    @app.task
    def zero() -> int:
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(app.broker, "promote", fail)
        while failures < 3:
            result = zero.delay()
            while not result.ready():
                supervisor.turn()
    promote = app.broker.promote

    def note() -> float | None:
        promoted_again.set()
        return promote()

    monkeypatch.setattr(app.broker, "promote", note)
    while not promoted_again.is_set():
        supervisor.turn()
    supervisor.finish()

    assert [each.message for each in caplog.records if "the store" in each.message] == [
        "the store fails, trying again: the disk is full",
        "the store works again",
    ]


def test_a_worker_can_be_started_again_after_a_stop_and_after_a_failed_start(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> int:
        raise BrokerError("the store is closed for today")

    worker = app.Worker(pool="threads", concurrency=1)
    with monkeypatch.context() as patch:
        patch.setattr(app.broker, "register", fail)
        with pytest.raises(BrokerError, match="for today"):
            worker.start()
    for _ in range(2):
        worker.start()
        assert len(app.broker.workers()) == 1
        worker.stop()
        assert app.broker.workers() == []


@pytest.mark.parametrize("info", ["{", "[]", '{"board": 7}'])
def test_a_dead_worker_whose_info_cannot_be_read_is_rescued(info: str) -> None:
    """Any program that can write the store can write anything."""
    broker = MemoryBroker()
    broker.enqueue([Message("a", "add", b"", "json", "celery")])
    worker = broker.register("dead", info)
    broker.claim(Claim(worker, ("celery",), 1))
    broker.mark_dead(worker)

    (record,) = rescue(broker, Policy(), get("json"))

    assert (record.message.id, record.phase, record.lost) == ("a", Phase.READY, 1)


def test_a_task_with_an_eta_runs_in_time_though_its_notification_was_lost(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}?durability=fast"
    app = LiteQ("hand", broker=url, set_as_current=False)

    @app.task(name="due")
    def due() -> int:
        return 1

    supervisor = supervisor_of(app, "solo")
    supervisor.turn()
    # A message that is written by a program that notifies nobody, as one that is killed does not.
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as db:
        db.execute(
            "insert into liteq_task (id, task, payload, phase, eta)"
            " values ('a', 'due', '[[],{}]', 1, ?)",
            (time.time() + 1.0,),
        )
    result, end = app.AsyncResult("a"), time.monotonic() + 20
    while not result.ready() and time.monotonic() < end:
        supervisor.turn()
    supervisor.finish()

    assert result.successful()
    app.close()


class Asking(Pool):
    """A pool in which one task asks for steps, and that notes the answers."""

    def __init__(self) -> None:
        self.slots = [Slot(0)]
        self.events = PoolEvents()
        self.answers: list[tuple[str, str]] = []
        self.up = False

    def start(self, selector: BaseSelector) -> None:
        self.slots[0].up = True

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        slot.holding.update(enumerate(deliveries))

    def collect(self) -> PoolEvents:
        events, self.events = self.events, PoolEvents()
        return events

    def tend(self) -> float | None:
        return 0.0

    def close(self) -> None:
        pass

    def answer(self, request: StepRequest, answer: str) -> None:
        self.answers.append((request.step.name, answer))

    def ask(self, *names: str, value: object = b"1") -> None:
        """Ask for steps of the task that it holds."""
        delivery = self.slots[0].holding[0]
        for name in names:
            step = Step(name, "step", 1.0, None, value, "json")  # type: ignore[arg-type]
            self.events.steps.append(StepRequest(delivery, step, 0, 1))


@pytest.fixture
def asking(app: LiteQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Supervisor, Asking]]:
    """A supervisor of a pool that holds one task."""
    app.conf.worker_claim_unknown = True  # it is a task in name only
    pool = Asking()
    monkeypatch.setattr("liteq.worker.worker.make_pool", lambda *_: pool)
    app.broker.enqueue([Message("a", "task", b"[[],{}]", "json", "celery")])
    supervisor = supervisor_of(app, "threads")
    while not pool.slots[0].holding:
        supervisor.turn()
    yield supervisor, pool
    supervisor.finish()


def test_steps_are_stored_before_tasks_are_told_so(
    app: LiteQ, asking: tuple[Supervisor, Asking]
) -> None:
    supervisor, pool = asking
    pool.ask("first", "second")
    supervisor.turn()

    assert [step.name for step in app.broker.steps("a")] == ["first", "second"]
    assert pool.answers == [("first", KEPT), ("second", KEPT)]


def test_a_task_waits_with_its_step_while_the_store_is_away(
    app: LiteQ, asking: tuple[Supervisor, Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, pool = asking

    def fail(*args: object) -> None:
        raise BrokerUnavailable("the disk is full")

    with monkeypatch.context() as away:
        away.setattr(app.broker, "settle", fail)
        pool.ask("charge")
        supervisor.turn()
    assert pool.answers == []
    end = time.monotonic() + 20
    while not pool.answers and time.monotonic() < end:
        supervisor.turn()

    assert pool.answers == [("charge", KEPT)]
    assert len(app.broker.steps("a")) == 1


def test_a_step_that_a_store_can_never_hold_is_refused_and_others_are_stored(
    app: LiteQ, asking: tuple[Supervisor, Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, pool = asking
    settle = app.broker.settle

    def picky(settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        if any(step.name == "huge" for each in settlements for step in each.steps or ()):
            raise BrokerRefused("it is too large")
        return settle(settlements, claim)

    monkeypatch.setattr(app.broker, "settle", picky)
    pool.ask("small", "huge")
    supervisor.turn()

    assert sorted(pool.answers) == [("huge", "it is too large"), ("small", KEPT)]
    assert [step.name for step in app.broker.steps("a")] == ["small"]
    (record,) = app.broker.fetch(["a"])
    assert record is not None
    assert record.phase is Phase.RUNNING


def test_a_task_whose_claim_was_lost_is_told_so_at_its_next_step(
    app: LiteQ, asking: tuple[Supervisor, Asking]
) -> None:
    supervisor, pool = asking
    app.broker.release([pool.slots[0].holding[0].receipt])
    pool.ask("charge")
    supervisor.turn()

    assert pool.answers == [("charge", CLAIM_LOST)]
    assert app.broker.steps("a") == []
