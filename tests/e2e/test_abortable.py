"""A task that was asked to stop sees it, in each pool and on each store."""

from pathlib import Path

import pytest

from liteq import LiteQ
from liteq.contrib.abortable import ABORTED, AbortableAsyncResult, AbortableTask
from tests.e2e.project import Project

TASKS = """
import os, time
from liteq import LiteQ
from liteq.contrib.abortable import AbortableTask

app = LiteQ("project")

@app.task(bind=True, base=AbortableTask)
def count(self, path):
    open(path, "w").close()
    turns = 0
    while not self.is_aborted():
        turns += 1
        time.sleep(0.01)
    return "aborted"
"""


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio", "solo"])
@pytest.mark.parametrize("kind", ["store", "redis_store"])
def test_a_running_task_sees_that_it_was_aborted(
    kind: str, pool: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    project = Project(tmp_path, TASKS)
    project.env["LITEQ_BROKER_URL"] = request.getfixturevalue(kind)

    with project.worker("-P", pool):
        printed = project.python("""
import os, time
from project import count
result = count.delay("begun")
while not os.path.exists("begun"):
    time.sleep(0.01)
print(type(result).__name__, result.is_aborted())
result.abort()
print(result.get(timeout=20), result.state, result.is_aborted())
""")

    assert printed == "AbortableAsyncResult False\naborted SUCCESS False\n"


def test_a_task_that_waits_is_told_when_it_starts() -> None:
    app = LiteQ("x", broker="memory://", set_as_current=False)

    @app.task(bind=True, base=AbortableTask)
    def look(self: AbortableTask[[], bool]) -> bool:
        return self.is_aborted()

    sent = look.delay()
    assert isinstance(sent, AbortableAsyncResult)
    sent.abort()
    assert sent.state == ABORTED

    with app.Worker(pool="solo"):
        assert sent.get(timeout=10) is True

    sent.abort()  # it has ended
    assert sent.state == "SUCCESS"


def test_a_task_that_runs_here_was_never_aborted() -> None:
    app = LiteQ("x", broker="memory://", set_as_current=False)

    @app.task(bind=True, base=AbortableTask)
    def look(self: AbortableTask[[], bool]) -> bool:
        return self.is_aborted()

    assert look() is False
    assert look.apply().get() is False
    app.conf.task_always_eager = True
    assert look.delay().get() is False
