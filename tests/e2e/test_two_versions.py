"""Two versions of a program on one store: what one worker does not know waits for one that does."""

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.redis import RedisBroker
from liteq.states import Phase
from tests.e2e.project import TASKS, Program, Project, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a worker is reloaded by SIGHUP")

FRESH = f"{TASKS}\n@app.task\ndef fresh(n=0): return f'fresh {{n}}'\n"
SEND = "from project import fresh; print(fresh.delay().id)"
LEFT = "unregistered task 'project.fresh'"


@pytest.fixture(params=["sqlite", "redis"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project of which workers run, in its first version; it is in its second one after that."""
    url = f"sqlite:///{tmp_path / 'project.db'}"
    if request.param == "redis":
        url = request.getfixturevalue("redis_store")
    made = Project(tmp_path, TASKS.replace("sqlite:///project.db", url))
    made.env["STORE"] = url
    return made


def store(project: Project) -> LiteQ:
    return LiteQ(broker=project.env["STORE"], set_as_current=False)


def is_loaded(project: Project) -> None:
    """Wait until the workers have loaded the code, which is replaced by its second version."""
    project.python("from project import add; add.delay(1, 1).get(timeout=25)")
    source = FRESH.replace("sqlite:///project.db", project.env["STORE"])
    project.write("project.py", source)


def sent(project: Project, worker: Program) -> str:
    """Send a task that the worker does not know; return its id once the worker has left it."""
    id = project.python(SEND).strip()
    worker.wait_for_line(LEFT)
    return id


def test_what_a_worker_does_not_know_is_run_by_one_that_does(project: Project) -> None:
    with project.worker("-c", "1") as old:
        is_loaded(project)
        id = sent(project, old)
        behind = "from project import add; print(add.delay(2, 3).get(timeout=25))"
        assert project.python(behind) == "5\n"
        with store(project) as app:
            (record,) = app.broker.fetch([id])
            assert record is not None
            assert (record.phase, record.started, record.message.retries) == (Phase.READY, None, 0)
            with project.worker("-n", "new"):
                assert app.AsyncResult(id).get(timeout=25) == "fresh 0"
            (attempt,) = app.broker.attempts(id)
            assert attempt.worker is not None
            assert attempt.worker.startswith("new@")


def test_a_worker_that_loads_new_code_takes_what_it_has_left(project: Project) -> None:
    with project.worker("-c", "1") as worker:
        is_loaded(project)
        id = sent(project, worker)
        os.kill(worker.pid, signal.SIGHUP)
        with store(project) as app:
            assert app.AsyncResult(id).get(timeout=25) == "fresh 0"


def test_workers_that_all_do_not_know_a_task_leave_it_alone(project: Project) -> None:
    """Each claim changes the token of a task."""
    with project.worker("-c", "1", "-n", "a"), project.worker("-c", "1", "-n", "b"):
        is_loaded(project)
        id = project.python(SEND).strip()
        with store(project) as app:

            def token() -> int:
                (record,) = app.broker.fetch([id])
                assert record is not None
                return record.token

            def beats() -> list[float]:
                return [each.beat for each in app.broker.workers()]

            wait_for(app.broker.left, "the task that was left")
            before, then = token(), beats()
            add = "from project import add\nfor n in range(50): add.delay(n, n).get(timeout=25)"
            project.python(add)
            wait_for(lambda: all(now > at for now, at in zip(beats(), then, strict=True)), "beats")
            assert token() == before


def test_ten_thousand_unknown_tasks_are_in_nobodys_way(project: Project) -> None:
    with project.worker("-c", "1") as worker:
        is_loaded(project)
        project.python(
            "from project import *\n"
            "from liteq import group\n"
            "app.enqueue_many([fresh.s(n) for n in range(10_000)])\n"
            "print(add.delay(2, 3).get(timeout=25))"
        )
        worker.wait_for_line(LEFT)
        assert sum(LEFT in line for line in worker.lines) == 1
        with store(project) as app:
            assert wait_for(app.broker.left)[0].tasks == 10_000
            with project.worker("-n", "new", "-c", "2"):
                wait_for(lambda: not app.broker.left(), "the new worker to run them")


def test_status_and_why_tell_of_a_task_that_nobody_knows(project: Project) -> None:
    with project.worker("-c", "1") as worker:
        is_loaded(project)
        id = sent(project, worker)
        said = "no live worker knows the task 'project.fresh'"

        assert said in project.liteq("why", "-A", "project", id)
        assert said not in project.liteq("status", "-A", "project")
        waits = f"from project import app; app.AsyncResult({id!r}).get(timeout=0.1)"
        assert said in project.python(waits, code=1)
        let_a_minute_pass(project)
        assert f"{said}: 1 task in the queue 'celery' waits" in project.liteq(
            "status", "-A", "project"
        )
        (unknown,) = json.loads(project.liteq("status", "-A", "project", "-j"))["unknown"]
        assert (unknown["queue"], unknown["task"], unknown["tasks"]) == (
            "celery",
            "project.fresh",
            1,
        )
        with project.worker("-n", "new"), store(project) as app:
            app.AsyncResult(id).get(timeout=25)
            assert said not in project.liteq("status", "-A", "project")


def let_a_minute_pass(project: Project) -> None:
    """Have the store say that the task was left more than a minute ago."""
    url = project.env["STORE"]
    if url.startswith("redis"):
        broker = connect(url)
        assert isinstance(broker, RedisBroker)
        broker.server.execute("HSET", "{liteq}:left", "celery\nproject.fresh", time.time() - 61)
        broker.close()
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db, db:
            db.execute("update liteq_left set since = since - 61")


def test_a_worker_may_claim_all_and_set_aside_what_it_does_not_know(project: Project) -> None:
    project.write(
        "project.py",
        TASKS.replace("sqlite:///project.db", project.env["STORE"])
        + "\napp.conf.worker_claim_unknown = True\n",
    )
    with project.worker() as worker:
        out = project.python(
            "from project import app\n"
            "r = app.send_task('project.nothing')\n"
            "print(repr(r.get(timeout=20, propagate=False)), r.state)"
        )
        worker.wait_for_line("project.nothing")

    assert "project.nothing" in out
    assert "FAILURE" in out
