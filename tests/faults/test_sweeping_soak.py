"""Results expire as quickly as tasks run: the file stops growing, while it is drained."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Broker
from liteq.states import Phase
from tests.e2e.project import Project, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a drain at full speed")

TASKS = """
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db?durability=fast")
app.conf.result_expires = 2

@app.task
def add(x, y):
    return x + y
"""
SEND = """
from project import add, app
app.enqueue_many(add.s(n, 1) for n in range({count}))
"""
BATCH = 50_000
QUICK = 6 * BATCH
LONG = 5_000_000


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def left(broker: Broker) -> int:
    return sum(each.tasks for each in broker.counts() if not each.phase.final)


def drain(project: Project, count: int) -> list[int]:
    """Drain so many tasks; return the size of the file after each batch."""
    sizes = []
    path = project.folder / "project.db"
    with closing(connect(f"sqlite:///{path}?durability=fast")) as broker, project.worker():
        for _ in range(0, count, BATCH):
            project.python(SEND.format(count=BATCH))
            wait_for(lambda: left(broker) < BATCH // 2, "half of a batch", 300)
            sizes.append(path.stat().st_size)
        wait_for(lambda: left(broker) == 0, "the end of the drain", 300)
        ended = {each.phase for each in broker.counts()}
        assert ended <= {Phase.SUCCEEDED}
        wait_for(lambda: not broker.counts(), "the last sweep", 120)
    return sizes


@pytest.mark.soak
@pytest.mark.parametrize("count", [QUICK, LONG])
def test_the_file_stops_growing_while_results_expire_as_quickly_as_tasks_run(
    project: Project, count: int
) -> None:
    sizes = drain(project, count)
    half = len(sizes) // 2
    assert max(sizes[half:]) <= 1.5 * max(sizes[:half])
