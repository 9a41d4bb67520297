"""An application on each store."""

from collections.abc import Iterator

import pytest

from liteq import LiteQ
from tests.servers import needs_redis

STORES = ["memory", "sqlite", pytest.param("redis", marks=needs_redis)]


@pytest.fixture(params=STORES)
def app(request: pytest.FixtureRequest) -> Iterator[LiteQ]:
    urls = {"sqlite": "store", "redis": "redis_store"}
    kind = request.param
    url = request.getfixturevalue(urls[kind]) if kind in urls else "memory://"
    with LiteQ("project", broker=url) as app:
        yield app
