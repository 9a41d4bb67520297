"""`liteq move`: a project changes its store."""

import json
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.states import Phase
from tests.e2e.project import TASKS, Project, wait_for
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


@needs_redis
def test_a_store_with_workers_is_not_moved(project: Project, redis_store: str) -> None:
    with project.worker("-n", "busy@here"):
        output = project.liteq("move", FILE, redis_store, "-A", "project", code=1)
    assert "stop the workers" in output
    assert "busy@here" in output


@needs_redis
def test_pickles_do_not_go_to_a_server_without_a_key(tmp_path: Path, redis_store: str) -> None:
    project = Project(tmp_path)
    send(project)

    assert "set secret_key" in project.liteq("move", FILE, redis_store, "-A", "project", code=78)
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

    refused = project.liteq("move", redis_store, FILE, "-A", "project", code=78)
    assert "pickle runs code when it is decoded" in refused
    assert project.python("from project import app; print(len(app.broker.counts()))") == "0\n"


def test_a_store_is_not_moved_to_itself_nor_to_memory(project: Project) -> None:
    assert "give two stores" in project.liteq("move", FILE, FILE, "-A", "project", code=78)
    assert "cannot be moved" in project.liteq("move", FILE, "memory://", "-A", "project", code=78)
