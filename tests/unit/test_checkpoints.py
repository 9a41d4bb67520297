"""When the log of a SQLite store is moved into the file."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite.checkpoints import QUIET_AT, is_due, threshold
from liteq.brokers.sqlite.sharedstate import SharedState
from liteq.model.message import Message

MEGABYTE = 2**20


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SqliteBroker]:
    broker = connect(f"sqlite:///{tmp_path / 'store.db'}?durability=fast")
    assert isinstance(broker, SqliteBroker)
    with closing(broker):
        yield broker


def test_the_log_is_moved_the_more_seldom_the_longer_an_fsync_takes() -> None:
    limits = [threshold(ms / 1000) for ms in (0, 2, 4, 6, 8, 10, 100)]
    assert limits[0] == limits[1] == 2 * MEGABYTE
    assert limits[-1] == limits[-2] == 16 * MEGABYTE
    assert all(before < after for before, after in itertools.pairwise(limits[1:-1]))


def test_a_time_that_another_program_has_written_does_no_harm(tmp_path: Path) -> None:
    with closing(SharedState(str(tmp_path / "gate"))) as state:
        for time in (-1.0, 1e30, 0.0):
            state.set_sync_time(time)
            assert is_due(17 * MEGABYTE, state)
            assert not is_due(MEGABYTE, state)


def send(broker: SqliteBroker, size: int) -> None:
    broker.enqueue([Message(str(size), "task", bytes(size), "json", "celery")])


def test_the_time_of_an_fsync_is_measured_whenever_the_log_is_moved(broker: SqliteBroker) -> None:
    state = broker._session()._state
    assert state.sync_time() == 0.0
    state.set_log_size(2**40)
    send(broker, 10)
    assert state.log_size() == 0
    assert state.sync_time() >= 0.0


def test_a_worker_moves_the_log_as_soon_as_nobody_writes(broker: SqliteBroker) -> None:
    state = broker._session()._state
    send(broker, 10)
    state.set_log_size(QUIET_AT)
    broker.upkeep()
    assert state.log_size() == QUIET_AT  # somebody may be writing

    broker.upkeep()
    assert state.log_size() == 0


def test_a_small_log_is_left_alone(broker: SqliteBroker) -> None:
    state = broker._session()._state
    send(broker, 10)
    state.set_log_size(QUIET_AT - 1)
    broker.upkeep()
    broker.upkeep()
    assert state.log_size() == QUIET_AT - 1
