"""An application on a store in memory, with a clock that is moved by hand."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from liteq import LiteQ, Task
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Outcome
from liteq.result import app as apps
from liteq.serializers import get
from liteq.testing import ManualClock, MemoryBroker
from liteq.worker.runner import Runner


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(clock: ManualClock) -> MemoryBroker:
    return MemoryBroker(clock)


@pytest.fixture
def app(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiteQ]:
    monkeypatch.setattr(apps, "_shared", [])  # shared tasks stay in their test
    app = LiteQ("project", broker=broker)
    yield app
    app.close()


Reports = list[tuple[str, str, Any]]


@pytest.fixture
def reports() -> Reports:
    """Collect the states that running tasks report: id, state, meta."""
    return []


@pytest.fixture
def run(app: LiteQ, reports: Reports) -> Callable[[Any], Outcome]:
    """Return a function that runs the task of a result as a worker would, without settling it."""

    def run(result: Any, **changes: Any) -> Outcome:
        delivery = Delivery(message_of(result)._replace(**changes), Receipt(result.id, 1))
        runner = Runner(app, hostname="worker@host", describe=True, report=report)
        return runner.run(delivery)

    def report(id: str, state: str, meta: bytes, serializer: str) -> None:
        reports.append((id, state, app_value(meta, serializer)))

    return run


def make_task(app: LiteQ, function: Callable[..., Any], **options: Any) -> Task[..., Any]:
    """Make a task with options that type checkers do not know."""
    decorate: Any = app.task
    task: Task[..., Any] = decorate(**options)(function)
    return task


def message_of(result: Any) -> Message:
    """Return the message that the store has for `result`."""
    (record,) = result.app.broker.fetch([result.id])
    message: Message = record.message
    return message


def app_value(data: bytes | None, serializer: str | None) -> Any:
    """Return the value that `data` encodes."""
    assert data is not None
    assert serializer is not None
    return get(serializer).loads(data)


# tasks of workflows


class Oops(Exception):
    """An error of a task."""


@pytest.fixture
def add(app: LiteQ) -> Any:
    return app.task(name="add")(lambda x, y=0: x + y)


@pytest.fixture
def total(app: LiteQ) -> Any:
    return app.task(name="total")(sum)


@pytest.fixture
def same(app: LiteQ) -> Any:
    return app.task(name="same")(lambda value: value)


@pytest.fixture
def fail(app: LiteQ) -> Any:
    def fail(*args: Any) -> None:
        raise Oops(*args)

    return app.task(name="fail")(fail)


@pytest.fixture
def where(app: LiteQ) -> Any:
    """Make a task that returns its id, its parent's, its root's, its group and its index there."""

    def where(self: Any, *args: Any) -> Any:
        request = self.request
        return request.id, request.parent_id, request.root_id, request.group, request.group_index

    return app.task(name="where", bind=True)(where)


@pytest.fixture
def calls() -> list[Any]:
    """Collect the values that callbacks and errbacks are called with."""
    return []
