"""A Redis server of the test's own, the network before it, and stores with signatures."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.proxy import Proxy
from tests.servers import RedisServer, running_server

if TYPE_CHECKING:  # it needs the package redis, as the tests do that use these
    from tests.adapters.signed_store import Store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    with closing(proxy):
        yield proxy


@pytest.fixture
def signed(redis_store: str) -> Iterator["Store"]:
    from tests.adapters.signed_store import Store

    signed = Store(redis_store)
    yield signed
    signed.broker.close()


@pytest.fixture
def other_signed(signed: "Store") -> Iterator["Store"]:
    """Another store on the same server, with the same key."""
    other = type(signed)(signed.broker.address + "?name=other")
    yield other
    other.broker.close()
