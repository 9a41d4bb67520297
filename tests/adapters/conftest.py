"""Stores with signatures on Redis."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # it needs the package redis, as the tests do that use these
    from tests.adapters.signed_store import Store


@pytest.fixture
def store(redis_store: str) -> Iterator["Store"]:
    from tests.adapters.signed_store import Store

    store = Store(redis_store)
    yield store
    store.broker.close()


@pytest.fixture
def other(store: "Store") -> Iterator["Store"]:
    """Another store on the same server, with the same key."""
    other = type(store)(store.broker.address + "?name=other")
    yield other
    other.broker.close()
