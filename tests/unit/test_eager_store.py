"""Results of eager tasks in the store."""

import threading
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import Ignore, SerializationError
from liteq.testing import MemoryBroker


@pytest.fixture(autouse=True)
def kept(app: LiteQ) -> None:
    app.conf.update(task_always_eager=True, task_store_eager_result=True)


def test_a_value_is_read_by_its_id(app: LiteQ) -> None:
    add = app.task(name="add")(lambda x, y: x + y)
    found = app.AsyncResult(add.delay(1, y=2).id)

    assert (found.state, found.get()) == ("SUCCESS", 3)
    assert (found.name, found.args, found.kwargs) == ("add", (1,), {"y": 2})


def test_an_error_is_raised_with_its_traceback(app: LiteQ) -> None:
    @app.task
    def fail() -> None:
        raise ValueError("no")

    found = app.AsyncResult(fail.apply().id)

    assert found.state == "FAILURE"
    assert 'raise ValueError("no")' in (found.traceback or "")
    with pytest.raises(ValueError, match="no"):
        found.get()


def test_what_is_ignored_is_not_stored(app: LiteQ) -> None:
    @app.task
    def ignore() -> None:
        raise Ignore

    quiet = app.task(name="quiet", ignore_result=True)(lambda: 1)

    assert not app.AsyncResult(ignore.delay().id).exists()
    assert not app.AsyncResult(quiet.delay().id).exists()


def test_a_value_that_cannot_be_stored_is_a_failure_there(app: LiteQ) -> None:
    lock: Any = app.task(name="lock")(threading.Lock)
    result = lock.delay()

    assert result.state == "SUCCESS"
    assert app.AsyncResult(result.id).failed()
    assert isinstance(app.AsyncResult(result.id).result, SerializationError)


def test_a_task_that_is_known_already_is_left_as_it_is(app: LiteQ) -> None:
    echo: Any = app.task(name="echo")(lambda x: x)
    echo.apply_async((1,), task_id="one")
    echo.apply_async((2,), task_id="one")

    assert app.AsyncResult("one").get() == 1


def test_nothing_else_stays_in_the_store(app: LiteQ, broker: MemoryBroker) -> None:
    app.task(name="one")(lambda: 1).delay()

    assert [count.tasks for count in broker.counts()] == [1]
    assert broker.workers() == []


def test_without_the_setting_the_store_is_not_used(app: LiteQ, broker: MemoryBroker) -> None:
    app.conf.task_store_eager_result = False
    app.task(name="one")(lambda: 1).delay()

    assert broker.counts() == []


def test_every_task_of_a_canvas_is_stored(app: LiteQ) -> None:
    add: Any = app.task(name="add")(lambda x, y: x + y)
    last = (add.s(1, 2) | add.s(3)).apply_async()

    assert app.AsyncResult(last.id).get() == 6
    assert app.AsyncResult(last.parent.id).get() == 3
