"""A Redis server that a test may kill, and its broker."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteq.brokers import connect
from tests.servers import RedisServer, running_server

if TYPE_CHECKING:  # it needs the package redis, as the tests do that use this
    from liteq.brokers.redis import RedisBroker


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Yield a server of the test's own, which keeps all that it has acknowledged."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.fixture
def broker(server: RedisServer) -> Iterator["RedisBroker"]:
    from liteq.brokers.redis import RedisBroker

    broker = connect(server.url + "?timeout=2")
    assert isinstance(broker, RedisBroker)
    yield broker
    broker.close()
