"""Whom a change of a SQLite store notifies: those whom it concerns, and no others."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim, Listener, Rescue
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite.sharedstate import ANY_RESULT, ANY_RESULT_CELLS, QUEUE_ROWS
from liteq.brokers.sqlite.waits import MOST
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.states import Phase

SOON = 5.0  # seconds within which a notification must arrive
NEVER = 0.05  # seconds without one

_listeners: list[Listener] = []  # of workers, to be closed


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}?durability=fast"


@pytest.fixture
def broker(url: str) -> Iterator[SqliteBroker]:
    with closing(open_store(url)) as broker:
        yield broker
        while _listeners:
            _listeners.pop().close()


def open_store(url: str) -> SqliteBroker:
    broker = connect(url)
    assert isinstance(broker, SqliteBroker)
    return broker


def send(broker: SqliteBroker, *ids: str, queue: str = "celery", eta: float | None = None) -> None:
    broker.enqueue([Message(id, "task", b"", "json", queue, eta=eta) for id in ids])


def success(broker: SqliteBroker, delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, broker.clock(), b"", "json")


class Worker:
    """A worker that listens, in this process."""

    def __init__(self, broker: SqliteBroker, *queues: str) -> None:
        self.broker, self.queues = broker, queues or ("celery",)
        self.number = broker.register("worker", "{}")
        self.listener: Listener = broker.work_listener(self.number)
        _listeners.append(self.listener)

    def claim(self, limit: int = 1) -> list[Delivery]:
        return self.broker.claim(Claim(self.number, self.queues, limit))

    @property
    def notified(self) -> bool:
        return self.listener.wait(NEVER)


def workers(broker: SqliteBroker, count: int, *queues: str) -> list[Worker]:
    """Return workers that found nothing to claim."""
    found = [Worker(broker, *queues) for _ in range(count)]
    for each in found:
        assert each.claim() == []
    return found


def notified(workers: list[Worker]) -> list[Worker]:
    return [each for each in workers if each.notified]


# work


def test_one_task_wakes_one_of_many_idle_workers(broker: SqliteBroker) -> None:
    idle = workers(broker, 5)
    send(broker, "a")
    assert len(notified(idle)) == 1


def test_as_many_workers_wake_as_there_are_tasks(broker: SqliteBroker) -> None:
    idle = workers(broker, 5)
    send(broker, "a", "b", "c")
    assert len(notified(idle)) == 3


def test_tasks_that_are_sent_one_by_one_wake_different_workers(broker: SqliteBroker) -> None:
    """The first one that was woken may be stopped."""
    idle = workers(broker, 3)
    send(broker, "a")
    send(broker, "b")
    assert len(notified(idle)) == 2


def test_a_worker_that_is_full_is_not_woken(broker: SqliteBroker) -> None:
    full, idle = workers(broker, 2)
    send(broker, "a")
    assert full.claim(limit=1)
    full.listener.wait(0), idle.listener.wait(0)
    full.claim(limit=0)

    send(broker, "b")
    assert notified([full, idle]) == [idle]


def test_a_worker_that_fills_up_and_leaves_some_wakes_the_next_one(broker: SqliteBroker) -> None:
    first = Worker(broker)
    send(broker, "a", "b")
    (second,) = workers(broker, 1, "other")
    second.queues = ("celery",)
    second.listener.clear()
    broker._session().idle.mark(1, ("celery",), idle=True)  # as if it had looked before

    assert first.claim(limit=1)
    assert second.notified


def test_a_worker_that_takes_the_last_task_wakes_nobody(broker: SqliteBroker) -> None:
    first, second = workers(broker, 2)
    send(broker, "a")
    notified([first, second])
    assert first.claim(limit=1)
    assert notified([first, second]) == []


def test_a_worker_that_declines_has_another_one_woken(broker: SqliteBroker) -> None:
    idle = workers(broker, 3)
    send(broker, "a")
    (first,) = notified(idle)
    first.listener.decline()
    (second,) = notified(idle)
    assert second is not first


def test_nobody_is_woken_for_a_task_that_another_worker_has_claimed(broker: SqliteBroker) -> None:
    first, second, third = workers(broker, 3)
    send(broker, "a")
    assert third.claim()
    notified([first, second, third])
    first.listener.decline()
    assert notified([first, second, third]) == []


def test_only_workers_of_its_queue_are_woken_for_a_task(broker: SqliteBroker) -> None:
    (mails,), (films,) = workers(broker, 1, "mails"), workers(broker, 1, "films", "pictures")
    send(broker, "a", queue="films")
    assert notified([mails, films]) == [films]
    send(broker, "b", "c", "d", queue="mails")
    assert notified([mails, films]) == [mails]


def test_a_worker_that_has_not_claimed_yet_may_serve_any_queue(broker: SqliteBroker) -> None:
    worker = Worker(broker, "mails")
    send(broker, "a", queue="films")
    assert worker.notified


def test_a_worker_of_more_queues_than_there_are_rows_is_woken_for_each(
    broker: SqliteBroker,
) -> None:
    names = [f"queue{n}" for n in range(2 * QUEUE_ROWS)]
    (busy,), (other,) = workers(broker, 1, *names), workers(broker, 1, "other")
    for name in names:
        send(broker, name, queue=name)
        assert busy.notified, name
    other.listener.clear()
    send(broker, "last", queue="other")
    assert other.notified


def test_a_row_whose_queue_nobody_serves_is_given_to_another_queue(broker: SqliteBroker) -> None:
    for n in range(2 * QUEUE_ROWS):
        (worker,) = workers(broker, 1, f"queue{n}")
        send(broker, str(n), queue=f"queue{n}")
        assert worker.notified
        worker.listener.close()


def test_a_task_for_later_wakes_one_worker_though_all_are_full(broker: SqliteBroker) -> None:
    full = workers(broker, 3)
    for each in full:
        each.listener.decline()
    send(broker, "a", eta=broker.clock() + 60)
    assert len(notified(full)) == 1


def test_a_task_that_is_woken_by_another_ones_end_wakes_no_more_than_one_worker(
    broker: SqliteBroker,
) -> None:
    idle = workers(broker, 4)
    first = idle[0]
    send(broker, "a")
    (delivery,) = first.claim()
    notified(idle)
    again = delivery.message._replace(retries=1)
    retry = Settlement(delivery.receipt, Phase.READY, broker.clock(), retry=again, why="retry")
    broker.settle([retry])
    assert len(notified(idle)) == 1


def test_of_idle_workers_any_can_be_woken_and_not_always_the_first(broker: SqliteBroker) -> None:
    """As for a task that becomes due: one worker may be unable to run it, and leave it again."""
    idle = workers(broker, 3)
    woken: set[int] = set()
    for _ in range(200):
        broker._session().wake("celery", 1, at_random=True)
        (one,) = (each for each in idle if each.listener.wait(0))
        woken.add(one.number)
    assert len(woken) == len(idle)


KILLED = """
import sys
from liteq.brokers import connect
from liteq.brokers.base import Claim

broker = connect(sys.argv[1])
worker = broker.register("killed", "{}")
listeners = [broker.work_listener(worker), broker.result_listener()]
broker.claim(Claim(worker, ("celery",), 1))
listeners[1].expect([sys.argv[2]] if sys.argv[2] else None)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def program(url: str, expected: str = "") -> Iterator[Callable[[], None]]:
    """Run a program that is an idle worker and waits for a result; yield what kills it."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, url, expected], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"

        def kill() -> None:
            running.kill()
            running.wait()

        yield kill
        running.kill()


def test_when_the_first_idle_worker_was_killed_the_next_one_is_woken(
    broker: SqliteBroker, url: str
) -> None:
    with program(url) as kill:
        (alive,) = workers(broker, 1)
        kill()
    send(broker, "a")
    assert alive.notified


def test_the_slots_of_killed_workers_are_given_to_others(broker: SqliteBroker, url: str) -> None:
    with program(url) as kill:
        (alive,) = workers(broker, 1)
        kill()
    idle = broker._session().idle
    assert len(idle.keys()) == 2
    broker.rescue(lambda info, held, restarted: Rescue([], []))
    broker.upkeep()
    assert idle.keys() == {alive.listener.key}  # type: ignore[attr-defined]


def test_of_many_workers_one_looks_for_dead_ones(url: str, broker: SqliteBroker) -> None:
    stores = [open_store(url) for _ in range(5)]
    assert [store.begin_rescue(60.0) for store in stores].count(True) == 1
    assert not broker.begin_rescue(60.0)
    assert broker.begin_rescue(0.0)  # as when that time is over
    for store in stores:
        store.close()


def test_a_look_that_was_noted_for_the_future_keeps_nobody_from_looking(
    broker: SqliteBroker,
) -> None:
    """The monotonic clock starts anew with the machine, and the file stays."""
    broker._session()._state.cells[4] = 2**62
    assert broker.begin_rescue(60.0)
    assert not broker.begin_rescue(60.0)


# results


def test_only_who_waits_for_a_task_is_notified_of_its_end(url: str, broker: SqliteBroker) -> None:
    (worker,) = workers(broker, 1)
    send(broker, "a", "b")
    with closing(open_store(url)) as one, closing(open_store(url)) as other:
        waits_for_a, waits_for_b = one.result_listener(), other.result_listener()
        waits_for_a.expect(["a"])
        waits_for_b.expect(["b", "c"])
        for each, expected in zip(worker.claim(2), (waits_for_a, waits_for_b), strict=True):
            broker.settle([success(broker, each)])
            assert [w for w in (waits_for_a, waits_for_b) if w.wait(NEVER)] == [expected]


def test_who_expects_nothing_any_more_is_not_notified(broker: SqliteBroker) -> None:
    (worker,) = workers(broker, 1)
    send(broker, "a")
    listener = broker.result_listener()
    listener.expect(["a"])
    listener.expect(())
    broker.settle([success(broker, each) for each in worker.claim()])
    assert not listener.wait(NEVER)


def test_all_that_wait_for_the_same_task_are_notified(url: str, broker: SqliteBroker) -> None:
    """More than there are cells for one task."""
    (worker,) = workers(broker, 1)
    send(broker, "a")
    stores = [open_store(url) for _ in range(8)]
    listeners = [store.result_listener() for store in stores]
    for each in listeners:
        each.expect(["a"])
    broker.settle([success(broker, each) for each in worker.claim()])
    assert all(each.wait(SOON) for each in listeners)
    for store in stores:
        store.close()


def test_who_waits_for_very_many_tasks_is_notified_of_each(broker: SqliteBroker) -> None:
    (worker,) = workers(broker, 1)
    send(broker, "a")
    listener = broker.result_listener()
    listener.expect([str(n) for n in range(MOST)] + ["a"])
    broker.settle([success(broker, each) for each in worker.claim()])
    assert listener.wait(SOON)


@pytest.mark.parametrize("expected", ["a", ""])
def test_what_a_killed_waiter_has_left_is_forgotten(
    broker: SqliteBroker, url: str, expected: str
) -> None:
    with program(url, expected) as kill:
        kill()
    waits = broker._session().waits
    assert waits.waiting(["a"])
    (worker,) = workers(broker, 1)
    send(broker, "a")
    broker.settle([success(broker, each) for each in worker.claim()])
    assert not waits.waiting(["a"])
    assert not waits.any()


def test_a_waiter_whose_sockets_are_in_another_folder_is_notified(
    broker: SqliteBroker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name != "posix":
        pytest.skip("sockets are files on POSIX only")
    (worker,) = workers(broker, 1)
    send(broker, "a")
    # That of the test may be too long for the path of a socket.
    with TemporaryDirectory(prefix="lq", dir="/tmp") as folder:
        with monkeypatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", folder)
            store = open_store(url)
            listener = store.result_listener()
        with closing(store):
            listener.expect(["a"])
            broker.settle([success(broker, each) for each in worker.claim()])
            assert listener.wait(SOON)


def test_garbage_in_the_shared_memory_costs_notifications_and_nothing_else(
    broker: SqliteBroker, url: str, tmp_path: Path
) -> None:
    (worker,) = workers(broker, 1)
    with Path(tmp_path, "store.db-gate").open("r+b") as file:
        file.seek(ANY_RESULT)
        file.write(os.urandom(8 * ANY_RESULT_CELLS + 100_000))
    send(broker, "a", "b")
    listener = broker.result_listener()
    listener.expect(["a"])
    broker.settle([success(broker, each) for each in worker.claim(limit=2)])
    assert [record and record.phase for record in broker.fetch(["a", "b"])] == [
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
    ]
    broker.upkeep()
    worker.listener.decline()
    worker.listener.close()
