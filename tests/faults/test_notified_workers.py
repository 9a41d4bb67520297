"""Workers that are killed or stopped just when they are notified, and many that are idle."""

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.project import KILL, Program, Project, children_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stops processes")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def idle_worker(project: Project, stack: ExitStack, *options: str) -> Program:
    """Start a worker that has looked for work, and found none, when this returns."""
    worker = stack.enter_context(project.worker(*options))
    worker.wait_for_line("ready")
    return worker


def send_and_get(project: Project, count: int = 1) -> str:
    return project.python(
        f"from project import add\n"
        f"results = [add.delay(n, 1) for n in range({count})]\n"
        f"print(sum(each.get(timeout=20) for each in results))"
    ).strip()


def test_a_task_whose_worker_is_stopped_when_notified_is_run_by_the_next_look_of_another(
    project: Project,
) -> None:
    with ExitStack() as stack:
        first = idle_worker(project, stack)
        idle_worker(project, stack)
        os.kill(first.pid, signal.SIGSTOP)
        try:
            assert send_and_get(project) == "1"
            assert send_and_get(project, 20) == str(sum(range(1, 21)))
        finally:
            os.kill(first.pid, signal.SIGCONT)


def test_a_task_whose_worker_is_killed_when_notified_is_run_by_another(project: Project) -> None:
    with ExitStack() as stack:
        first = idle_worker(project, stack)
        idle_worker(project, stack)
        os.kill(first.pid, signal.SIGSTOP)  # so that it gets the notification and does nothing
        sent = project.python("from project import add; print(add.delay(2, 3).id)").strip()
        for pid in {first.pid, *children_of(first.pid)}:
            os.kill(pid, KILL)

        got = project.python(f"from project import app; print(app.AsyncResult({sent!r}).get(20))")
        assert got.strip() == "5"


def test_tasks_for_more_slots_than_one_worker_has_run_in_several_workers_at_once(
    project: Project, tmp_path: Path
) -> None:
    """Each of four tasks ends only when all four have begun."""
    project.write(
        "project.py",
        (tmp_path / "project.py").read_text()
        + """
@app.task
def meet(folder, name):
    open(os.path.join(folder, name), "w").close()
    until = time.monotonic() + 20
    while len(os.listdir(folder)) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    return len(os.listdir(folder))
""",
    )
    folder = tmp_path / "met"
    folder.mkdir()
    with ExitStack() as stack:
        for _ in range(4):
            idle_worker(project, stack, "-c", "1")
        out = project.python(
            f"from project import meet\n"
            f"results = [meet.delay({str(folder)!r}, str(n)) for n in range(4)]\n"
            f"print([each.get(timeout=40) for each in results])"
        )
    assert out.strip() == "[4, 4, 4, 4]"


@pytest.mark.parametrize("pool", ["processes", "threads", "solo"])
def test_a_worker_is_notified_of_each_of_many_short_tasks(project: Project, pool: str) -> None:
    project.write(
        "alone.py",
        "from project import add, app\n"
        "from liteq.worker import supervisor\n"
        "if __name__ == '__main__':\n"
        "    supervisor._POLL_EVERY = 3600.0\n"  # it is notified, or never looks again
        f"    with app.Worker(pool={pool!r}, concurrency=1):\n"
        "        print(sum(add.delay(n, 1).get(timeout=20) for n in range(40)))\n",
    )
    assert project.python("import alone, runpy; runpy.run_path('alone.py', {}, '__main__')") == (
        f"{sum(range(1, 41))}\n"
    )
