"""`start_worker` of `liteq.contrib.testing.worker`, with Celery's options."""

import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from liteq import LiteQ
from liteq.contrib.testing.worker import start_worker
from liteq.exceptions import ConfigurationError, LiteqError
from liteq.signals import worker_ready
from tests.e2e.project import wait_for


@pytest.fixture
def app(store: str) -> Iterator[LiteQ]:
    with LiteQ("x", broker=store, set_as_current=False) as app:
        yield app


def test_the_log_has_the_level_and_the_file_for_the_block(app: LiteQ, tmp_path: Path) -> None:
    file = tmp_path / "worker.log"
    logger = logging.getLogger("liteq.worker")
    before = logger.getEffectiveLevel()

    with start_worker(app, loglevel="info", logfile=str(file), perform_ping_check=False):
        logger.info("in the block")
    logger.warning("after the block")

    assert "in the block" in file.read_text()
    assert "after the block" not in file.read_text()
    assert logger.getEffectiveLevel() == before


def test_queues_can_be_excluded(app: LiteQ) -> None:
    with start_worker(app, queues="a,b", exclude_queues=("b",), perform_ping_check=False) as worker:
        assert worker.queues == ("a",)
    with pytest.raises(ConfigurationError, match="excluded"):
        start_worker(app, exclude_queues="celery").__enter__()


def test_tasks_that_are_defined_later_are_known_after_a_reload(app: LiteQ) -> None:
    with start_worker(app) as worker:
        app.task(name="late", time_limit=5)(abs)
        worker.reload()
        assert app.send_task("late", (-3,)).get(timeout=10) == 3
        wait_for(lambda: "late" in str(app.control.inspect().registered()))
    with pytest.raises(LiteqError, match="start it"):
        worker.reload()


def test_a_worker_that_is_ready_says_that_it_runs(app: LiteQ) -> None:
    shown = []
    known = Event()

    def ready(sender: object, **_: object) -> None:
        shown.append(repr(sender))
        known.set()

    worker_ready.connect(ready)
    try:
        worker = app.Worker(pool="solo")
        supervisor = worker.prepare()
        supervisor.start()
        supervisor.stop()
        worker.serve(supervisor)
    finally:
        worker_ready.disconnect(ready)

    assert known.is_set()
    assert ": running, solo" in shown[0]
    assert ": stopped, solo" in repr(worker)
