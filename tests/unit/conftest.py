"""An application on a store in memory, with a clock that stands still."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from liteq import LiteQ, Task, current
from liteq.message import Delivery, Message, Receipt
from liteq.outcome import Outcome
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
    monkeypatch.setattr(current, "_recipes", [])  # shared tasks stay in their test
    app = LiteQ("project", broker=broker)
    yield app
    app.close()


Reports = list[tuple[str, str, Any]]


@pytest.fixture
def reports() -> Reports:
    """What running tasks told of themselves: id, state, meta."""
    return []


@pytest.fixture
def run(app: LiteQ, reports: Reports) -> Callable[[Any], Outcome]:
    """Run the task of a result as a worker would, without settling it."""

    def run(result: Any, **changes: Any) -> Outcome:
        delivery = Delivery(message_of(result)._replace(**changes), Receipt(result.id, 1))
        runner = Runner(app, hostname="worker@host", describe=True, report=report)
        return runner.run(delivery)

    def report(id: str, state: str, meta: bytes, serializer: str) -> None:
        reports.append((id, state, app_value(meta, serializer)))

    return run


def make_task(app: LiteQ, function: Callable[..., Any], **options: Any) -> Task[..., Any]:
    """A task with options that are only known when it is made."""
    decorate: Any = app.task
    task: Task[..., Any] = decorate(**options)(function)
    return task


def message_of(result: Any) -> Message:
    """The message that the store has for `result`."""
    (record,) = result.app.broker.fetch([result.id])
    message: Message = record.message
    return message


def app_value(data: bytes | None, serializer: str | None) -> Any:
    """What `data` holds."""
    assert data is not None
    assert serializer is not None
    return get(serializer).loads(data)
