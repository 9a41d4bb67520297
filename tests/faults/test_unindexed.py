"""Tasks on Redis that are in no index, as another program has deleted it or written over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from tests.e2e.project import TASKS, Project
from tests.servers import RedisServer, needs_redis

pytestmark = needs_redis

P = "{liteq}:"


@pytest.fixture
def project(tmp_path: Path, redis_store: str) -> Project:
    return Project(tmp_path, TASKS.replace("sqlite:///project.db", redis_store))


@pytest.fixture
def app(redis_store: str) -> Iterator[LiteQ]:
    app = LiteQ("project", broker=redis_store, set_as_current=False)
    yield app
    app.close()


def test_doctor_finds_ready_tasks_without_an_index_and_puts_them_back(
    project: Project, app: LiteQ, shared_redis: RedisServer
) -> None:
    results = [app.send_task("project.add", (n, 1)) for n in range(600)]
    later = app.send_task("project.add", (5, 5), countdown=0.1)
    shared_redis.command("SET", P + "ready:celery", "a letter")
    shared_redis.command("DEL", P + "ready:celery")
    shared_redis.command("DEL", P + "scheduled")

    printed = project.liteq("doctor", "-A", "project", code=1)
    assert "601 tasks are in no index" in printed
    printed = project.liteq("doctor", "-A", "project", "--repair", code=None)
    assert "repaired: put back, or set aside, 601 tasks" in printed
    assert "in no index, so" not in printed

    with project.worker("-P", "threads"):
        assert [each.get(timeout=30) for each in results[::100]] == [1, 101, 201, 301, 401, 501]
        assert later.get(timeout=30) == 10


def test_tasks_whose_phase_is_none_are_set_aside_and_those_of_a_newer_version_left_alone(
    project: Project, app: LiteQ, shared_redis: RedisServer
) -> None:
    garbled, newer, fine = (app.send_task("project.add", (n, 1)) for n in range(3))
    shared_redis.command("HSET", f"{P}task:{garbled.id}", "phase", "a letter")
    seq = shared_redis.command("HGET", f"{P}task:{newer.id}", "seq").decode()
    shared_redis.command("ZREM", f"{P}ready:celery", seq + newer.id)
    shared_redis.command("HSET", f"{P}task:{newer.id}", "phase", 77)

    printed = project.liteq("doctor", "-A", "project", "--thorough", code=1)
    assert "1 tasks have a phase that is none" in printed
    assert "1 tasks are in a phase that is unknown here" in printed
    printed = project.liteq("doctor", "-A", "project", "--repair", "--thorough", code=1)
    assert "phase that is none" not in printed
    assert "1 tasks are in a phase that is unknown here" in printed

    assert "its phase was none: a letter" in project.liteq("dead", "list", "-A", "project")
    project.liteq("dead", "retry", garbled.id, "-A", "project")
    with project.worker("-P", "threads"):
        assert garbled.get(timeout=30) == 1
        assert fine.get(timeout=30) == 3
    assert shared_redis.command("HGET", f"{P}task:{newer.id}", "phase") == b"77"
