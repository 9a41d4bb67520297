"""An application, and a database of its own in the file of the store."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from liteq import LiteQ

from .shop import Connection, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Yield an application whose orders are in the file of its store."""
    app = LiteQ("shop", broker=f"sqlite:///{tmp_path / 'shop.db'}", set_as_current=False)
    with app:
        yield Shop(app, tmp_path / "shop.db")


@pytest.fixture
def connection(shop: Shop) -> Iterator[Connection]:
    connection = sqlite3.connect(shop.path)
    yield connection
    connection.close()
