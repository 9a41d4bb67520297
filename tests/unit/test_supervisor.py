"""The supervisor's loop, turned by hand in this process."""

import threading
import time
from collections.abc import Iterator

import pytest

from liteq import LiteQ
from liteq.exceptions import ImproperlyConfigured
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
