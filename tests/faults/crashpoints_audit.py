"""What must hold of a store after any crash."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from liteq import LiteQ
from liteq.brokers import connect
from liteq.model.message import Record
from liteq.model.step import Event
from liteq.states import Phase
from liteq.support.clock import ManualClock
from liteq.testing import drain
from liteq.testing.contract.harness import rescuing
from tests.faults.crashpoints_verbs import KEEP, NOW

_ELSEWHERE = {"owner", "pid", "host"}  # who it was differs from run to run

# Each of these finds nothing.
INVARIANTS = {
    "a running task has a worker that is there": """
        select t.id from liteq_task t left join liteq_worker w on w.id = t.worker
        where phase = 3 and (w.id is null or w.stopped is not null)""",
    "a task is finished when its phase is final": """
        select id from liteq_task where (phase >= 4) != (finished is not null)""",
    "a task that waits for its time has one": """
        select id from liteq_task where phase = 1 and eta is null""",
    "what waits has something to wait for": """
        select id from liteq_task
        where phase = 0 and waits is null and seq not in (select task from liteq_event_wait)""",
    "what waits for an event waits for one that was not emitted": """
        select t.id from liteq_task t join liteq_event_wait w on w.task = t.seq
        join liteq_event e on e.key = w.key where t.phase < 2 and e.keep_until is null""",
    "a task has said that it has steps": """
        select task from liteq_step where task not in (select seq from liteq_task where details)""",
    "a task has said that it has output": """
        select task from liteq_output
        where task not in (select seq from liteq_task where details)""",
    "of output the last lines are there": """
        select task from liteq_output where (attempt, last, keep_from) <> (1, 3, 2)
        or json_extract(lines, '$[1][3]') <> 'line 3'""",
    "a task that has slept, waited or gathered has the step, and the one before it": """
        select task from liteq_step where kind in ('sleep', 'gather') and not exists
        (select 1 from liteq_step o where o.task = liteq_step.task and o.name = 'charge')""",
    "a step whose event was emitted has its value": """
        select s.task from liteq_step s join liteq_event e on e.key = s.name
        join liteq_task t on t.seq = s.task
        where s.kind = 'wait' and s.value is null and e.keep_until is null and t.phase < 5""",
    "what waits, waits for what has not ended": """
        select t.id from liteq_task t join liteq_task other on other.id = t.waits
        where t.phase = 0 and not t.barrier and other.phase >= 4""",
    "what waits for a group waits for one that has not ended": """
        select id from liteq_task where phase = 0 and barrier and waits not in
        (select member_of from liteq_task where phase < 4 and member_of is not null)""",
    "what was revoked waits no longer": """
        select id from liteq_task where revoked is not null and phase < 3""",
    "the attempts of a task are those it has counted": """
        select id from liteq_task t
        where attempts != (select count(*) from liteq_attempt a where a.task = t.seq)""",
    "an entry that has fired has sent its task": """
        select name from liteq_schedule
        where runs > 0 and last_id not in (select id from liteq_task)""",
    "a task that is forgotten leaves no attempts": """
        select task from liteq_attempt where task not in (select seq from liteq_task)""",
    "a task that is forgotten waits for no event": """
        select task from liteq_event_wait where task not in (select seq from liteq_task)""",
}

Snapshot = frozenset[tuple[object, ...]]


def snapshot(path: Path) -> Snapshot:
    """All rows of all tables; nothing but those where a store is new."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        names = [
            row[0]
            for row in database.execute(
                "select name from sqlite_master where sql "
                "like 'create table%' and name not in ('bell', 'liteq_listener', 'sqlite_sequence')"
            )
        ]
        rows = [
            (name, dict(row))
            for name in names
            for row in database.execute(f'select * from "{name}"')
        ]
        return frozenset(
            (name, *(value for key, value in row.items() if key not in _ELSEWHERE))
            for name, row in rows
        )


def check_file(path: Path) -> None:
    """The file is whole."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]


def check_tasks(path: Path) -> None:
    """Every task stands in one phase in which it can be."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for promise, sql in INVARIANTS.items():
            assert database.execute(sql).fetchall() == [], promise


def finish_all(path: Path) -> int:
    """Let a worker run all that there is, much later; answer how many tasks ended right."""
    clock = ManualClock(NOW + KEEP / 2)
    shared = "&shared=1" if path.with_name("shared").exists() else ""
    broker = connect(f"sqlite:///{path}?durability=fast{shared}", clock=clock)
    app = LiteQ("project", broker=broker)

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    try:
        broker.counts()  # it may be a file of an earlier version
        check_tasks(path)
        before = _unfinished(path)
        broker.rescue(rescuing(broker.clock, keep=KEEP))
        for key in _awaited(path):
            assert broker.emit(Event(key, b"1", "json", broker.clock(), None, "audit"))
        add.apply_async((41, 1), task_id="next-41")
        drain(app)
        after = _records(app)
        assert all(record.phase.final for record in after.values()), after
        assert [id for id in before if after[id].phase is not Phase.SUCCEEDED] == []
        right = [id for id, record in after.items() if record.phase is Phase.SUCCEEDED]
        for id in right:
            assert app.backend.value(after[id]) == _expected(after[id]), id
        assert "next-41" in right
        return len(right)
    finally:
        broker.close()


def _awaited(path: Path) -> list[str]:
    """The keys of the events that tasks wait for."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("""
            select distinct w.key from liteq_event_wait w join liteq_task t on t.seq = w.task
            where t.phase < 2""")
        return [key for (key,) in rows]


def _unfinished(path: Path) -> list[str]:
    """The tasks that are still to succeed."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("""
            select id from liteq_task
            where phase < 4 and acks_late and revoked is null and on_failure = 0""")
        return [id for (id,) in rows]


def _records(app: LiteQ) -> dict[str, Record]:
    return {each.message.id: each for each in app.broker.listing(list(Phase), 1000)}


def _expected(record: Record) -> int:
    if record.message.id == "next-41":
        return 42
    (x, y), _ = json.loads(record.message.payload)
    return int(x + y)
