"""The lock file, which all processes map: spoilt by other programs, deleted, or with holes."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim, Listener
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite import listeners as listeners_module
from liteq.brokers.sqlite import session as session_module
from liteq.brokers.sqlite.sharedstate import SharedState
from liteq.brokers.sqlite.waits import Waits
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.states import Phase

SOON = 5.0  # seconds within which a notification must arrive

LARGEST = b"\xff" * 7 + b"\x7f"
SMALLEST = b"\0" * 7 + b"\x80"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def broker(path: Path) -> Iterator[SqliteBroker]:
    with closing(open_store(path)) as broker:
        broker.counts()  # it exists from here on
        yield broker


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at once for what is looked for now and then."""
    monkeypatch.setattr(session_module, "_LOOK_EVERY", 0.0)
    monkeypatch.setattr(listeners_module, "_LOOK_EVERY", 0.0)


def open_store(path: Path) -> SqliteBroker:
    broker = connect(f"sqlite:///{path}?durability=fast")
    assert isinstance(broker, SqliteBroker)
    return broker


def gate(path: Path) -> Path:
    return path.with_name(f"{path.name}-gate")


def spoil(path: Path, content: bytes) -> None:
    """Write over the lock file, as another program does that takes it for its own."""
    size = gate(path).stat().st_size
    with gate(path).open("r+b") as file:
        file.write((content * (size // len(content) + 1))[:size])


def send(broker: SqliteBroker, id: str) -> None:
    broker.enqueue([Message(id, "task", b"", "json", "celery")])


def enter(broker: SqliteBroker) -> tuple[int, Listener]:
    """Register a worker that listens."""
    worker = broker.register("worker", "{}")
    return worker, broker.work_listener(worker)


def claim(broker: SqliteBroker, worker: int) -> list[Delivery]:
    return broker.claim(Claim(worker, ("celery",), 10))


def settle(broker: SqliteBroker, deliveries: list[Delivery]) -> None:
    broker.settle(
        [
            Settlement(each.receipt, Phase.SUCCEEDED, broker.clock(), b"", "json")
            for each in deliveries
        ]
    )


def run_one(broker: SqliteBroker, id: str) -> None:
    """Send, claim and settle one task; worker and waiter must be notified of it."""
    with closing(broker.result_listener()) as waiter:
        waiter.expect([id])
        worker, listener = enter(broker)
        with closing(listener):
            assert claim(broker, worker) == []
            listener.clear()
            waiter.clear()
            send(broker, id)
            assert listener.wait(SOON)
            settle(broker, claim(broker, worker))
            assert waiter.wait(SOON)


CONTENTS = [b"\xff", b"\1", b"\x80", LARGEST, SMALLEST, b"#!/bin/sh\n", Random(13).randbytes(4096)]


@pytest.mark.parametrize("content", CONTENTS)
def test_whatever_is_written_over_the_lock_file_no_verb_fails(
    path: Path, broker: SqliteBroker, content: bytes
) -> None:
    worker, listener = enter(broker)
    waiter = broker.result_listener()
    spoil(path, content)

    with closing(listener), closing(waiter):
        waiter.expect(["a"])
        send(broker, "a")
        assert [each.id for each in claim(broker, worker)] == ["a"]
        spoil(path, content)
        broker.begin_rescue(1.0)
        broker.rescue(lambda info, held, restarted: pytest.fail("nobody is dead"))
        listener.decline()
        assert listener.missed()
        send(broker, "b")
        settle(broker, claim(broker, worker))
        waiter.expect(())
        broker.upkeep(idle=True)
    spoil(path, content)
    assert {record.message.id for record in broker.listing(list(Phase), 10)} == {"a", "b"}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_lock_file_that_was_written_over_is_tidied_so_that_notifications_arrive_again(
    path: Path, broker: SqliteBroker, content: bytes
) -> None:
    spoil(path, content)

    broker.upkeep()  # of any worker

    run_one(broker, "a")


def test_a_worker_that_found_no_slot_gets_one_once_there_is_one(
    path: Path, broker: SqliteBroker
) -> None:
    spoil(path, b"\xff")
    worker, listener = enter(broker)
    assert claim(broker, worker) == []
    broker.upkeep()

    with closing(listener):
        listener.missed()  # as it polls
        assert claim(broker, worker) == []
        listener.clear()
        send(broker, "a")
        assert listener.wait(SOON)


def by_deleting(gate: Path) -> None:
    gate.unlink()


def by_replacing(gate: Path) -> None:
    gate.with_name("other").write_bytes(b"")
    gate.with_name("other").replace(gate)


@pytest.mark.parametrize("replace", [by_deleting, by_replacing])
def test_processes_notify_each_other_after_the_lock_file_was_deleted_or_replaced(
    path: Path, broker: SqliteBroker, replace: Callable[[Path], None]
) -> None:
    worker, listener = enter(broker)
    assert claim(broker, worker) == []
    replace(gate(path))

    with closing(open_store(path)) as sender, closing(listener):
        send(sender, "a")  # it has a lock file of its own now
        listener.missed()
        settle(broker, claim(broker, worker))
        assert claim(broker, worker) == []
        listener.clear()
        send(sender, "b")
        assert listener.wait(SOON)
        waiter = sender.result_listener()
        waiter.expect(["b"])
        waiter.clear()
        settle(broker, claim(broker, worker))
        assert waiter.wait(SOON)


def test_a_deleted_lock_file_is_not_made_again_beside_a_deleted_store(
    path: Path, broker: SqliteBroker
) -> None:
    _, listener = enter(broker)
    for each in path.parent.iterdir():
        each.unlink()

    with closing(listener), pytest.raises(Exception, match="deleted or replaced"):
        listener.missed()
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="allocates")
def test_a_lock_file_with_holes_gets_a_place_on_the_disk_for_all_of_it(tmp_path: Path) -> None:
    whole, holes = tmp_path / "whole", tmp_path / "holes"
    SharedState(str(whole)).close()
    holes.touch()
    os.truncate(holes, whole.stat().st_size)
    assert holes.stat().st_blocks < whole.stat().st_blocks

    SharedState(str(holes)).close()

    assert holes.stat().st_blocks >= whole.stat().st_blocks


def test_a_look_at_the_table_never_hides_those_that_wait(tmp_path: Path) -> None:
    state = SharedState(str(tmp_path / "gate"))
    table = Waits(state)
    table.add(7, ["a"])
    seen: list[bool] = []

    class Watched(Waits):
        def _has_cells(self, part: int) -> bool:
            seen.append(table.any())  # another process looks at this moment
            return super()._has_cells(part)

    assert Watched(state).any()
    assert seen == [True]


def test_waits_that_are_of_no_listener_are_forgotten(path: Path, broker: SqliteBroker) -> None:
    with closing(broker.result_listener()) as waiter:
        waiter.expect(["a"])
        session = broker._session()
        session.waits.add(7, ["b"])  # as of a file that was deleted
        session.waits.add(8, None)

        broker.upkeep()

        assert session.waits.keys() == {waiter.key}  # type: ignore[attr-defined]
