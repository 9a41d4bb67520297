"""Whatever another program writes into a store: it costs one task, and never a worker."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, chain, chord
from liteq.brokers.owners import this_process
from liteq.brokers.sqlite import SqliteBroker
from liteq.states import Phase
from tests.e2e.project import TASKS, Program, Project, wait_for
from tests.servers import RedisServer, needs_redis

# Written into each field in turn.
GARBAGE: list[Any] = [
    None,
    -1,
    0,
    7,
    2**62,
    1.5,
    float("inf"),
    "",
    "text",
    "2026-01-01 00:00:00",
    "\u00e4\u202e\x00\n",
    "[" * 100_000,
    '{"time_limit": "soon"}',
    '{"time_limit": ' + "9" * 400 + "}",
    '{"headers": 7}',
    "1-5",
    "[1]",
    b"",
    b"\xff\xfe\x00",
]
GONE = str(this_process()._replace(pid=2**22 + 1, start="1"))  # a process that has exited


class Host:
    """A project with a running worker, whose store another program writes to."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        tasks = TASKS.replace('"sqlite:///project.db"', repr(url))
        self.project = Project(folder, tasks)
        self.app = LiteQ("project", broker=url, set_as_current=False)
        self.worker: Program

    @contextmanager
    def running(self, *options: str) -> Iterator["Host"]:
        with self.project.worker("-Q", "celery,other", *options) as self.worker:
            yield self
        self.app.close()

    def check(self, what: str) -> None:
        """Assert that a good task runs, in the worker that was started first."""
        result = self.app.send_task("project.add", (2, 3))
        try:
            assert result.get(timeout=20) == 5
        except Exception as exc:
            raise AssertionError(f"after {what}: {exc!r}\n{self.worker.output[-6000:]}") from exc
        assert self.worker.process.poll() is None, self.worker.output[-6000:]
        for words in ("run_child", "the worker's duty", "the store fails"):
            at = self.worker.output.find(words)
            assert at < 0, f"{what}: {self.worker.output[max(at - 2000, 0) : at + 3000]}"

    def look(self) -> None:
        """Ask for what tools ask for: no answer may be an error."""
        broker = self.app.broker
        ids = [each.message.id for each in broker.listing(list(Phase), 100_000)]
        broker.fetch(ids)
        for id in ids[:50]:
            broker.attempts(id)
        broker.counts()
        broker.workers()
        broker.schedules()
        broker.next_fire()


# SQLite


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "host", f"sqlite:///{tmp_path}/store.db").running() as host:
        yield host


@contextmanager
def other_program(host: Host) -> Iterator[sqlite3.Connection]:
    broker = host.app.broker
    assert isinstance(broker, SqliteBroker)
    path = broker.location.path
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as db:
        yield db


def spoil_copies(db: sqlite3.Connection, table: str, key: str, row: dict[str, Any]) -> None:
    """Insert `row` many times: each time one of its fields holds another garbage."""
    db.execute("begin immediate")
    for field in row:
        for n, value in enumerate([*GARBAGE, b"\xc3\x28"]):
            wrong: dict[str, Any] = {**row, key: f"{row[key]}-{field}-{n}", field: value}
            # The last one is text that is no UTF-8.
            as_text = f"cast(:{field} as text)" if n == len(GARBAGE) else f":{field}"
            marks = ", ".join(as_text if each == field else f":{each}" for each in wrong)
            # What the table refuses is right as well.
            with suppress(sqlite3.IntegrityError, sqlite3.DataError):
                db.execute(f"insert into {table} ({', '.join(wrong)}) values ({marks})", wrong)
    db.execute("commit")


def row_of(db: sqlite3.Connection, table: str, **changes: Any) -> dict[str, Any]:
    """Return the first row of `table`, with `changes`, and without what SQLite numbers itself."""
    cursor = db.execute(f"select * from {table}")
    names = [each[0] for each in cursor.description]
    row = dict(zip(names, cursor.fetchone(), strict=True)) | changes
    return {name: value for name, value in row.items() if name != "seq"}


def test_a_row_of_a_task_costs_that_task_only(file: Host) -> None:
    file.app.send_task("project.add", (1, 1), queue="unread")
    with other_program(file) as db:
        ready = row_of(db, "liteq_task", id="ready", queue="other")
        spoil_copies(db, "liteq_task", "id", ready)
        file.check("ready tasks")

        due = {"phase": int(Phase.SCHEDULED), "eta": time.time() - 1}
        spoil_copies(db, "liteq_task", "id", {**ready, "id": "scheduled", **due})
        file.check("scheduled tasks")

        done = {"phase": int(Phase.SUCCEEDED), "finished": 1.0, "keep_until": 2.0, "result": b"1"}
        spoil_copies(db, "liteq_task", "id", {**ready, "id": "done", **done})
        file.check("finished tasks")
    file.look()


def test_a_row_of_a_workflow_costs_that_workflow_only(file: Host) -> None:
    add = file.app.signature("project.add")
    header = [add.clone((n, n), queue="unread") for n in (1, 2)]
    body = file.app.signature("project.nap", (0,), immutable=True)
    chain(header[0], add.clone((1,)), app=file.app).apply_async()
    chord(header, body, app=file.app).apply_async()
    with other_program(file) as db:
        waiting = [
            dict(zip(columns, row, strict=True))
            for cursor in [db.execute("select * from liteq_task where phase = 0")]
            for columns in [[each[0] for each in cursor.description]]
            for row in cursor.fetchall()
        ]
        for n, row in enumerate(waiting):
            del row["seq"]
            spoil_copies(db, "liteq_task", "id", {**row, "id": f"waiting-{n}"})
        group = row_of(db, "liteq_group", id="group")
        spoil_copies(db, "liteq_group", "id", group)
        db.execute("update liteq_group set outer_group = id")  # a group that is in itself
        db.execute("update liteq_task set queue = 'other' where queue = 'unread'")
    file.check("workflows")
    file.look()


def test_what_a_dead_worker_held_costs_those_tasks_only(file: Host) -> None:
    file.app.send_task("project.add", (1, 1), queue="unread")
    with other_program(file) as db:
        dead = row_of(db, "liteq_worker", id=77, name="dead@host", owner=GONE)
        held = row_of(
            db,
            "liteq_task",
            id="held",
            queue="other",
            phase=int(Phase.RUNNING),
            worker=77,
            started=1.0,
        )
        spoil_copies(db, "liteq_task", "id", held)
        db.execute(
            f"insert into liteq_worker ({', '.join(dead)}) "
            f"values ({', '.join(':' + name for name in dead)})",
            dead,
        )
        wait_for(
            lambda: db.execute("select stopped from liteq_worker where id = 77").fetchone()[0],
            "the rescue",
        )
        file.check("a dead worker's tasks")
        del dead["id"]
        for field in dead:
            for value in GARBAGE:
                with suppress(sqlite3.IntegrityError):
                    wrong = {**dead, field: value}
                    db.execute(
                        f"insert into liteq_worker ({', '.join(wrong)}) "
                        f"values ({', '.join(':' + name for name in wrong)})",
                        wrong,
                    )
        file.check("rows of workers")
    file.look()


def test_a_row_of_a_schedule_or_a_listener_costs_nothing_else(file: Host) -> None:
    file.app.schedules.add("hourly", 3600, "project.add", (1, 1))
    with other_program(file) as db:
        due = row_of(
            db, "liteq_schedule", name="entry", due=time.time() - 1, moment=time.time() - 1
        )
        spoil_copies(db, "liteq_schedule", "name", due)
        file.check("schedules")
        spoil_copies(
            db, "liteq_listener", "address", row_of(db, "liteq_listener", address="/nowhere")
        )
        file.check("listeners")
    file.look()
    with file.project.program("-m", "liteq", "status", "-A", "project") as status:
        assert status.wait() == 0, status.output


@contextmanager
def passed_over(host: Host) -> Iterator[None]:
    """Have tasks in the store that are paused, and some that no worker knows.

    They are to be resumed and purged after the block, and good tasks run then.
    """
    control = host.app.control
    control.pause("unread")
    control.pause(task="project.nap")
    host.app.send_task("project.nap", (0,), queue="other")
    host.app.send_task("project.nothing", queue="other")
    host.worker.wait_for_line("unregistered")
    host.check("pauses")
    yield
    host.check("what stands about them")
    host.look()
    control.paused()
    host.app.broker.left()
    for command in (["status"], ["pause"], ["pause", "unread"], ["resume", "unread"]):
        with host.project.program("-m", "liteq", *command, "-A", "project") as program:
            assert program.wait() == 0, program.output


def test_a_row_of_a_pause_or_of_what_was_left_costs_nothing_else(file: Host) -> None:
    with passed_over(file), other_program(file) as db:
        spoil_copies(db, "liteq_pause", "name", row_of(db, "liteq_pause"))
        spoil_copies(db, "liteq_left", "task", row_of(db, "liteq_left"))
        db.execute("delete from liteq_pause where kind = 'store'")


# Redis

P = "{liteq}:"


@pytest.fixture
def remote(tmp_path: Path, server: RedisServer) -> Iterator[Host]:
    with Host(tmp_path / "host", server.url).running() as host:
        yield host


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    redis = pytest.importorskip("redis")
    with redis.Redis(port=server.port) as client:
        yield client


def as_stored(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def without_none(fields: dict[bytes, Any]) -> dict[bytes, Any]:
    """Return a hash as it is stored: what is None has no field."""
    return {name: value for name, value in fields.items() if value is not None}


WRONG: list[Any] = [None, -1, 1.5, "text", [], {}, "\ud800"]
STORED_GARBAGE = list(map(as_stored, GARBAGE))
MESSAGES = [
    b"",
    b"garbage",
    b"[]\n[[],{}]",
    b'["project.add"]\n[[],{}]',
    b'["project.add","json","celery",0,null,"soon"]\n[[2,3],{}]',
    b'["project.add","json","celery",0,"soon"]\n[[2,3],{}]',
    b'["project.add","json",7]\n[[2,3],{}]',
    b'["project.add","\\ud800","celery"]\n[[2,3],{}]',
    b'["project.add","json","celery",0,null,null,0,true,false,false,"{"]\n[[2,3],{}]',
    b'["project.add","json","celery",0,null,null,0,true,false,false,"{\\"time_limit\\":[]}"]\n[[2,3],{}]',
    b"[" * 100_000 + b"\n[[2,3],{}]",
    b'["project.add","json","celery",0,null,null,' + b"9" * 5000 + b"]\n[[2,3],{}]",
]


def spoil_hashes(
    client: Any, id: str, fields: dict[bytes, bytes], index: str, more: dict[bytes, bytes]
) -> list[str]:
    """Store copies of a task, each with other garbage in a field; return their ids."""
    ids = []
    whole = {**fields, **more}
    seq = 10_000 + int(client.incrby(P + "seq", 10_000))
    extra = [b"priority", b"eta", b"once", b"lost", b"attempts", b"reported", b"tied", b"woken_by"]
    extra += [b"waits", b"barrier", b"takes", b"on_failure", b"group", b"position", b"delay"]
    extra += [b"revoked", b"terminate", b"keep", b"started", b"token", b"worker"]
    pipe = client.pipeline(transaction=False)
    for field in [*whole, *extra]:
        for value in [*STORED_GARBAGE, *(MESSAGES if field == b"message" else ())]:
            seq += 1
            ids.append(f"{id}-{field.decode()}-{seq}")
            copy = {**whole, b"seq": b"%014d" % seq, field: value}
            pipe.hset(f"{P}task:{ids[-1]}", mapping=without_none(copy))
            pipe.zadd(index, {f"{seq:014d}{ids[-1]}": 0})
    for value in (b"\xff\xfe", b"\x00"):  # ids that are no text
        seq += 1
        pipe.hset(P.encode() + b"task:" + value, mapping={**whole, b"seq": b"%014d" % seq})
        pipe.zadd(index, {b"%014d" % seq + value: 0})
    pipe.set(f"{P}task:{id}-no-hash", "text")
    pipe.zadd(index, {f"{seq + 1:014d}{id}-no-hash": 0})
    pipe.zadd(index, {"short": 0, "": 0})
    pipe.execute()
    return ids


@needs_redis
def test_a_record_of_a_task_costs_that_task_only(remote: Host, client: Any) -> None:
    id = remote.app.send_task("project.add", (1, 1), queue="unread").id
    fields = client.hgetall(f"{P}task:{id}")

    ready = {b"queue": b"other"}
    ids = spoil_hashes(client, "ready", fields, P + "ready:other", ready)
    remote.app.send_task("project.add", (1, 1), queue="other").get(timeout=20)
    remote.check("ready tasks")
    wait_for(lambda: not client.exists(P + "ready:other"), "the last of them")
    remote.app.broker.fetch(ids)

    scheduled = {b"phase": b"1", b"eta": b"1.0", b"queue": b"other"}
    spoil_hashes(client, "scheduled", fields, P + "scheduled", scheduled)
    remote.app.send_task("project.add", (1, 1), countdown=0.1, queue="other").get(timeout=20)
    remote.check("scheduled tasks")

    done = {b"phase": b"4", b"keep": b"1.0", b"finished": b"1.0", b"result": b"1"}
    spoil_hashes(client, "done", fields, P + "ended:4", done)
    remote.app.broker.sweep(10_000)
    remote.check("finished tasks")
    remote.look()


@needs_redis
def test_a_group_that_is_in_itself_costs_its_workflow_only(remote: Host, client: Any) -> None:
    add = remote.app.signature("project.add")
    header = [add.clone((n, n), queue="unread") for n in (1, 2)]
    body = remote.app.signature("project.nap", (0,), immutable=True)
    result = chord(header, body, app=remote.app).apply_async()
    (key,) = client.keys(P + "group:*")
    group = key.decode().removeprefix(P + "group:")
    client.zadd(f"{P}inner:{group}", {group: 0})
    for member in client.zrange(P + "ready:unread", 0, -1):
        client.hset(f"{P}task:{member[14:].decode()}", "queue", "other")
        client.zadd(P + "ready:other", {member: 0})
    client.delete(P + "ready:unread")
    ids = [remote.app.send_task("project.add", (n, 1), queue="other") for n in range(30)]
    assert [each.get(timeout=20) for each in ids] == [n + 1 for n in range(30)]
    remote.check("a group that is in itself")
    assert result.id


@needs_redis
def test_what_is_stored_of_a_living_worker_costs_no_task(remote: Host, client: Any) -> None:
    for value in (b"\x90", b"\x81\xa2to\xa1x", b"garbage", b""):
        client.hset(P + "worker:1", "handed", value)
        remote.check("its last claim")
    client.hset(P + "worker:1", "name", b"\xff\xfe")
    client.set(P + "condemned:1", "text")
    client.hset(P + "counts", "4:celery", "text")
    client.set(P + "worker:88", "text")
    client.zadd(P + "leases", {"88": 1})
    remote.check("other fields of it")
    remote.look()


@needs_redis
def test_a_record_of_a_dead_worker_costs_its_tasks_only(remote: Host, client: Any) -> None:
    id = remote.app.send_task("project.add", (1, 1), queue="unread").id
    fields = client.hgetall(f"{P}task:{id}")
    running = {b"phase": b"3", b"worker": b"77", b"token": b"5", b"queue": b"other"}
    spoil_hashes(client, "held", fields, P + "running:77", running)
    client.hset(P + "worker:77", mapping={"name": "dead", "info": "{}", "owner": GONE, "boot": "x"})
    client.zadd(P + "workers", {"77": "inf"})
    client.zadd(P + "leases", {"77": 1})
    wait_for(lambda: client.zscore(P + "leases", "77") is None, "the rescue")
    remote.check("a dead worker's tasks")

    living = {**client.hgetall(P + "worker:1"), b"owner": GONE.encode()}
    for n, field in enumerate([*living, b"handed", b"struck"]):
        for m, value in enumerate([None, *map(as_stored, GARBAGE[1:])]):
            number = 1000 + 100 * n + m
            copy = {
                name: each for name, each in {**living, field: value}.items() if each is not None
            }
            client.hset(f"{P}worker:{number}", mapping=copy)
            client.zadd(P + "workers", {str(number): "inf"})
            client.zadd(P + "leases", {str(number): 1 if m % 2 else 4e9})
    wait_for(lambda: not client.zcount(P + "leases", 0, 10), "the rescue of all")
    remote.check("records of workers")
    remote.look()


@needs_redis
def test_a_record_of_a_schedule_costs_nothing_else(remote: Host, client: Any) -> None:
    remote.app.schedules.add("hourly", 3600, "project.add", (1, 1))
    whole = client.hgetall(P + "schedule:hourly")
    for field in whole:
        values = list(STORED_GARBAGE)
        if field == b"entry":
            entry = json.loads(whole[field])
            values += [
                json.dumps([*entry[:n], wrong, *entry[n + 1 :]]).encode()
                for n in range(len(entry))
                for wrong in WRONG
            ]
        for n, value in enumerate(values):
            name = f"{field.decode()}-{n}"
            client.hset(f"{P}schedule:{name}", mapping=without_none({**whole, field: value}))
            client.zadd(P + "schedules", {name: 1})
    client.zadd(P + "schedules", {"without-a-hash": 1})
    remote.check("schedules")
    remote.look()


@needs_redis
def test_a_message_of_a_newer_version_is_run(remote: Host, client: Any) -> None:
    """So that a rolling upgrade ends nobody."""
    id = remote.app.send_task("project.add", (2, 5), queue="unread").id
    full = b'["project.add","json","other",0,null,null,0,true,false,false,null,"new",{"a":1}]'
    client.hset(f"{P}task:{id}", "message", full + b"\n[[2, 5], {}]")
    client.hset(f"{P}task:{id}", mapping={"queue": "other", "of_a_newer_version": "1"})
    (member,) = client.zrange(P + "ready:unread", 0, -1)
    client.zrem(P + "ready:unread", member)
    client.zadd(P + "ready:other", {member: 0})
    remote.app.send_task("project.add", (1, 1), queue="other").get(timeout=20)
    assert remote.app.AsyncResult(id).get(timeout=20) == 7
    remote.check("a message of a newer version")


@needs_redis
def test_what_is_stored_of_a_pause_or_of_what_was_left_costs_nothing_else(
    remote: Host, client: Any
) -> None:
    with passed_over(remote):
        for n, value in enumerate(STORED_GARBAGE):
            if value is not None:
                client.hset(P + "paused", f"task:{n}", value)
                client.hset(P + "paused", value, "1\nskip")
                client.hset(P + "left", f"other\n{n}", value)
                client.hset(P + "left", value, "1")
        client.hset(P + "paused", "task:project.nap", b"\xff")
        members = [b"", b"\xff", b"x" * 20, b"00000000000001\xff"]
        client.zadd(P + "ready:other\nproject.nap", dict.fromkeys(members, -9))
        client.zadd(P + "ready:other", dict.fromkeys(members, -9))
