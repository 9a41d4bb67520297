"""`liteq move`: a project changes its store."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.states import Phase
from tests.e2e.project import ROOT, TASKS, Project, wait_for
from tests.servers import needs_redis

FILE = "sqlite:///project.db"
SETTINGS = f'secret_key="{"k" * 32}", accept_content=["json", "pickle"]'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS.replace(f'"{FILE}"', f'"{FILE}", {SETTINGS}'))


def send(project: Project) -> None:
    project.python(
        "from project import *\n"
        "app.enqueue_many(add.s(n, n) for n in range(20))\n"
        "add.apply_async((1, 1), task_id='later', countdown=2)"
    )


@needs_redis
def test_a_project_goes_to_redis_and_back(project: Project, redis_store: str) -> None:
    send(project)
    moved = json.loads(project.liteq("move", FILE, redis_store, "-A", "project", "--json"))
    assert moved["moved"] == {"ready": 20, "scheduled": 1}
    assert "moved no tasks" in project.liteq("move", FILE, redis_store, "-A", "project")

    source = "from project import *; print('got', app.AsyncResult('later').get(30))"
    with project.worker("-b", redis_store):
        got = project.python(
            f"from project import *; app.conf.broker_url = {redis_store!r}\n{source}"
        )
    assert "got 2" in got
    project.liteq("move", redis_store, FILE, "-A", "project")
    assert "got 2" in project.python(source)
    assert "21" in project.liteq("status", "-A", "project", code=None)


@needs_redis
def test_a_move_that_was_killed_goes_on(project: Project, redis_store: str, tmp_path: Path) -> None:
    project.python("from project import *; app.enqueue_many(add.s(n, n) for n in range(5000))")
    target = connect(redis_store)
    with project.program("-m", "liteq", "move", FILE, redis_store, "-A", "project") as program:
        wait_for(lambda: sum(count.tasks for count in target.counts()) >= 1000, "some of them")
        program.kill()
    project.liteq("move", FILE, redis_store, "-A", "project")

    assert target.counts() == [("celery", Phase.READY, 5000)]
    source = connect(f"sqlite:///{tmp_path / 'project.db'}")
    assert source.counts() == []
    source.close()
    target.close()


def test_a_source_that_does_not_exist_is_not_created(project: Project, tmp_path: Path) -> None:
    send(project)
    output = project.liteq("move", "sqlite:///projcet.db", FILE, "-A", "project", code=69)
    assert "there is no" in output
    assert "projcet.db" in output
    assert not list(tmp_path.glob("projcet*"))

    target = "sqlite:///other.db"
    project.liteq("move", "sqlite:///projcet.db", target, "-A", "project", code=69)
    assert not list(tmp_path.glob("other*"))
    assert "moved 20 ready" in project.liteq("move", FILE, target, "-A", "project")


@needs_redis
def test_a_store_with_workers_is_not_moved(project: Project, redis_store: str) -> None:
    with project.worker("-n", "busy@here"):
        output = project.liteq("move", FILE, redis_store, "-A", "project", code=1)
    assert "stop the workers" in output
    assert "busy@here" in output


@needs_redis
def test_tasks_move_to_redis_as_the_guide_shows(tmp_path: Path, redis_store: str) -> None:
    """The tasks are pickles, as a file has them by default."""
    guide = (ROOT / "docs/guides/redis.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    python -m liteq (move .+)$", guide, re.MULTILINE)
    (made,) = re.findall(r"^app = LiteQ\(\n(?:.+\n)+?\)$", guide, re.MULTILINE)
    project = Project(tmp_path)
    send(project)
    app = f'app = LiteQ("project", broker="{FILE}")'
    assert app in TASKS
    project.write("project.py", TASKS.replace(app, made.replace("redis://…", redis_store)))
    project.env["LITEQ_SECRET_KEY"] = "k" * 32

    said = project.liteq(*command.replace("redis://db.example/0", redis_store).split())
    assert "moved 20 ready, 1 scheduled and 0 schedules" in said
    with project.worker():
        got = project.python(
            "from project import *; print('got', app.AsyncResult('later').get(30))"
        )
    assert "got 2" in got


@needs_redis
def test_pickles_do_not_go_to_a_server_without_a_key(tmp_path: Path, redis_store: str) -> None:
    project = Project(tmp_path)
    send(project)

    refused = project.liteq("move", FILE, redis_store, "-A", "project", code=1)
    assert "moved no tasks" in refused
    assert refused.count("set secret_key") == 1
    assert "21 tasks stay in sqlite" in refused
    assert '"celery"' in project.liteq("status", "-A", "project", "--json", code=None)


@needs_redis
def test_a_pickle_that_somebody_put_on_a_server_does_not_go_where_pickles_run(
    tmp_path: Path, redis_store: str
) -> None:
    project = Project(tmp_path)
    project.python(
        "from liteq import LiteQ\n"
        f"app = LiteQ('remote', broker={redis_store!r})\n"
        "app.send_task('project.add', (1, 2))\n"
        "broker = app.broker\n"
        "from liteq.states import Phase\n"
        "message = broker.listing([Phase.READY], limit=1)[0].message\n"
        "import pickle\n"
        "broker.enqueue([message._replace(id='evil', serializer='pickle',"
        " payload=pickle.dumps(((1, 2), {})))])\n"
    )

    refused = project.liteq("move", redis_store, FILE, "-A", "project", code=1)
    assert "1 task stays in redis" in refused
    assert "(evil): pickle runs code when it is decoded" in refused
    counts = "from project import app; print([count.tasks for count in app.broker.counts()])"
    assert project.python(counts) == "[1]\n"
    output = project.liteq("move", redis_store, FILE, "-A", "project", "--json", code=1)
    told, _ = json.JSONDecoder().raw_decode(output)
    assert (told["moved"], told["left"], list(told["refused"])) == ({}, 1, ["evil"])


@needs_redis
def test_a_schedule_that_would_run_a_pickle_stays(tmp_path: Path, redis_store: str) -> None:
    project = Project(tmp_path)
    project.python(
        "from project import *\n"
        "app.schedules.add('pickled', 60, add, (1, 2))\n"
        "app.schedules.add('json', 60, add, (1, 2), serializer='json')"
    )

    refused = project.liteq("move", FILE, redis_store, "-A", "project", code=1)
    assert "moved no tasks and 1 schedules" in refused
    assert "the schedule pickled stays in sqlite" in refused


# Ends the move right after the first call of one verb, as a kill would.
KILLED = """
import os, sys
from liteq.brokers.redis import RedisBroker
from liteq.brokers.sqlite import SqliteBroker
from liteq.cli import main

verb = sys.argv[1]

def let_die(broker):
    done = getattr(broker, verb)

    def die(store, value):
        returned = done(store, value)
        if value:  # else there was nothing that had arrived before
            os._exit(9)
        return returned

    setattr(broker, verb, die)

let_die(RedisBroker)
let_die(SqliteBroker)
sys.argv[:2] = ["liteq", "move"]
main()
"""


@needs_redis
@pytest.mark.parametrize("verb", ["unpack", "discard", "confirm"])
def test_a_move_that_was_killed_brings_nothing_twice(
    project: Project, redis_store: str, tmp_path: Path, verb: str
) -> None:
    """What it had brought is run, and forgotten, before it goes on."""
    path = tmp_path / "marks"
    project.python(
        "from project import *\n"
        f"for n in range(10): mark.apply_async(({str(path)!r},), task_id=f't{{n}}')"
    )
    move = (FILE, redis_store, "-A", "project")
    with project.program("-c", KILLED, verb, *move) as program:
        assert program.wait() == 9
    with project.worker("-b", redis_store):
        project.python(
            f"from project import *; app.conf.broker_url = {redis_store!r}\n"
            "for n in range(10):\n"
            "    result = app.AsyncResult(f't{n}')\n"
            "    result.get(timeout=30)\n"
            "    result.forget()"
        )
        assert "moved no tasks" in project.liteq("move", *move)
    assert path.read_text().count("begin") == 10


@pytest.mark.parametrize("verb", ["unpack", "discard", "confirm"])
def test_tasks_that_go_back_and_forth_after_a_killed_move_are_not_lost(
    project: Project, tmp_path: Path, verb: str
) -> None:
    project.python("from project import *; app.enqueue_many(add.s(n, n) for n in range(10))")
    other = "sqlite:///other.db"
    with project.program("-c", KILLED, verb, FILE, other, "-A", "project") as program:
        assert program.wait() == 9

    for way in ((FILE, other), (other, FILE), (FILE, other)):
        project.liteq("move", *way, "-A", "project")
    target = connect(f"sqlite:///{tmp_path / 'other.db'}")
    assert target.counts() == [("celery", Phase.READY, 10)]
    target.close()


def test_a_schedule_that_cannot_be_read_stays_and_is_named(
    project: Project, tmp_path: Path
) -> None:
    project.python(
        "from project import *\n"
        "app.schedules.add('good', 60, add, (1, 2))\n"
        "app.schedules.add('bad', 60, add, (1, 2))"
    )
    with closing(sqlite3.connect(tmp_path / "project.db", isolation_level=None)) as db:
        db.execute("update liteq_schedule set misfire = x'ff' where name = 'bad'")

    refused = project.liteq("move", FILE, "sqlite:///other.db", "-A", "project", code=1)
    assert "moved no tasks and 1 schedules" in refused
    assert "the schedule bad stays in sqlite" in refused
    assert "its misfire is" in refused


def test_a_store_is_not_moved_to_itself_nor_to_memory(project: Project) -> None:
    assert "give two stores" in project.liteq("move", FILE, FILE, "-A", "project", code=78)
    assert "cannot be moved" in project.liteq("move", FILE, "memory://", "-A", "project", code=78)


def test_a_task_in_a_phase_of_another_version_stays(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.python("from project import add; add.delay(1, 1); add.delay(2, 2)")
    with closing(sqlite3.connect(tmp_path / "project.db")) as db, db:
        db.execute("update liteq_task set phase = 11 where seq = 1")
    out = project.liteq("move", FILE, "sqlite:///new.db", "-A", "project", code=1)
    assert "moved 1 ready" in out
    assert "its phase is that of another version" in out


def test_what_is_paused_stays_so(project: Project) -> None:
    send(project)
    project.liteq("pause", "celery", "-A", "project")
    project.liteq("move", FILE, "sqlite:///other.db", "-A", "project")

    said = project.liteq("pause", "-A", "project", "-b", "sqlite:///other.db")
    assert "the queue 'celery' is paused since" in said
