"""Signatures on Redis: a periodic task fires what it was stored with, and when.

The attacker here may write every key of the server, and copy to any place what was signed.
"""

import pytest

pytest.importorskip("redis")

from liteq.model.entry import Entry, Firing
from tests.adapters.signed_store import Store, message


@pytest.fixture
def entry(store: Store) -> Entry:
    entry = Entry("nightly", '{"every": 86400}', message(), store.broker.clock() + 60)
    assert store.broker.schedule([entry]) == []
    return store.broker.schedules()[0]


def copy(store: Store, source: str, target: str) -> None:
    fields = store.command("HGETALL", source)
    store.command("HSET", target, *fields)


def test_a_schedule_that_fired_is_still_genuine(store: Store, entry: Entry) -> None:
    fired = entry._replace(runs=1, last=entry.moment, moment=store.broker.clock() + 99)
    store.broker.fire([Firing(fired, entry.message._replace(id="run"))])

    (read,) = store.broker.schedules()
    assert read.runs == 1
    assert [each.message.id for each in store.claim()] == ["run"]


def test_a_schedule_cannot_be_copied_under_another_name(store: Store, entry: Entry) -> None:
    copy(store, "{liteq}:schedule:nightly", "{liteq}:schedule:again")
    store.command("ZADD", "{liteq}:schedules", 0, "again")

    assert [each.name for each in store.broker.schedules()] == ["nightly"]


def test_a_schedule_cannot_be_copied_to_another_store(
    store: Store, other: Store, entry: Entry
) -> None:
    copy(store, "{liteq}:schedule:nightly", "{liteq:other}:schedule:nightly")
    other.command("ZADD", "{liteq:other}:schedules", 0, "nightly")

    assert other.broker.schedules() == []


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("entry", b"86400", b"1"),
        ("entry", b'"once"', b'"all"'),
        ("entry", b"0.0", b"9.0"),  # jitter
        ("entry", b"false", b"true"),  # paused
        ("overlap", b"1", b"0"),
        ("message", b'"add"', b'"sub"'),
    ],
)
def test_when_and_what_a_schedule_fires_cannot_be_changed(
    store: Store, entry: Entry, field: str, old: bytes, new: bytes
) -> None:
    stored = store.command("HGET", "{liteq}:schedule:nightly", field)
    assert old in stored
    store.command("HSET", "{liteq}:schedule:nightly", field, stored.replace(old, new, 1))

    assert store.broker.schedules() == []


def test_the_message_of_a_schedule_is_no_task_and_a_task_is_no_schedule(
    store: Store, entry: Entry
) -> None:
    store.broker.enqueue([message("a"), message("nightly")])
    periodic = store.command("HGET", "{liteq}:schedule:nightly", "message")
    store.command("HSET", "{liteq}:schedule:nightly", "message", store.peek("a", "message"))
    store.plant("nightly", message=periodic)

    assert store.broker.schedules() == []
    assert store.refuses("nightly")
