"""The file of an application, in which a store is to be a guest."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

# What of a file belongs to the application. (`auto_vacuum` moves pages; so no root pages.)
_PRAGMAS = ("application_id", "user_version", "page_size", "auto_vacuum", "encoding")
_SCHEMA = """
    select type, name, tbl_name, sql from sqlite_master
    where tbl_name not like 'liteq%' and name <> 'sqlite_sequence'
"""
_TABLES = """
    create table task (id integer primary key, title text not null unique);
    create table worker (name text primary key) without rowid;
    create table "order" (id integer primary key, paid real);
    create index task_ready on task (title);
    create view bell as select name from worker;
    create trigger task_forgotten after delete on task begin delete from worker; end;
    insert into task (title) values ('wash up'), ('iron');
    insert into worker values ('ann');
"""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of the application."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def make_shop(path: Path, mode: str = "wal") -> None:
    """Make the file, with names as they were liteq's own before schema 3."""
    with opened(path) as db:
        db.execute("pragma page_size = 1024")
        db.execute("pragma auto_vacuum = full")
        db.execute(f"pragma journal_mode = {mode}")
        db.execute("pragma application_id = 1397247824")
        db.execute("pragma user_version = 99")
        db.executescript(_TABLES)
    path.chmod(0o600)


def of_the_shop(path: Path) -> dict[str, object]:
    """Return all that is the application's."""
    with opened(path) as db:
        schema = db.execute(_SCHEMA).fetchall()
        tables = [name for kind, name, *_ in schema if kind == "table"]
        rows = {name: db.execute(f'select * from "{name}"').fetchall() for name in tables}
        pragmas = {name: db.execute(f"pragma {name}").fetchone() for name in _PRAGMAS}
        return {"schema": sorted(schema, key=str), "rows": rows, **pragmas}
