"""docs/internals/store.md tells every table and every column of a store, and no others."""

import re
import sqlite3
from contextlib import closing

import pytest

from liteq.brokers.sqlite.schema import VERSION
from liteq.brokers.sqlite.statements import read
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs/internals/store.md").read_text(encoding="utf-8")
_, *SECTIONS = re.split(r"^##+ (.*)\n", PAGE, flags=re.MULTILINE)


def tables() -> dict[str, set[str]]:
    """Return the columns of each table of a new store."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(read("schema.sql"))
        names = db.execute("select name from sqlite_master where type = 'table'").fetchall()
        return {
            name: {row[1] for row in db.execute(f"pragma table_info({name})")}
            for (name,) in names
            if not name.startswith("sqlite_")
        }


def told() -> dict[str, set[str]]:
    """Return the words in code below each heading that names a table."""
    found: dict[str, set[str]] = {}
    for heading, text in zip(SECTIONS[::2], SECTIONS[1::2], strict=True):
        for name in re.findall(r"`(liteq_\w+)`", heading):
            found[name] = set(re.findall(r"`(\w+)`", text))
    return found


def test_the_page_tells_of_all_tables() -> None:
    assert told().keys() == tables().keys()


@pytest.mark.parametrize("table", tables())
def test_the_page_tells_of_all_columns(table: str) -> None:
    assert not tables()[table] - told()[table]


def test_every_name_in_a_store_begins_with_liteq() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(read("schema.sql"))
        names = [name for (name,) in db.execute("select name from sqlite_master")]

    assert [name for name in names if not name.startswith(("liteq_", "sqlite_"))] == []


def test_the_page_and_the_view_name_the_version_of_the_schema() -> None:
    assert f"the version of the schema, now {VERSION}" in PAGE
    assert f"create view liteq_schema_{VERSION} " in read("schema.sql")
