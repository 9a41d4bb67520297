"""What all tests may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import MISSING, PostgresServer, running_postgres
from tests.servers import BINARY, RedisServer, running_server

# `dev` is for a quick look after each change. `ci` tries more, and the same each time, so that a
# failure is due to the change and not to luck.
_SLOW = [HealthCheck.too_slow]  # a store on a busy disk is no mistake of the test
settings.register_profile("dev", max_examples=25, stateful_step_count=25, deadline=None)
settings.register_profile(
    "ci", max_examples=100, stateful_step_count=50, deadline=None, derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a SQLite store of its own, empty; what is written to it need not survive."""
    return f"sqlite:///{tmp_path / 'store.db'}?durability=fast"


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server for all tests that do nothing to the server itself."""
    if BINARY is None:
        pytest.skip("there is no redis-server on this machine")
    with running_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_store(shared_redis: RedisServer) -> str:
    """The URL of an empty Redis store."""
    shared_redis.command("FLUSHALL")
    return shared_redis.url


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests that do nothing to the server itself."""
    if MISSING is not None:
        pytest.skip(MISSING)
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres(shared_postgres: PostgresServer) -> PostgresServer:
    """A PostgreSQL server with an empty database."""
    shared_postgres.clear()
    return shared_postgres
