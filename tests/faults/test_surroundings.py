"""Odd surroundings: closed and broken streams, signals at any moment, threads, warnings."""

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.project import INT, TASKS, TERM, Project, alive, children_of, wait_for
from tests.servers import needs_redis

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ADD = "from project import *; print(add.delay(2, 3).get(timeout=25))"


def gone(pids: set[int]) -> bool:
    return not any(map(alive, pids))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def shell(project: Project, redirect: str) -> "subprocess.Popen[bytes]":
    command = f"exec {sys.executable} -m liteq worker -A project -l info -c 1 {redirect}"
    return subprocess.Popen(["/bin/sh", "-c", command], cwd=project.folder, env=project.env)


@pytest.mark.parametrize("portable", ["0", "1"])
@pytest.mark.parametrize(
    "redirect", ["<&- >&- 2>&-", "2>&-", "<&-", ">/dev/full 2>&1", "--logfile log 2>&-"]
)
def test_a_worker_without_standard_streams_works_and_ends_in_order(
    project: Project, redirect: str, portable: str
) -> None:
    project.env["LITEQ_PORTABLE"] = portable
    worker = shell(project, redirect)
    try:
        assert project.python(ADD) == "5\n"
        shout = "from project import *; print(shout.delay('x').get(timeout=25))"
        assert project.python(shout) == "None\n"
        assert project.python(ADD) == "5\n"
        opened = [Path(f"/proc/{worker.pid}/fd/{fd}").readlink() for fd in range(3)]
        worker.send_signal(INT)
        assert worker.wait(25) == 0
    finally:
        worker.kill()
        worker.wait()
    integrity = "import sqlite3; db = sqlite3.connect('project.db'); "
    integrity += "print(*db.execute('pragma integrity_check').fetchone())"

    assert not any("project.db" in path.name for path in opened)
    assert project.python(integrity) == "ok\n"


def test_a_worker_whose_log_nobody_reads_any_more_works_and_ends_in_order(
    project: Project,
) -> None:
    argv = [sys.executable, "-m", "liteq", "worker", "-A", "project", "-l", "debug", "-c", "1"]
    read_end, write_end = os.pipe()
    worker = subprocess.Popen(
        argv, cwd=project.folder, env=project.env, stdout=write_end, stderr=write_end
    )
    os.close(write_end)
    os.read(read_end, 1)  # as `| head -1` does
    os.close(read_end)
    try:
        for _ in range(3):
            assert project.python(ADD) == "5\n"
        worker.send_signal(INT)
        assert worker.wait(25) == 0
    finally:
        worker.kill()
        worker.wait()


def test_with_every_warning_an_error_nothing_is_said(project: Project) -> None:
    """Python 3.12 warns of a fork in a process with threads; tasks of an application with threads
    of its own are forked all the same from one that has none."""
    project.write(
        "project.py",
        (project.folder / "project.py").read_text()
        + "\nimport threading\n"
        + "@app.task\ndef thread():\n"
        + "    t = threading.Thread(target=time.sleep, args=(0,)); t.start(); t.join()\n",
    )
    argv = ["-W", "error", "-X", "dev", "-m", "liteq", "worker", "-A", "project", "-c", "2"]
    with project.program(*argv, "--max-tasks-per-child", "1") as worker:
        worker.wait_for_line(r"\[tasks\]")
        for _ in range(3):
            project.python("from project import *; thread.delay().get(timeout=25)")
        assert project.python(ADD) == "5\n"
        worker.send(TERM)
        assert worker.wait() == 0

    assert "Warning" not in worker.output
    assert "Error" not in worker.output


def test_an_application_with_threads_and_busy_locks_is_forked_without_a_hang(
    project: Project,
) -> None:
    """A thread that the application starts at import is alive in the process that children are
    forked from, and may hold the lock of the logging or of standard output just then."""
    project.write(
        "project.py",
        (project.folder / "project.py").read_text()
        + "\nimport logging, threading\n"
        + "logger = logging.getLogger('busy'); logger.addHandler(logging.NullHandler())\n"
        + "logger.propagate = False\n"
        + "class Noise(logging.Handler):\n"
        + "    def emit(self, record): time.sleep(0.001)\n"
        + "logger.addHandler(Noise())\n"
        + "def noise():\n    while True: logger.warning('x')\n"
        + "threading.Thread(target=noise, daemon=True).start()\n"
        + "@app.task\ndef log():\n    logger.warning('y'); return os.getpid()\n",
    )
    with project.worker("--max-tasks-per-child", "1"):
        out = project.python(
            "from project import *\n"
            "print(len({log.delay().get(timeout=25) for _ in range(20)}), flush=True); os._exit(0)"
        )

    assert out == "20\n"


@pytest.mark.parametrize("number", [TERM, INT, signal.SIGQUIT], ids=["TERM", "INT", "QUIT"])
def test_a_signal_at_any_moment_of_the_start_leaves_nothing_half_done(
    project: Project, number: signal.Signals
) -> None:
    pauses = random.Random(number)
    for _ in range(8):
        with project.program("-m", "liteq", "worker", "-A", "project", "-c", "1") as worker:
            time.sleep(pauses.uniform(0, 0.4))  # somewhere in its first steps
            offspring = children_of(worker.pid)
            worker.send(number)
            worker.wait()
            wait_for(partial(gone, offspring), "the end")
    with project.worker("-c", "1"):
        assert project.python(ADD) == "5\n"


def test_signals_under_load_leave_nothing_that_runs(project: Project) -> None:
    """Wherever in a claim or a settlement they come."""
    send = "from project import *; app.enqueue_many(add.s(n, n) for n in range(20000))"
    phases = (
        "import sqlite3; db = sqlite3.connect('project.db')\n"
        "print(*db.execute('select phase, max(lost), count(*) from liteq_task group by phase'))"
    )
    project.python(send)
    pauses = random.Random(1)
    for number in (TERM, INT, TERM, signal.SIGQUIT, TERM):
        with project.worker("-l", "warning") as worker:
            time.sleep(pauses.uniform(0, 0.1))
            worker.send(number)
            worker.wait()
        out = project.python(phases)
        assert "(3, " not in out, out
    with project.worker("-l", "warning"):
        wait_for(lambda: project.python(phases) == "(4, 0, 20000)\n", "the rest")


def test_a_worker_in_a_thread_leaves_the_program_s_signals_alone(project: Project) -> None:
    """Ctrl-C ends the program by its own rules, and the worker with it."""
    source = (
        "import sys, time\nfrom project import *\n"
        "worker = app.Worker(concurrency=1).start()\n"
        "sum = add.delay(2, 3).get(timeout=25)\n"
        "try: print(sum, flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: print('interrupted', flush=True); sys.exit(7)"
    )
    with project.program("-c", source) as program:
        program.wait_for_line("5")
        offspring = children_of(program.pid)
        program.send(INT)
        assert program.wait() == 7
        wait_for(lambda: not any(map(alive, offspring)), "the end")

    assert program.output == "5\ninterrupted\n"


def test_stop_may_be_called_by_many_threads_at_once(project: Project) -> None:
    out = project.python(
        "import threading\nfrom project import *\n"
        "worker = app.Worker(concurrency=1).start()\n"
        "add.delay(2, 3).get(timeout=25)\n"
        "threads = [threading.Thread(target=worker.stop, args=(20,)) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(worker.stop())"
    )

    assert out == "True\n"


EMBEDDED = """
import os, sys
for fd in range(3): os.close(fd)
sys.stdout = sys.stderr = None
from project import *
with app.Worker(concurrency=1):
    shout.delay("x").get(timeout=25)
    sum = add.delay(2, 3).get(timeout=25)
with open("sum", "w") as file: file.write(str(sum))
"""


@pytest.mark.parametrize("portable", ["0", "1"])
def test_a_program_without_standard_streams_may_have_a_worker(
    project: Project, portable: str
) -> None:
    project.env["LITEQ_PORTABLE"] = portable
    project.run("-c", EMBEDDED)

    assert (project.folder / "sum").read_text() == "5"


MANY_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (3000, 3000))
held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
from project import *
with app.Worker(pool=sys.argv[1], concurrency=1):
    for n in range(3):
        print(add.delay(n, n).get(timeout=25))
"""


@pytest.mark.parametrize("store", ["sqlite", pytest.param("redis", marks=needs_redis)])
@pytest.mark.parametrize(
    ("pool", "portable"), [("processes", "0"), ("processes", "1"), ("threads", "0")]
)
def test_a_program_with_more_files_open_than_select_can_name_runs_tasks(
    project: Project, request: pytest.FixtureRequest, pool: str, portable: str, store: str
) -> None:
    """As web servers have. `select` takes no descriptor beyond 1023."""
    project.env["LITEQ_PORTABLE"] = portable
    if store == "redis":
        url = request.getfixturevalue("redis_store")
        project.write("project.py", TASKS.replace("sqlite:///project.db", url))

    assert project.run("-c", MANY_FILES, pool).endswith("0\n2\n4\n")
