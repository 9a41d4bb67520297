"""A key of the store that another program has written over, so that it is of another type."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.exceptions import BrokerError
from liteq.states import Phase
from tests.e2e.project import TASKS, Program, Project, wait_for
from tests.servers import RedisServer, needs_redis

pytestmark = [needs_redis, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]

P = "{liteq}:"


@pytest.fixture
def project(tmp_path: Path, server: RedisServer) -> Project:
    return Project(tmp_path, TASKS.replace("sqlite:///project.db", server.url))


@pytest.fixture
def app(server: RedisServer) -> Iterator[LiteQ]:
    app = LiteQ("project", broker=server.url, set_as_current=False)
    yield app
    app.close()


def add_works(app: LiteQ, worker: Program, queue: str = "celery") -> None:
    """Assert that a task runs, in a worker that was started before."""
    result = app.send_task("project.add", (2, 3), queue=queue)
    assert result.get(timeout=20) == 5
    assert worker.process.poll() is None, worker.output


def told(worker: Program, key: str) -> int:
    """Return how often the worker has told of the key."""
    return worker.output.count(f"the key {P}{key} is")


def test_a_queue_that_is_written_over_costs_no_other_queue(
    project: Project, server: RedisServer, app: LiteQ
) -> None:
    with project.worker("-Q", "celery,mail") as worker:
        add_works(app, worker, "mail")
        server.command("SET", P + "ready:mail", "a letter")
        for _ in range(3):
            add_works(app, worker)
        worker.wait_for_line(r"ERROR.*the key \{liteq\}:ready:mail is a string.*DEL")
        with pytest.raises(BrokerError, match=r"\{liteq\}:ready:mail is a string, .* DEL"):
            app.send_task("project.add", (2, 3), queue="mail")
        add_works(app, worker)
        assert told(worker, "ready:mail") == 1

        server.command("DEL", P + "ready:mail")
        add_works(app, worker, "mail")
        server.command("SET", P + "ready:mail", "another letter")
        wait_for(lambda: told(worker, "ready:mail") == 2, "the second line")


def test_a_worker_of_one_queue_says_that_it_is_written_over_and_goes_on_afterwards(
    project: Project, server: RedisServer, app: LiteQ, tmp_path: Path
) -> None:
    path = tmp_path / "marks"
    (tmp_path / "marks.hold").touch()
    with project.worker("-c", "2") as worker:
        running = app.send_task("project.mark", (str(path),))
        wait_for(path.exists, "its start")
        server.command("SET", P + "ready:celery", "text")
        worker.wait_for_line(r"ERROR.*the key \{liteq\}:ready:celery is a string")
        (tmp_path / "marks.hold").unlink()
        running.get(timeout=20)
        server.command("DEL", P + "ready:celery")
        add_works(app, worker)
        assert told(worker, "ready:celery") == 1
        assert "claim lost" not in worker.output


# What the worker needs now and then: that fails, is told of once, and all else goes on.
DUTIES = ["leases", "scheduled", "schedules", "bulks"]
SILENT = ["counts", "workers"]  # which only tools read, and workers that start or end


@pytest.mark.parametrize("key", [*DUTIES, *SILENT])
def test_a_fixed_key_that_is_written_over_costs_what_needs_it(
    project: Project, server: RedisServer, app: LiteQ, key: str
) -> None:
    with project.worker() as worker:
        add_works(app, worker)
        server.command("SET", P + key, "text")
        due = app.send_task("project.add", (1, 1), countdown=0.2) if key == "bulks" else None
        for _ in range(3):
            add_works(app, worker)
        if key not in SILENT:
            worker.wait_for_line(rf"ERROR.*the key \{{liteq\}}:{key} is a string, .* DEL")
        assert due is None or due.get(timeout=20) == 2
        add_works(app, worker)
        assert told(worker, key) == (key not in SILENT)
        server.command("DEL", P + key)
        add_works(app, worker)


NEEDED = ["seq", "token", "ended:4", "ready:celery", "paused", "left"]


@pytest.mark.parametrize("value", ["text", ["list"]], ids=["text", "list"])
@pytest.mark.parametrize("key", NEEDED)
def test_what_cannot_be_done_without_a_key_is_done_once_it_is_deleted(
    project: Project, server: RedisServer, app: LiteQ, key: str, value: str | list[str]
) -> None:
    app.send_task("project.add", (2, 3)).forget()
    waiting = app.send_task("project.add", (2, 3))
    server.command("DEL", P + key) if key != "ready:celery" else None
    if key == "ready:celery":
        server.command("RENAME", P + key, "kept")
    server.command(*(["SET", P + key, value] if value == "text" else ["RPUSH", P + key, *value]))
    pattern = rf"the key \{{liteq\}}:{key} is .*: another program has written .* DEL"
    if key in ("seq", "ready:celery"):
        with pytest.raises(BrokerError, match=pattern):
            app.send_task("project.add", (2, 3), task_id="refused")
        assert app.broker.fetch(["refused"]) == [None]
    with project.program("-m", "liteq", "worker", "-A", "project", "-l", "info") as worker:
        if key != "seq":
            worker.wait_for_line(f"ERROR.*{pattern}")
        server.command("DEL", P + key)
        if key == "ready:celery":
            server.command("RENAME", "kept", P + key)
        assert waiting.get(timeout=20) == 5
        add_works(app, worker)


@pytest.mark.parametrize("key", ["leases", "workers", "worker_seq", "beat"])
def test_a_worker_that_cannot_be_registered_says_why(
    project: Project, server: RedisServer, key: str
) -> None:
    server.command("RPUSH", P + key, "text")
    output = project.liteq("worker", "-A", "project", code=69)

    assert f"the key {{liteq}}:{key} is a list" in output
    assert "Traceback" not in output


def test_a_task_that_becomes_ready_in_such_a_queue_is_set_aside_and_can_be_revived(
    project: Project, server: RedisServer, app: LiteQ
) -> None:
    later = app.send_task("project.add", (2, 3), countdown=1.5, queue="mail")
    server.command("SET", P + "ready:mail", "text")
    with project.worker("-Q", "celery,mail") as worker:
        other = app.send_task("project.add", (1, 1), countdown=0.1)
        assert other.get(timeout=20) == 2
        wait_for(later.ready, "its end")
        (record,) = app.broker.fetch([later.id])
        assert record is not None
        assert record.phase is Phase.DEAD
        assert "ready:mail" in str(record.traceback)
        server.command("DEL", P + "ready:mail")
        assert app.broker.revive([later.id]) == [later.id]
        wait_for(lambda: app.AsyncResult(later.id).state == "SUCCESS", "its value")
        add_works(app, worker)
