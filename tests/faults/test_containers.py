"""Workers in containers that share a SQLite store: they cannot see each other's processes."""

import time
from pathlib import Path

import pytest

from liteq.brokers import Broker, connect
from liteq.model.message import Message, new_id
from liteq.states import Phase
from liteq.support.portable import portable
from tests.e2e.project import Project, has_lines, wait_for
from tests.faults.namespaces import container

URL = "sqlite:///project.db"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    return connect(f"sqlite:////{tmp_path}/project.db")


def send(broker: Broker, task: str, payload: str) -> str:
    id = new_id()
    broker.enqueue([Message(id, f"project.{task}", payload.encode(), "json", "celery")])
    return id


def phase(broker: Broker, id: str) -> Phase | None:
    (record,) = broker.fetch([id])
    return record and record.phase


@pytest.mark.skipif(
    portable(), reason="without flock it is not known whether a process of elsewhere has exited"
)
@pytest.mark.parametrize("proc", [True, False])
def test_a_stopped_worker_of_another_container_keeps_its_tasks_and_a_killed_one_is_noticed(
    project: Project, broker: Broker, tmp_path: Path, proc: bool
) -> None:
    path = tmp_path / "marks"
    (tmp_path / "marks.hold").touch()
    with container(project, "-c", "1", "-n", "inner", proc=proc) as inner:
        id = send(broker, "mark", f'[["{path}"], {{}}]')
        wait_for(has_lines(path), "the task")
        inner.stop()
        with project.worker("-c", "1", "-n", "outer") as outer:
            # Several of its rounds of rescue pass, and tasks are run in between.
            end = time.monotonic() + 3
            while time.monotonic() < end:
                other = send(broker, "add", "[[1, 2], {}]")
                wait_for(lambda: phase(broker, other) is Phase.SUCCEEDED, "what was sent")  # noqa: B023
            assert "rescued" not in outer.output
            (tmp_path / "marks.hold").unlink()
            inner.kill()
            wait_for(lambda: phase(broker, id) is Phase.SUCCEEDED, "the second run")
            outer.wait_for_line("rescued from a dead worker")
    assert path.read_text().count("begin") == 2
    broker.close()
