"""`liteq jobs` and `liteq why` as users run them, on both stores."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import TASKS, Project, wait_for


@pytest.fixture(params=["sqlite", "redis"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    if request.param == "sqlite":
        return Project(tmp_path)
    url = request.getfixturevalue("redis_store")
    return Project(tmp_path, TASKS.replace("sqlite:///project.db", f"{url}"))


def jobs(project: Project, *argv: str, code: int = 0) -> Any:
    return json.loads(project.liteq("jobs", *argv, "-A", "project", "--json", code=code))


def test_what_failed_is_listed_explained_and_tried_again(project: Project) -> None:
    source = (
        "from project import *\n"
        "ids = [fail.delay(text).id for text in ('no money', 'no time')]\n"
        "add.delay(1, y=2)\n"
        "print(*ids)"
    )
    first, second = project.python(source).split()
    with project.worker():
        wait_for(lambda: len(jobs(project, "--state", "failed,succeeded")["jobs"]) == 3, "the ends")
        failed = jobs(project, "--state", "FAILURE", "--limit", "1")
        assert failed["more"]
        assert failed["jobs"][0]["id"] == second
        assert failed["jobs"][0]["args"] == "'no time'"
        assert failed["jobs"][0]["error"] == "ValueError('no time')"
        rest = jobs(project, "--state", "failed", "--before", second)
        assert [job["id"] for job in rest["jobs"]] == [first]
        (done,) = jobs(project, "--text", "project.add")["jobs"]
        assert (done["args"], done["result"]) == ("1, y=2", "3")
        why = project.liteq("why", first, "-A", "project")
        assert why == f"{first}: it failed: ValueError('no money')\n"

    assert jobs(project, "retry", "--state", "failed", "--text", "no money")["retried"] == [first]
    listed = project.liteq("jobs", "-A", "project", "-s", "ready", "--ids")
    assert listed.split() == [first]
    why = project.liteq("why", first, "-A", "project")
    assert why == f"{first}: no worker serves the queue 'celery'\n"
    assert jobs(project, "cancel", first)["cancelled"] == [first]
    assert jobs(project, "delete", "--state", "REVOKED,failed")["deleted"] == 2
    assert [job["id"] for job in jobs(project)["jobs"]] == [done["id"]]


def test_an_action_that_does_not_fit_says_in_which_state_the_job_is(project: Project) -> None:
    later = project.python("from project import *; print(add.apply_async((1, 2), countdown=99).id)")

    told = project.liteq("jobs", "retry", later.strip(), "gone", "-A", "project", code=1)
    lines = sorted(line.removeprefix("liteq: ") for line in told.splitlines())
    state = "scheduled: jobs retry is for jobs that have ended without success"
    assert f"{later.strip()} is {state}" in lines
    assert any(line.endswith("knows no job gone") for line in lines)


def test_an_action_without_a_choice_is_refused(project: Project) -> None:
    project.python("from project import app; app.broker.enqueue([])")  # makes the store
    for action in ("retry", "cancel", "delete", "show"):
        project.liteq("jobs", action, "-A", "project", code=2)
    project.liteq("jobs", "list", "some-id", "-A", "project", code=2)
    project.liteq("jobs", "--state", "bad", "-A", "project", code=2)
    assert project.liteq("jobs", "-A", "project") == "no such jobs\n"
    project.liteq("jobs", "show", "unknown", "-A", "project", code=1)
    project.liteq("why", "unknown", "-A", "project", code=1)


def test_statistics_tell_how_tasks_fared_though_they_are_gone(project: Project) -> None:
    project.python(
        "from project import *\n"
        "for n in range(30): add.delay(n, 1)\n"
        "[fail.delay('no money') for _ in range(2)]"
    )

    def stats(*options: str) -> Any:
        told = json.loads(project.liteq("stats", "-A", "project", "--json", *options))
        return {each["name"]: each for each in told["stats"]}

    with project.worker():
        wait_for(lambda: sum(each["number"] for each in stats().values()) == 32, "the counts")
    jobs(project, "delete", "--state", "succeeded,failed")

    told = stats("--last", "2h")
    assert told["project.add"]["ended"] == {"succeeded": 30}
    assert told["project.fail"]["ended"] == {"failed": 2}
    assert told["project.add"]["waited"]["p95"] > told["project.add"]["ran"]["p50"] >= 0
    assert stats("--by", "queue")["celery"]["number"] == 32
    assert len(stats("--by", "all")["all"]["periods"]) == 60
    assert "project.add   30" in project.liteq("stats", "-A", "project")
    project.liteq("stats", "-A", "project", "--last", "two", code=2)
