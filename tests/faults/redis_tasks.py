"""Tasks on Redis, and whether they are done, for tests of failures."""

from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers.base import Broker
from liteq.exceptions import BrokerUnavailable
from liteq.model.message import Delivery, Message, new_id
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.e2e.project import TASKS, Project

FILE = "sqlite:///project.db"


def project_on(folder: Path, url: str) -> Project:
    return Project(folder, TASKS.replace(FILE, url))


def message(id: str = "", payload: bytes = b"[[1, 2], {}]", task: str = "project.add") -> Message:
    return Message(id or new_id(), task, payload, "json", "celery")


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"3", "json")


def done(broker: Broker, ids: list[str]) -> bool:
    """Return whether all tasks have succeeded; False while the server is away."""
    try:
        records = broker.fetch(ids)
    except BrokerUnavailable:
        return False
    assert all(records), "an acknowledged task is gone"
    return all(record and record.phase is Phase.SUCCEEDED for record in records)
