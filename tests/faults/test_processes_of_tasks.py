"""Tasks do to their process what they should not. The next task does not notice."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.project import KILL, Project, alive, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TASKS = """
import ctypes, json, logging, multiprocessing, os, re, resource, signal, socket, sqlite3, sys, time
from concurrent.futures import ProcessPoolExecutor
from liteq import LiteQ
from liteq.exceptions import SoftTimeLimitExceeded

app = LiteQ("project", broker="sqlite:///project.db")

class Own(BaseException):
    pass

@app.task
def add(x, y):
    return x + y

@app.task
def pid():
    return os.getpid()

@app.task
def leave_by(name):
    raise {
        "KeyboardInterrupt": KeyboardInterrupt(),
        "SystemExit": SystemExit(0),
        "GeneratorExit": GeneratorExit(),
        "StopIteration": StopIteration(),
        "Own": Own("mine"),
        "MemoryError": MemoryError(),
    }[name]

@app.task
def surroundings():
    mask = os.umask(0)
    os.umask(mask)
    with open("/proc/self/limits") as file:
        limits = file.read()
    return {
        "folder": os.getcwd(),
        "umask": mask,
        "streams": [os.fstat(n).st_ino for n in range(3)],
        "names": [sys.stdout.fileno(), sys.stderr.fileno()],
        "handlers": [repr(signal.getsignal(n)).split(" at ")[0] for n in (1, 2, 3, 15)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "timeout": socket.getdefaulttimeout(),
        "limits": limits,
    }

@app.task(bind=True)
def tell_by_helpers(self, size):
    def help(number):
        for n in range(20):
            self.update_state(state=f"HELPER-{number}", meta="x" * size)
    helpers = [multiprocessing.get_context("fork").Process(target=help, args=(n,)) for n in "abc"]
    for helper in helpers:
        helper.start()
    help("own")
    for helper in helpers:
        helper.join()
    multiprocessing.get_context("fork").Process(target=help, args=("last",)).start()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return os.getpid(), [helper.exitcode for helper in helpers]

def deed(function):
    @app.task(name=function.__name__)
    def task():
        before = os.getpid()
        function()
        return before
    return task

@deed
def change_folder():
    os.chdir("/")

@deed
def change_umask():
    os.umask(0o777)

@deed
def close_streams():
    for n in range(3):
        os.close(n)
    open("/dev/zero")  # takes the place of standard input, for ever

@deed
def replace_streams():
    sys.stdout = sys.stderr = None

@deed
def handle_signals():
    for n in (1, 2, 3, 15):
        signal.signal(n, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(9))

@deed
def block_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

@deed
def set_timeout():
    socket.setdefaulttimeout(0.000001)

@deed
def lower_limits():
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (7, resource.getrlimit(kind)[1]))

@app.task
def devour():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return len(b"x" * (1 << 31))

@app.task
def recurse(n=0):
    return recurse.run(n + 1)

@app.task
def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value

@app.task(time_limit=1)
def hang(how, path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    if how == "blocks signals":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(60)
    elif how == "ignores TERM":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    elif how == "regular expression":
        re.match(r"(a+)+$", "a" * 40 + "b")
    else:
        sum(range(10**11))

class Slow:
    def __reduce__(self):
        time.sleep(60)

@app.task(time_limit=1)
def slow_to_encode():
    return Slow()

@app.task
def large(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    return b"x" * 50_000_000

@app.task(soft_time_limit=0.002)
def edge(n):
    end = time.monotonic() + 0.0014 + (n % 100) * 1e-5
    while time.monotonic() < end:
        pass
    return n

def square(n):
    return n * n

@app.task
def in_processes(method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        return list(pool.map(square, range(4)))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


@pytest.mark.parametrize(
    "name",
    ["KeyboardInterrupt", "SystemExit", "GeneratorExit", "StopIteration", "Own", "MemoryError"],
)
def test_whatever_a_task_raises_is_its_failure_and_its_process_goes_on(
    project: Project, name: str
) -> None:
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            "before = pid.delay().get(timeout=25)\n"
            f"bad = leave_by.delay({name!r})\n"
            "error = bad.get(timeout=25, propagate=False)\n"
            "print(bad.state, type(error).__name__, pid.delay().get(timeout=25) == before)\n"
            "try: bad.get(timeout=25)\n"
            "except Exception: print('an Exception')"  # which cannot end the program that asks
        )

    assert out == f"FAILURE {name} True\nan Exception\n"


@pytest.mark.parametrize(
    "deed",
    [
        "change_folder",
        "change_umask",
        "close_streams",
        "replace_streams",
        "handle_signals",
        "block_signals",
        "set_timeout",
        "lower_limits",
    ],
)
def test_what_a_task_changes_of_its_process_is_put_back(project: Project, deed: str) -> None:
    with project.worker("-c", "1"):
        out = project.python(
            "import json\nfrom project import *\n"
            "before = surroundings.delay().get(timeout=25)\n"
            f"doer = {deed}.delay().get(timeout=25)\n"
            "after = surroundings.delay().get(timeout=25)\n"
            "print(json.dumps([before, after, doer == pid.delay().get(timeout=25)]))"
        )
    before, after, same_process = json.loads(out.splitlines()[-1])

    assert before == after
    assert same_process


def test_a_child_whose_folder_was_removed_by_a_task_is_replaced(project: Project) -> None:
    (project.folder / "inner").mkdir()
    project.write(
        "project.py",
        TASKS + "\n@app.task\ndef spoil():\n"
        "    os.rmdir(os.getcwd()); os.chdir('/'); return os.getpid()\n"
        "from liteq.signals import worker_process_init\n"
        "@worker_process_init.connect\n"
        "def enter(**_):\n"
        "    os.makedirs('inner', exist_ok=True); os.chdir('inner')\n",
    )
    project.write(
        "project.py",
        (project.folder / "project.py")
        .read_text()
        .replace("sqlite:///project.db", f"sqlite:///{project.folder}/project.db"),
    )
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            "spoilt = spoil.delay().get(timeout=25)\n"
            "print(pid.delay().get(timeout=25) == spoilt)"
        )

    assert out == "False\n"


def test_a_task_without_memory_fails_and_its_place_stays(project: Project) -> None:
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            "for _ in range(3):\n"
            "    print(type(devour.delay().get(timeout=25, propagate=False)).__name__)\n"
            "print(add.delay(2, 3).get(timeout=25))"
        )

    assert out == "MemoryError\n" * 3 + "5\n"


def test_recursion_without_end_is_a_failure(project: Project) -> None:
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            "r = recurse.delay()\n"
            "print(type(r.get(timeout=25, propagate=False)).__name__, r.state)\n"
            "r = nested.delay(100_000); print(r.get(timeout=25, propagate=False), r.state)\n"
            "print(add.delay(2, 3).get(timeout=25))"
        )
    first, second, last = out.splitlines()

    assert first == "RecursionError FAILURE"
    assert second.endswith("FAILURE")
    assert "project.nested returned a list" in second
    assert last == "5"


@pytest.mark.parametrize("how", ["blocks signals", "ignores TERM", "regular expression", "sum"])
def test_the_hard_limit_ends_a_task_that_cannot_be_reached(
    project: Project, tmp_path: Path, how: str
) -> None:
    path = tmp_path / "pid"
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            f"r = hang.delay({how!r}, {str(path)!r})\n"
            "print(repr(r.get(timeout=25, propagate=False)), r.state)\n"
            "print(add.delay(2, 3).get(timeout=25))"
        )
        pid = int(path.read_text())
        wait_for(lambda: not alive(pid), "its end")

    assert out.startswith("TimeLimitExceeded")
    assert out.splitlines()[-1] == "5"


def test_the_hard_limit_holds_while_the_result_is_encoded(project: Project) -> None:
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            "r = slow_to_encode.delay(); print(repr(r.get(timeout=25, propagate=False)))\n"
            "print(add.delay(2, 3).get(timeout=25))"
        )

    assert out.splitlines()[0].startswith("TimeLimitExceeded")
    assert out.splitlines()[1] == "5"


def test_a_soft_limit_at_the_very_end_gives_one_outcome_and_never_escapes(
    project: Project,
) -> None:
    with project.worker("-c", "1") as worker:
        out = project.python(
            "from project import *\n"
            "before = pid.delay().get(timeout=25)\n"
            "ends = [r.get(timeout=50, propagate=False) for r in"
            " app.enqueue_many(edge.s(n) for n in range(1000))]\n"
            "late = sum(isinstance(end, SoftTimeLimitExceeded) for end in ends)\n"
            "right = sum(end == n for n, end in enumerate(ends))\n"
            "print(late + right, pid.delay().get(timeout=25) == before)"
        )

    assert out == "1000 True\n"
    assert "lost its process" not in worker.output


def test_a_child_that_is_killed_while_it_sends_its_result_has_not_sent_it(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "pid"
    with project.worker("-c", "1") as worker:
        project.python(
            f"from project import *; large.delay({str(path)!r}).get(timeout=25); pid.delay().get()"
        )
        sender = int(path.read_text())
        path.unlink()
        # A supervisor that is stopped reads nothing, so the child stays in the middle of it.
        worker.send(signal.SIGSTOP)
        id = project.python(f"from project import *; print(large.delay({str(path)!r}).id)").strip()
        worker.send(signal.SIGCONT)
        wait_for(path.exists, "the task")
        worker.send(signal.SIGSTOP)
        wait_for(lambda: is_blocked(sender), "the send")
        os.kill(sender, KILL)
        worker.send(signal.SIGCONT)
        out = project.python(
            f"from project import app; print(len(app.AsyncResult({id!r}).get(timeout=25)))"
        )
        worker.wait_for_line("lost its process")

    assert out == "50000000\n"


def is_blocked(pid: int) -> bool:
    """Whether no thread of `pid` runs."""
    try:
        stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return True
    return all(re.search(r"\) S ", stat) for stat in stats)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_task_may_have_processes_of_its_own(project: Project, method: str) -> None:
    with project.worker("-c", "1"):
        out = project.python(
            f"from project import *; print(in_processes.delay({method!r}).get(timeout=25))"
        )

    assert out == "[0, 1, 4, 9]\n"


def test_helpers_that_a_task_forks_may_report_its_state(project: Project) -> None:
    """All at once, and more than fits into the stream between the task and its supervisor."""
    source = (
        "from project import *\n"
        "result = tell_by_helpers.delay(300_000)\n"
        "end = time.monotonic() + 25\n"
        "while result.state != 'HELPER-last' and time.monotonic() < end: time.sleep(0.01)\n"
        "print(result.state, len(result.info)); open('go', 'w').close()\n"
        "own, codes = result.get(timeout=25)\n"
        "print(codes, pid.delay().get(timeout=25) == own)"
    )
    with project.worker("-c", "1"):
        out = project.python(source)

    assert out == "HELPER-last 300000\n[0, 0, 0] True\n"
