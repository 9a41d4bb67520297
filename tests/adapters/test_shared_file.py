"""A store in the file of an application, `?shared=1`: all that is not ours stays as it is."""

import sqlite3
import sys
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite.location import locate
from liteq.brokers.sqlite.schema import APPLICATION_ID, VERSION
from liteq.exceptions import (
    BrokerCorrupt,
    BrokerInsecure,
    BrokerTooNew,
    BrokerUnavailable,
    ConfigurationError,
)
from liteq.model.message import Message, new_id
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.shop import make_shop, of_the_shop, opened


def message(id: str | None = None) -> Message:
    return Message(id or new_id(), "add", b"[[1, 2], {}]", "json", "celery")


def at(path: Path, options: str = "?shared=1") -> SqliteBroker:
    broker = connect(f"sqlite:///{path}{options}")
    assert isinstance(broker, SqliteBroker)
    return broker


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    make_shop(path)
    return path


def test_all_that_is_the_applications_stays_as_it_is(shop: Path) -> None:
    before = of_the_shop(shop)
    broker = at(shop)
    broker.enqueue([message() for _ in range(300)])
    worker = broker.register("w", "{}")
    claimed = broker.claim(Claim(worker, ("celery",), 200))
    broker.settle(
        [
            Settlement(each.receipt, Phase.SUCCEEDED, 2.0, b"3", "json", keep_until=3.0)
            for each in claimed
        ]
    )
    assert broker.sweep(1000) == 200
    broker.mend()
    broker.unregister(worker)
    broker.upkeep(idle=True)

    assert of_the_shop(shop) == before
    broker.close()
    assert of_the_shop(shop) == before
    assert sum(each.tasks for each in at(shop).counts()) == 100


def test_the_tables_of_the_store_are_told_from_those_of_the_application(shop: Path) -> None:
    before = of_the_shop(shop)
    at(shop).counts()

    with opened(shop) as db:
        names = {name for (name,) in db.execute("select name from sqlite_master")}
        assert db.execute("select value from liteq_meta").fetchall() == [(VERSION,)]
    assert {"liteq_task", "liteq_meta", "task", "worker"} <= names
    assert of_the_shop(shop) == before


def test_a_file_that_is_not_there_is_made_in_wal_mode_and_left_to_the_application(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new.db"
    at(path).enqueue([message()])

    with opened(path) as db:
        marks = [db.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode",)]
        ids = db.execute("select * from pragma_application_id, pragma_user_version").fetchall()
    assert (marks, ids) == (["wal"], [(0, 0)])
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", ["delete", "truncate"])
def test_a_file_that_is_not_in_wal_mode_is_refused_with_the_cure(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "shop.db"
    make_shop(path, mode)
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match=r"shop.db is in journal mode 'delete'.*WAL.*once"):
        at(path).enqueue([message()])
    assert path.read_bytes() == before
    assert not path.with_name("shop.db-gate").exists()
    with opened(path) as db:
        db.execute("pragma journal_mode = wal")
    at(path).enqueue([message()])


def test_a_file_that_leaves_wal_mode_is_refused_from_then_on(shop: Path) -> None:
    broker = at(shop)
    broker.enqueue([message()])
    broker.close()
    with opened(shop) as db:
        db.execute("pragma journal_mode = delete")

    with pytest.raises(ConfigurationError, match="journal mode 'delete'"):
        at(shop).enqueue([message()])


def test_without_the_option_the_file_is_refused_and_the_option_is_named(shop: Path) -> None:
    before = shop.read_bytes()
    with pytest.raises(BrokerCorrupt, match=r"another program's database.*\?shared=1"):
        at(shop, "").enqueue([message()])
    assert shop.read_bytes() == before
    assert not shop.with_name("shop.db-gate").exists()

    at(shop).enqueue([message()])
    with pytest.raises(BrokerCorrupt, match=r"\?shared=1"):
        at(shop, "").counts()


def test_the_file_of_a_store_of_its_own_may_be_opened_as_shared(tmp_path: Path) -> None:
    at(tmp_path / "own.db", "").enqueue([message("a")])
    broker = at(tmp_path / "own.db")

    assert [record is not None for record in broker.fetch(["a"])] == [True]
    with opened(tmp_path / "own.db") as db:
        ids = db.execute("select * from pragma_application_id, pragma_user_version").fetchall()
    assert ids == [(APPLICATION_ID, VERSION)]


def test_a_newer_schema_is_noticed_whatever_version_the_application_gives_its_own(
    shop: Path,
) -> None:
    broker = at(shop)
    broker.enqueue([message()])
    with opened(shop) as db:
        db.execute("update liteq_meta set value = ? where name = 'schema'", (VERSION + 1,))
        db.execute(f"drop view liteq_schema_{VERSION}")

    for each in (broker, at(shop)):
        with pytest.raises(BrokerTooNew, match=f"has schema {VERSION + 1}"):
            each.enqueue([message()])


def test_a_task_that_a_transaction_of_the_application_inserts_is_there_if_that_commits(
    shop: Path,
) -> None:
    broker = at(shop)
    broker.counts()
    with opened(shop) as db:
        for title in ("kept", "undone"):
            db.execute("begin immediate")
            db.execute("insert into task (title) values (?)", (title,))
            db.execute(
                "insert into liteq_task (task, payload)"
                " values (?, json_array(json_array(?), '{}'))",
                (title, db.execute("select last_insert_rowid()").fetchone()[0]),
            )
            db.execute("commit" if title == "kept" else "rollback")
    claimed = broker.claim(Claim(broker.register("w", "{}"), ("celery",), 9))

    assert [(each.message.task, each.message.payload) for each in claimed] == [
        ("kept", b'[[3],"{}"]')
    ]


def test_who_only_looks_makes_no_tables(shop: Path) -> None:
    before = shop.read_bytes()
    for use in (SqliteBroker.check_exists, SqliteBroker.examine, SqliteBroker.mend):
        with pytest.raises(BrokerUnavailable, match="there is no such store"):
            use(at(shop))
    assert shop.read_bytes() == before

    at(shop).enqueue([message()])
    at(shop).check_exists()


def test_a_backup_has_all_of_the_file(shop: Path, tmp_path: Path) -> None:
    broker = at(shop)
    broker.enqueue([message("a")])
    broker.backup(str(tmp_path / "copy.db"))

    assert of_the_shop(tmp_path / "copy.db") == of_the_shop(shop)
    with opened(tmp_path / "copy.db") as db:
        assert db.execute("select id from liteq_task").fetchall() == [("a",)]


def test_the_file_is_not_compacted_because_that_may_change_rowids(shop: Path) -> None:
    broker = at(shop)
    broker.enqueue([message()])

    with pytest.raises(ConfigurationError, match="let the application run `vacuum`"):
        broker.compact()


def test_an_examination_says_what_is_not_ours(shop: Path) -> None:
    broker = at(shop)
    broker.enqueue([message()])
    facts = broker.examine().facts

    assert facts["not_ours"] == ["order", "task", "worker"]
    assert (facts["shared"], facts["schema"], facts["tasks"]) == (True, VERSION, {"ready": 1})


@pytest.mark.parametrize(("table", "found"), [("task", False), ("liteq_task", True)])
def test_an_examination_looks_at_no_table_of_the_application(
    shop: Path, table: str, found: bool
) -> None:
    broker = at(shop)
    broker.enqueue([message()])
    broker.upkeep(idle=True)
    broker.close()
    with opened(shop) as db:
        sql = "select rootpage from sqlite_master where name = ?"
        ((page,),) = db.execute(sql, (table,)).fetchall()
        db.execute("pragma wal_checkpoint(truncate)")
    with shop.open("r+b") as file:
        file.seek((page - 1) * 1024)
        file.write(b"\x5a" * 1024)

    assert bool(at(shop).examine(thorough=True).facts["damage"]) == found


def test_two_urls_of_one_file_are_one_store(shop: Path) -> None:
    assert at(shop).is_same_store(at(shop, "?durability=fast"))
    assert not at(shop).is_same_store(at(shop.with_name("other.db")))


@pytest.mark.parametrize("options", ["shared=1", "shared=1&durability=fast", "shared=0", ""])
def test_the_url_keeps_the_option(options: str) -> None:
    location = locate(f"sqlite:////x/shop.db?{options}")

    assert location.shared == ("shared=1" in options)
    assert locate(location.url) == location
    assert ("shared" in location.url) == location.shared


@pytest.mark.parametrize("value", ["", "yes", "true", "2"])
def test_another_value_of_the_option_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="write shared=1"):
        locate(f"sqlite:///shop.db?shared={value}")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no groups")
def test_a_file_that_the_private_group_of_this_user_may_write_is_used(shop: Path) -> None:
    """So applications make it where the umask is 002."""
    import os

    from liteq.brokers.sqlite.location import foreign_access

    shop.chmod(0o664)
    if os.geteuid() == 0:
        assert foreign_access(str(shop)) is None
        at(shop).enqueue([message()])
        os.chown(shop, -1, 12345)
        with pytest.raises(BrokerInsecure, match="could be written by others"):
            at(shop).enqueue([message()])


def test_readers_of_the_application_do_not_wait(shop: Path) -> None:
    broker = at(shop)
    with opened(shop) as db:
        db.execute("begin")
        db.execute("select * from task").fetchall()
        broker.enqueue([message("a")])
        assert db.execute("select count(*) from task").fetchall() == [(2,)]
        db.execute("commit")
        assert db.execute("select id from liteq_task").fetchall() == [("a",)]


def test_a_trigger_of_the_application_sends_tasks(shop: Path) -> None:
    broker = at(shop)
    broker.counts()
    with opened(shop) as db:
        db.execute(
            'create trigger charge after insert on "order" begin '
            "insert into liteq_task (task, payload)"
            " values ('charge', json_array(json_array(new.id), json_object())); end"
        )
        db.execute('insert into "order" (id) values (17)')
    (delivery,) = broker.claim(Claim(broker.register("w", "{}"), ("celery",), 9))

    assert (delivery.message.task, delivery.message.payload) == ("charge", b"[[17],{}]")


def test_what_is_no_database_is_refused_whatever_the_option_says(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database " * 100)
    path.chmod(0o600)

    for use in (SqliteBroker.counts, SqliteBroker.check_exists):
        with pytest.raises(BrokerCorrupt):
            use(at(path))
    with pytest.raises(sqlite3.DatabaseError), opened(path) as db:
        db.execute("select 1 from sqlite_master")
