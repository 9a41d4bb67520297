"""Signatures on Redis: a periodic task fires what it was stored with, and when.

The attacker here may write every key of the server, and copy to any place what was signed.
"""

import pytest

pytest.importorskip("redis")

from liteq.model.entry import Entry, Firing
from tests.adapters.signed_store import Store, message


@pytest.fixture
def entry(signed: Store) -> Entry:
    entry = Entry("nightly", '{"every": 86400}', message(), signed.broker.clock() + 60)
    assert signed.broker.schedule([entry]) == []
    return signed.broker.schedules()[0]


def copy(signed: Store, source: str, target: str) -> None:
    fields = signed.command("HGETALL", source)
    signed.command("HSET", target, *fields)


def test_a_schedule_that_fired_is_still_genuine(signed: Store, entry: Entry) -> None:
    fired = entry._replace(runs=1, last=entry.moment, moment=signed.broker.clock() + 99)
    signed.broker.fire([Firing(fired, entry.message._replace(id="run"))])

    (read,) = signed.broker.schedules()
    assert read.runs == 1
    assert [each.message.id for each in signed.claim()] == ["run"]


def test_a_schedule_cannot_be_copied_under_another_name(signed: Store, entry: Entry) -> None:
    copy(signed, "{liteq}:schedule:nightly", "{liteq}:schedule:again")
    signed.command("ZADD", "{liteq}:schedules", 0, "again")

    assert [each.name for each in signed.broker.schedules()] == ["nightly"]


def test_a_schedule_cannot_be_copied_to_another_store(
    signed: Store, other_signed: Store, entry: Entry
) -> None:
    copy(signed, "{liteq}:schedule:nightly", "{liteq:other}:schedule:nightly")
    other_signed.command("ZADD", "{liteq:other}:schedules", 0, "nightly")

    assert other_signed.broker.schedules() == []


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
    signed: Store, entry: Entry, field: str, old: bytes, new: bytes
) -> None:
    stored = signed.command("HGET", "{liteq}:schedule:nightly", field)
    assert old in stored
    signed.command("HSET", "{liteq}:schedule:nightly", field, stored.replace(old, new, 1))

    assert signed.broker.schedules() == []


def test_the_message_of_a_schedule_is_no_task_and_a_task_is_no_schedule(
    signed: Store, entry: Entry
) -> None:
    signed.broker.enqueue([message("a"), message("nightly")])
    periodic = signed.command("HGET", "{liteq}:schedule:nightly", "message")
    signed.command("HSET", "{liteq}:schedule:nightly", "message", signed.peek("a", "message"))
    signed.plant("nightly", message=periodic)

    assert signed.broker.schedules() == []
    assert signed.refuses("nightly")
