"""Stores with signatures on Redis."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # it needs the package redis, as the tests do that use these
    from tests.adapters.signed_store import Store


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
