"""The asyncio pool, as users run it: coroutines of one process, with what becomes of each."""

import json
import os
import re
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.e2e.project import KILL, Program, Project, children_of, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")

TASKS = """
import asyncio, os, signal, sys, threading, time
from liteq import LiteQ, current_task

app = LiteQ("project", broker="sqlite:///project.db")

def note(name, text=""):
    with open(name, "a") as file:
        file.write(f"{os.getpid()} {text}\\n")

async def until(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.01)

@app.task
async def add(x, y):
    await asyncio.sleep(0)
    return x + y

@app.task
def pid_in_thread():
    return [os.getpid(), threading.current_thread() is threading.main_thread()]

@app.task
async def nap(seconds):
    await asyncio.sleep(seconds)

@app.task
async def wait(path, note_as="waits"):
    note(note_as, "begin")
    try:
        await until(path)
    except asyncio.CancelledError:
        note(note_as, "cancelled")
        raise
    note(note_as, "end")
    return os.getpid()

@app.task(time_limit=0.3)
async def limited(path):
    return await wait(path, "limited")

@app.task(soft_time_limit=0.3)
async def soft():
    try:
        await asyncio.sleep(60)
    except Exception as exc:
        return type(exc).__name__

@app.task(time_limit=0.3)
def spin():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass

@app.task(bind=True)
async def who(self, n):
    async def inner():
        await asyncio.sleep(0.01)
        return self.request.id, current_task.request.args

    def in_thread():
        return self.request.id, current_task.request.args

    found = [(self.request.id, current_task.request.args)]
    for _ in range(5):
        await asyncio.sleep(0.01 * (n % 3))
        found += await asyncio.gather(inner(), asyncio.to_thread(in_thread))
        found.append((self.request.id, self.request.args))
    return [self.request.id, sorted({str(each) for each in found})]

@app.task(acks_late=False)
async def once(path):
    note("once", "begin")
    await until(path)

@app.task
async def poison():
    os.kill(os.getpid(), signal.SIGKILL)

@app.task
async def block(seconds):
    deep(seconds)

def deep(seconds):
    time.sleep(seconds)

@app.task
async def block_in_part(seconds):
    async def part():
        deep(seconds)
    await asyncio.gather(part(), part())

@app.task
async def speak(name):
    for n in range(3):
        print(name, end=" ")
        await asyncio.sleep(0.02)
        print(n)

@app.task(bind=True)
async def stepped(self, n):
    async def charge(x):
        await asyncio.sleep(0.05)
        note("charges", x)
        return x + 1
    first = await self.step("first", charge, n)
    if not os.path.exists(f"went-on-{n}"):
        note(f"went-on-{n}")
        raise self.retry(countdown=0)
    second = await self.step("second", charge, first)
    self.sleep("a moment", seconds=0.01)
    return second
"""

LOST = """
import sqlite3
db = sqlite3.connect("project.db")
for task, phase, lost in db.execute("select task, phase, lost from liteq_task order by seq"):
    print(task, phase, lost)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def asyncio_worker(project: Project, *options: str) -> AbstractContextManager[Program]:
    return project.worker("-P", "asyncio", "-c", "20", *options)


def lines(project: Project, name: str) -> list[str]:
    path = project.folder / name
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(project: Project, name: str, count: int) -> None:
    wait_for(lambda: len(lines(project, name)) >= count, f"{count} of {name}")


@pytest.mark.alone
def test_a_thousand_tasks_that_sleep_a_second_take_less_than_three_on_two_processes(
    project: Project,
) -> None:
    script = """
import time
from project import nap
nap.delay_many([(0,)] * 10)[-1].get(timeout=20)
began = time.monotonic()
for result in nap.delay_many([(1,)] * 1000):
    result.get(timeout=20)
print(time.monotonic() - began)
"""
    with project.worker("-P", "asyncio", "-c", "500", "--processes", "2"):
        assert float(project.python(script)) < 3.0


def test_the_banner_and_the_status_say_how_many_slots_there_are(project: Project) -> None:
    with project.worker("-P", "asyncio", "-c", "5", "--processes", "3") as worker:
        worker.wait_for_line(r"concurrency: 3 x 5 \(asyncio\)")
        (found,) = json.loads(project.liteq("status", "-A", "project", "--json"))["workers"]
        assert (found["pool"], found["concurrency"]) == ("asyncio", 15)


def test_each_coroutine_and_what_it_starts_sees_its_own_request(project: Project) -> None:
    script = """
from project import who
results = who.delay_many([(n,) for n in range(60)])
for n, result in enumerate(results):
    id, found = result.get(timeout=20)
    assert id == result.id
    assert found == [str((id, (n,)))], found
print("right")
"""
    with asyncio_worker(project, "--processes", "2"):
        assert project.python(script) == "right\n"


def test_a_task_that_is_no_coroutine_runs_in_a_thread(project: Project) -> None:
    script = """
from project import pid_in_thread, wait
blocked = wait.delay("go")
pid, in_main_thread = pid_in_thread.delay().get(timeout=20)
assert not in_main_thread
open("go", "w").close()
assert blocked.get(timeout=20) == pid
print("right")
"""
    with asyncio_worker(project):
        assert project.python(script) == "right\n"


def test_limits_and_revokes_end_one_coroutine_and_its_neighbours_go_on(project: Project) -> None:
    script = """
from project import limited, soft, spin, wait
from liteq.exceptions import TaskRevokedError, TimeLimitExceeded
import time

def error_of(result):
    try:
        result.get(timeout=20)
    except Exception as exc:
        return type(exc).__name__, str(exc)

neighbour = wait.delay("go")
revoked = wait.delay("never", "revoked")
while not __import__("os").path.exists("revoked"):
    time.sleep(0.01)
revoked.revoke(terminate=True)
print(error_of(revoked)[0])
print(*error_of(limited.delay("never")))
print(*error_of(spin.delay()))
print(soft.delay().get(timeout=20))
open("go", "w").close()
print(neighbour.get(timeout=20))
"""
    with asyncio_worker(project) as worker:
        revoked, limited, spun, soft, pid = project.python(script).splitlines()
    (begun, _) = lines(project, "waits")

    assert revoked == "TaskRevokedError"
    assert limited == "TimeLimitExceeded it ran longer than its time limit of 0.3 s"
    assert spun == limited
    assert soft == "SoftTimeLimitExceeded"
    assert begun == f"{pid} begin"  # in the same process, all the time
    assert lines(project, "limited") == [f"{pid} begin", f"{pid} cancelled"]
    assert lines(project, "revoked") == [f"{pid} begin", f"{pid} cancelled"]
    assert "lost its process" not in worker.output


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("block.delay(1.6)", ["in block", "in deep"]),
        ("block_in_part.delay(1.6)", ["in part", "in deep"]),
    ],
)
def test_a_task_that_blocks_the_loop_is_named_in_the_log_with_its_stack(
    project: Project, call: str, shown: list[str]
) -> None:
    with asyncio_worker(project) as worker:
        id = project.python(f"from project import *; print({call}.id)").strip()
        worker.wait_for_line(rf"task project\.\w+\[{id}\] has blocked the event loop")
        worker.wait_for_line(r"succeeded in [123]")

    trace = worker.output.partition("has blocked the event loop")[2]
    where = [trace.index(each) for each in shown]
    assert where == sorted(where)
    assert "time.sleep(seconds)" in trace
    assert worker.output.count("has blocked") == 1
    assert "asyncio/base_events.py" not in trace
    assert "liteq/support" not in trace


def test_a_task_that_waits_long_does_not_block_the_loop(project: Project) -> None:
    with asyncio_worker(project) as worker:
        project.python("from project import nap; nap.delay(1.6).get(timeout=20)")
    assert "has blocked" not in worker.output


def test_all_that_a_process_had_begun_is_charged_once_and_what_runs_at_most_once_ends(
    project: Project,
) -> None:
    with asyncio_worker(project) as worker:
        project.python(
            "from project import once, wait\nonce.delay('go')\nwait.delay_many([('go',)] * 5)\n"
        )
        wait_for_lines(project, "waits", 5)
        wait_for_lines(project, "once", 1)
        os.kill(int(lines(project, "once")[0].split()[0]), KILL)
        wait_for_lines(project, "waits", 10)
        (project.folder / "go").touch()
        wait_for_lines(project, "waits", 15)
        worker.wait_for_line(r"once\[.*may not run again")
        wait_for(lambda: " 3 " not in project.python(LOST), "the end of all")

    assert len(lines(project, "once")) == 1
    assert project.python(LOST).splitlines() == ["project.once 5 1", *["project.wait 4 1"] * 5]


def test_before_its_last_loss_each_task_that_shared_a_death_runs_alone(project: Project) -> None:
    source = (project.folder / "project.py").read_text()
    project.write("project.py", source.replace('project.db")', 'project.db", task_max_lost=2)'))
    with asyncio_worker(project) as worker:
        project.python("from project import *; wait.delay_many([('go',)] * 3)")
        wait_for_lines(project, "waits", 3)
        project.python("from project import *; poison.delay()")
        (project.folder / "go").touch()
        worker.wait_for_line(r"poison\[.*it has lost 2 of 2 processes, so it is set aside")
        wait_for_lines(project, "waits", 9)
        wait_for(lambda: " 3 " not in project.python(LOST), "the end of all")

    after = [line.split()[1] for line in lines(project, "waits")[3:]]
    assert after == ["begin", "end"] * 3  # none beside another one
    assert len({line.split()[0] for line in lines(project, "waits")[3:]}) == 3
    assert project.python(LOST).splitlines() == [*["project.wait 4 1"] * 3, "project.poison 6 2"]


def test_new_code_is_loaded_while_a_long_task_stays_in_the_old_process(project: Project) -> None:
    with asyncio_worker(project) as worker:
        project.python("from project import *; wait.delay('go')")
        wait_for_lines(project, "waits", 1)
        source = (project.folder / "project.py").read_text()
        project.write("project.py", source.replace("return x + y", "return [x, y]"))
        worker.send(signal.SIGHUP)
        worker.wait_for_line("new code loaded")
        script = "from project import *; print(add.delay(1, 2).get(timeout=20))"
        wait_for(lambda: project.python(script) == "[1, 2]\n", "the new code")
        (project.folder / "go").touch()
        wait_for_lines(project, "waits", 2)

    first, last = (line.split()[0] for line in lines(project, "waits"))
    assert first == last


def test_a_stop_waits_for_coroutines_and_cancels_them_when_its_grace_is_over(
    project: Project,
) -> None:
    source = (project.folder / "project.py").read_text()
    project.write("project.py", source + "\napp.conf.shutdown_grace = 0.5\n")
    with asyncio_worker(project) as worker:
        project.python("from project import *; wait.delay('go')")
        wait_for_lines(project, "waits", 1)
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0
    assert [line.split()[1] for line in lines(project, "waits")] == ["begin", "cancelled"]
    assert project.python(LOST) == "project.wait 2 0\n"  # back in its queue, uncharged

    with asyncio_worker(project) as worker:
        wait_for_lines(project, "waits", 3)
        worker.send(signal.SIGTERM)
        worker.wait_for_line("stopping")
        (project.folder / "go").touch()
        assert worker.wait() == 0
    assert [line.split()[1] for line in lines(project, "waits")[2:]] == ["begin", "end"]
    assert project.python(LOST) == "project.wait 4 0\n"


def test_lines_that_coroutines_print_are_whole_and_name_their_task(project: Project) -> None:
    with asyncio_worker(project) as worker:
        ids = project.python(
            "from project import *\nfor each in 'abcd': print(speak.delay(each).id)\n"
        ).split()
        for _ in ids:
            worker.wait_for_line(r"speak\[.*succeeded")
        wait_for(lambda: worker.output.count("succeeded") == 4, "all four")

    for name, id in zip("abcd", ids, strict=True):
        said = re.findall(rf"slot-(\d+)\] project\.speak\[{id}\]: (.*)", worker.output)
        assert [text for _, text in said] == [f"{name} 0", f"{name} 1", f"{name} 2"]
        assert len({slot for slot, _ in said}) == 1


def test_steps_of_many_coroutines_are_kept_side_by_side(project: Project) -> None:
    script = """
from project import stepped
results = stepped.delay_many([(n,) for n in range(0, 100, 10)])
print([each.get(timeout=30) for each in results])
"""
    with asyncio_worker(project):
        assert json.loads(project.python(script)) == [n + 2 for n in range(0, 100, 10)]
    charged = sorted(int(line.split()[1]) for line in lines(project, "charges"))
    assert charged == sorted([*range(0, 100, 10), *range(1, 101, 10)])


def test_orders_change_its_slots_and_limits(project: Project) -> None:
    with asyncio_worker(project, "-c", "2", "--processes", "2"):
        project.python("from project import *; wait.delay_many([('go',)] * 9)")
        wait_for_lines(project, "waits", 4)
        project.liteq("control", "-A", "project", "pool_grow", "3")
        wait_for_lines(project, "waits", 7)
        project.liteq("control", "-A", "project", "pool_shrink", "6")
        project.liteq("control", "-A", "project", "time_limit", "project.nap", "0.2", "30")
        (project.folder / "go").touch()
        wait_for_lines(project, "waits", 18)
        (found,) = json.loads(project.liteq("status", "-A", "project", "--json"))["workers"]
        assert found["concurrency"] == 1
        out = project.python(
            "from project import nap\n"
            "print(type(nap.delay(20).get(timeout=20, propagate=False)).__name__)"
        )
    assert out == "SoftTimeLimitExceeded\n"
    pids = {line.split()[0] for line in lines(project, "waits")}
    assert len(pids) == 2


ODD = """
import subprocess

@app.task
async def program(n):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"print({n})", stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    return int(out)

@app.task(bind=True)
async def leaves_a_task(self):
    async def later():
        await until("go")
        note("left", self.request.id)
    self.left = asyncio.create_task(later())

@app.task
async def cancels_itself():
    asyncio.current_task().cancel()
    await asyncio.sleep(60)

@app.task
async def exits():
    raise SystemExit(3)

@app.task
async def interrupts():
    raise KeyboardInterrupt

@app.task
async def stops_the_loop():
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return "went on"

@app.task
async def forks():
    pid = os.fork()
    if pid:
        await asyncio.to_thread(os.waitpid, pid, 0)
    return "parent" if pid else "child"

@app.task
async def closes():
    for fd in range(3):
        os.close(fd)
"""


def test_what_a_coroutine_does_to_its_loop_and_its_process_harms_no_other(
    project: Project,
) -> None:
    source = (project.folder / "project.py").read_text()
    project.write("project.py", source + ODD)
    script = """
from project import *

def ended(task):
    try:
        return task.delay().get(timeout=20)
    except BaseException as exc:
        return type(exc).__name__

beside = wait.delay("go")
print([each.get(timeout=20) for each in program.delay_many([(n,) for n in range(5)])])
left = leaves_a_task.delay()
for task in (cancels_itself, exits, interrupts, stops_the_loop, forks, closes, leaves_a_task):
    print(ended(task))
print(program.delay(7).get(timeout=20))
open("go", "w").close()
print(beside.get(timeout=20) == int(open("waits").read().split()[0]))
"""
    with asyncio_worker(project) as worker:
        out = project.python(script).splitlines()
        wait_for_lines(project, "left", 2)
    assert out == [
        "[0, 1, 2, 3, 4]",
        "CancelledError",
        "SystemExit",
        "KeyboardInterrupt",
        "went on",
        "parent",
        "None",
        "None",
        "7",
        "True",
    ], worker.output


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_is_left_when_the_worker_is_killed(project: Project) -> None:
    with asyncio_worker(project, "--processes", "2") as worker:
        project.python("from project import *; wait.delay_many([('never',)] * 4)")
        wait_for_lines(project, "waits", 4)
        children = children_of(worker.pid)
        worker.kill()
        wait_for(lambda: not any(map(is_there, children)), "the end of all processes")


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_it_works_with_uvloop(project: Project) -> None:
    pytest.importorskip("uvloop")
    source = (project.folder / "project.py").read_text()
    project.write("project.py", "import uvloop\nuvloop.install()\n" + source)
    with asyncio_worker(project) as worker:
        out = project.python(
            "from project import *\n"
            "print(add.delay(1, 2).get(timeout=20), soft.delay().get(timeout=20))\n"
            "block.delay(1.6).get(timeout=20)\n"
        )
        worker.wait_for_line("has blocked the event loop")
    assert out == "3 SoftTimeLimitExceeded\n"


def refusal(project: Project, *options: str) -> Program:
    with project.program("-m", "liteq", "worker", "-A", "project", *options) as program:
        assert program.wait() == 78
    return program


def test_processes_are_refused_where_they_mean_nothing(project: Project) -> None:
    refused = refusal(project, "-P", "threads", "--processes", "2")
    assert "`processes` is for the pool 'asyncio', and the pool is 'threads'" in refused.output
