"""The fork server is a fork of the worker, where nobody can tell it from a fresh interpreter."""

import ast
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import KILL, PORTABLE, Project, alive, children_of, wait_for

pytestmark = pytest.mark.skipif(
    PORTABLE or sys.platform != "linux", reason="children are not forked, or /proc is not there"
)

TASKS = """
import gc, logging, os, signal, socket, stat, sys, threading, time
from liteq import LiteQ
from liteq.utils.log import get_task_logger

app = LiteQ("project", broker="sqlite:///project.db")
logger = get_task_logger(__name__)

with open("imports", "a") as file:
    file.write(f"{os.getpid()}\\n")

@app.task(serializer="json")
def ancestors():
    with open(f"/proc/{os.getppid()}/stat") as file:
        return os.getpid(), os.getppid(), int(file.read().rpartition(")")[2].split()[1])

@app.task(serializer="json")
def surroundings():
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)
    logger.warning("one line")
    return {
        "stdin": (sys.stdin.read(), os.readlink("/proc/self/fd/0")),
        "handlers": [getattr(h, "__module__", str(h)) for h in map(signal.getsignal, signals)],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "own group": os.getpgid(0) == os.getpid(),
        "descriptors": sorted(kinds()),
        "collector": (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count() > 1000),
        "main": hasattr(sys.modules["__main__"], "__file__"),
        "arguments": sys.argv[1:],
        "folders": (os.getcwd(), os.getcwd() in sys.path),
        "threads": sorted(each.name for each in threading.enumerate()),
        "child": os.environ.get("LITEQ_CHILD"),
        "log": [type(each).__name__ for each in logging.getLogger("liteq").handlers],
        "current": app.current_task.name,
        "settings": (app.conf.task_soft_time_limit, app.conf.result_expires, app.conf.include),
    }

def kinds():
    for fd in os.listdir("/proc/self/fd"):
        try:
            found = os.fstat(int(fd))
        except OSError:
            continue
        if int(fd) > 2:
            yield stat.S_IFMT(found.st_mode)
"""

THREAD = """
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
"""
SOCKET = """
one, other = socket.socketpair()
"""
NATIVE_THREAD = """
import ctypes
pthread, libc = ctypes.c_ulong(), ctypes.CDLL(None)
assert libc.pthread_create(ctypes.byref(pthread), None, libc.sleep, 3600) == 0
"""
RECEIVER = """
from liteq.signals import worker_init
@worker_init.connect
def open_something(**_):
    pass
"""
SCRIPT = """
from project import app
if __name__ == "__main__":
    app.worker_main(["worker", "-l", "info", "-c", "1"])
"""
FRESH = {"a thread": THREAD, "a thread of C": NATIVE_THREAD, "a socket": SOCKET}
FRESH["a receiver"] = RECEIVER


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def result(project: Project, task: str) -> Any:
    """Run `task` in a worker, and return its result."""
    source = f"from project import {task}; print({task}.delay().get(timeout=20))"
    return ast.literal_eval(project.python(source))


def imports(project: Project) -> set[int]:
    """Return the processes that have imported the project so far, and forget them."""
    path = project.folder / "imports"
    found = {int(pid) for pid in path.read_text().split()}
    path.unlink()
    return found


def test_a_worker_and_its_children_import_the_application_once(project: Project) -> None:
    with project.worker() as worker:
        assert imports(project) == {worker.pid}
        _, _, grandparent = result(project, "ancestors")

        assert grandparent == worker.pid
        assert len(imports(project)) == 1  # the sender


@pytest.mark.parametrize("what", FRESH)
def test_the_fork_server_of_an_application_that_has_something_open_is_a_fresh_interpreter(
    project: Project, what: str
) -> None:
    project.write("project.py", TASKS + FRESH[what])
    with project.worker() as worker:
        _, fork_server, grandparent = result(project, "ancestors")

        assert grandparent == worker.pid
        assert {worker.pid, fork_server} <= imports(project)


def test_the_fork_server_of_a_program_that_runs_a_worker_is_a_fresh_interpreter(
    project: Project,
) -> None:
    """The program may have anything that only it knows of, and goes on afterwards."""
    project.write("script.py", SCRIPT)
    with project.program("script.py") as worker:
        worker.wait_for_line(r"\[tasks\]")
        _, fork_server, _ = result(project, "ancestors")

        assert {worker.pid, fork_server} <= imports(project)


def test_a_task_cannot_tell_where_its_process_was_forked_from(project: Project) -> None:
    project.write("more.py", "result_expires = 777")
    options = ("--config", "more", "--soft-time-limit", "9")
    with project.worker(*options) as worker:
        forked = result(project, "surroundings")
        worker.wait_for_line("one line")
    project.write("project.py", TASKS + RECEIVER)
    with project.worker(*options) as other:
        fresh = result(project, "surroundings")
        other.wait_for_line("one line")

    assert forked == fresh
    assert forked["settings"][:2] == (9, 777)
    assert worker.output.count("one line") == other.output.count("one line") == 1


def test_new_code_is_loaded_by_a_fresh_interpreter(project: Project) -> None:
    with project.worker() as worker:
        _, forked, _ = result(project, "ancestors")
        imports(project)
        worker.send(signal.SIGHUP)
        worker.wait_for_line("new code loaded")
        _, fresh, _ = result(project, "ancestors")

        assert forked != fresh
        assert fresh in imports(project)
        wait_for(lambda: not alive(forked), "the end of the first fork server")


def test_a_fork_server_that_was_killed_is_replaced_by_a_fresh_interpreter(project: Project) -> None:
    with project.worker() as worker:
        _, forked, _ = result(project, "ancestors")
        imports(project)
        os.kill(forked, KILL)
        wait_for((project.folder / "imports").exists, "another fork server")
        _, fresh, _ = result(project, "ancestors")

        assert fresh in imports(project)
        assert fresh != forked
        assert worker.process.poll() is None


def test_a_forked_fork_server_and_its_children_end_with_a_worker_that_is_killed(
    project: Project,
) -> None:
    with project.worker() as worker:
        result(project, "ancestors")
        pids = children_of(worker.pid)
        os.kill(worker.pid, KILL)

        wait_for(lambda: not any(map(alive, pids)), "the end of all")


def test_signals_to_all_processes_of_a_worker_that_starts_stop_it_in_order(
    project: Project,
) -> None:
    with project.worker() as worker:
        for pid in {worker.pid, *children_of(worker.pid)}:
            os.kill(pid, signal.SIGTERM)

        assert worker.wait() == 0
        assert "Traceback" not in worker.output


def test_what_the_application_printed_but_not_flushed_is_printed_once(project: Project) -> None:
    del project.env["PYTHONUNBUFFERED"]
    project.write(
        "project.py", TASKS + '\nsys.stdout.write("" if "-c" in sys.argv[0] else "imported ")\n'
    )
    with project.worker() as worker:
        result(project, "ancestors")
        worker.send(signal.SIGTERM)
        worker.wait()

    assert worker.output.count("imported") == 1


def test_helpers_of_multiprocessing_do_not_run_the_command_line(project: Project) -> None:
    project.write(
        "project.py",
        TASKS
        + """
def loaded(queue):
    queue.put("liteq.cli" in sys.modules)

@app.task(serializer="json")
def helper():
    import multiprocessing
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=loaded, args=(queue,))
    process.start()
    found = queue.get(timeout=20)
    process.join()
    return found
""",
    )
    with project.worker():
        assert result(project, "helper") is False
