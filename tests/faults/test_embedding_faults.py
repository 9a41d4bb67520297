"""Odd places to send a task from: the end of the interpreter, folders and flags of all kinds."""

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.project import ROOT, Project

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder nobody can write to")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def stored(path: Path) -> int:
    """How many tasks are in the store, which is whole."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        ((tasks,),) = db.execute("select count(*) from liteq_task").fetchall()
    return int(tasks)


def ends_quietly(project: Project, *argv: str) -> None:
    """It ends by itself, with nothing said on the way."""
    began = time.monotonic()
    assert project.run(*argv) == ""
    assert time.monotonic() - began < 20, "generous: a hang would be for ever"


AT_THE_END = {
    "atexit, registered before liteq": """
import atexit
@atexit.register
def last():
    from project import add
    add.delay(1, 2)
""",
    "atexit, registered after": """
import atexit
from project import add
add.delay(0, 0)
atexit.register(add.delay, 1, 2)
""",
    "__del__ of what lives to the very end": """
from project import add
add.delay(0, 0)
class Last:
    def __del__(self, delay=add.delay):
        delay(1, 2)
last = Last()
""",
    "a thread that outlives the main one": """
import threading
from project import add
main = threading.main_thread()
threading.Thread(target=lambda: (main.join(), add.delay(1, 2))).start()
""",
}


@pytest.mark.parametrize("source", AT_THE_END.values(), ids=AT_THE_END)
def test_what_is_sent_at_the_end_of_the_interpreter_is_stored(
    project: Project, source: str
) -> None:
    ends_quietly(project, "-c", source)

    assert stored(project.folder / "project.db") == 1 + ("add.delay(0, 0)" in source)


@pytest.mark.parametrize("main", ["pass", "add.delay(3, 4)"], ids=["idle", "sending"])
def test_daemon_threads_that_send_to_the_last_moment_do_no_harm(
    project: Project, main: str
) -> None:
    """They are stopped in the midst of whatever they do, with locks in their hands."""
    source = f"""
import threading
from project import add
sent = []
def send():
    while True:
        sent.append(add.delay(1, 2))
for _ in range(4):
    threading.Thread(target=send, daemon=True).start()
while len(sent) < 20:
    {main}
"""
    for _ in range(3):
        ends_quietly(project, "-c", source)

    assert stored(project.folder / "project.db") >= 60
    assert project.python("from project import add; print(add.delay(1, 2).state)") == "PENDING\n"


def test_a_daemon_thread_that_waits_for_a_result_does_not_keep_the_program(
    project: Project,
) -> None:
    ends_quietly(
        project,
        "-c",
        "import threading\nfrom project import app, add\n"
        "result = add.delay(1, 2)\n"
        "waits = threading.Event()\n"
        "get = lambda: result.get(on_interval=waits.set)\n"
        "threading.Thread(target=get, daemon=True).start()\n"
        "assert waits.wait(20)\n",
    )


SEND = "from project import add; print(add.delay(1, 2).state)"


@pytest.mark.parametrize("flags", [("-O",), ("-OO",), ("-B", "-S"), ("-X", "dev")], ids=" ".join)
def test_the_interpreter_may_have_flags(project: Project, flags: tuple[str, ...]) -> None:
    assert project.run(*flags, "-c", SEND) == "PENDING\n"


def test_an_isolated_interpreter_will_do(project: Project) -> None:
    paths = f"import sys; sys.path[:0] = {[str(ROOT), str(project.folder)]!r}; "

    assert project.run("-I", "-c", paths + SEND) == "PENDING\n"


def test_at_a_prompt_tasks_can_be_sent(project: Project) -> None:
    project.write("typed.py", "from project import add\nadd.delay(1, 2).state\n")
    out = project.python(
        "import subprocess, sys\n"
        "with open('typed.py') as typed:\n"
        "    subprocess.run([sys.executable, '-i'], stdin=typed, check=True)"
    )

    assert ">>> 'PENDING'" in out
    assert "Traceback" not in out


DEFAULT = "from liteq import LiteQ; print(LiteQ('mine').send_task('x').app.broker.url)"


@pytest.mark.skipif(sys.platform != "linux", reason="the state folder is named by XDG there")
class TestWithoutAHome:
    def test_the_state_folder_may_be_named(self, project: Project) -> None:
        project.env.pop("HOME", None)
        project.env["XDG_STATE_HOME"] = str(project.folder / "state")

        assert "/state/liteq/mine.db" in project.python(DEFAULT)

    def test_one_that_is_not_there_is_named_in_the_error_with_the_cure(
        self, project: Project
    ) -> None:
        project.env.pop("XDG_STATE_HOME", None)
        project.env["HOME"] = "/proc/nobody"
        out = project.python(DEFAULT, code=1)

        assert "cannot create /proc/nobody/" in out.splitlines()[-1]
        assert "choose another file with broker= or LITEQ_BROKER_URL" in out.splitlines()[-1]

    def test_the_working_folder_need_not_be_writable(self, project: Project) -> None:
        project.env["XDG_STATE_HOME"] = str(project.folder / "state")

        assert "/state/liteq/mine.db" in project.python(f"import os; os.chdir('/proc'); {DEFAULT}")


@pytest.mark.skipif(sys.platform == "win32", reason="no file has such a name there")
@pytest.mark.parametrize("name", ["a b.db", "w\u00f6rter.db", "what?.db", "no#1.db", "100%20.db"])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_may_have_any_name(project: Project, name: str, absolute: bool) -> None:
    folder = project.folder / "in a # folder"
    folder.mkdir()
    path = quote(f"{folder}/{name}" if absolute else f"{folder.name}/{name}")
    project.python(f"from liteq import LiteQ; LiteQ('x', broker='sqlite:///{path}').send_task('x')")

    assert stored(folder / name) == 1
    assert {each.name.removeprefix(name) for each in folder.iterdir()} <= {
        "", "-wal", "-shm", "-gate",
    }  # fmt: skip


def test_two_applications_share_a_file_by_queues_of_their_own(project: Project) -> None:
    project.write(
        "both.py",
        """
from liteq import LiteQ

url = "sqlite:///both.db"
one, two = LiteQ("one", broker=url), LiteQ("two", broker=url)
one.conf.task_default_queue, two.conf.task_default_queue = "one", "two"
hello = one.task(name="hello")(lambda: "of one")
other = two.task(name="hello")(lambda: "of two")

if __name__ == "__main__":
    with one.Worker(concurrency=1), two.Worker(concurrency=1):
        sent = [task.delay() for task in (hello, other) * 20]
        print(sorted({result.get(timeout=20) for result in sent}))
""",
    )

    assert project.run("both.py") == "['of one', 'of two']\n"


# waits that would keep the program from ending

GIVES_UP = """
import asyncio
from project import app, nap

async def give_up():
    try:
        await asyncio.wait_for(asyncio.to_thread(nap.delay(60).get), 0.3)
    except TimeoutError:
        print("gave up", flush=True)

async def main():
    worker = await asyncio.to_thread(app.Worker(pool={pool!r}, concurrency=2).start)
    await asyncio.gather(*(give_up() for _ in range({waits})))
    worker.stop(timeout=0)

asyncio.run(main())
print("ended")
"""


@pytest.mark.parametrize(
    ("pool", "waits"), [("processes", 1), ("threads", 40), ("asyncio", 1), ("solo", 1)]
)
def test_a_wait_that_was_cancelled_does_not_keep_the_program_from_ending(
    project: Project, pool: str, waits: int
) -> None:
    """Nor do as many waits as the executor has threads."""
    out = project.python(GIVES_UP.format(pool=pool, waits=waits))

    assert out == "gave up\n" * waits + "ended\n"


def test_a_wait_ends_when_the_embedded_worker_has_ended_by_an_error(project: Project) -> None:
    source = """
from project import app, add
class Broken:
    def __getattr__(self, name): raise RuntimeError("broken")
worker = app.Worker(pool="threads", concurrency=1).start()
result = add.apply_async((1, 2), countdown=600)
worker._supervisor._batching = Broken()
add.delay(1, 2)
try:
    result.get()
except Exception as error:
    print(type(error).__name__, error)
"""
    out = project.python(source)

    assert "TimeoutError" in out
    assert "no worker is up: that of this program has ended: broken" in out
    assert "RuntimeError: broken" in out, "the traceback of what nobody expected"


def test_a_wait_ends_when_a_worker_in_a_thread_of_the_program_was_stopped(project: Project) -> None:
    source = """
import threading
from liteq.signals import worker_ready
from project import app, add
ready = threading.Event()
worker_ready.connect(lambda **_: ready.set(), weak=False)
worker = app.Worker(pool="threads", concurrency=1)
thread = threading.Thread(target=worker.run)
thread.start()
ready.wait()
worker.stop()
try:
    add.apply_async((1, 2), countdown=600).get()
except Exception as error:
    print(type(error).__name__, error)
"""
    out = project.python(source)

    assert "TimeoutError" in out
    assert "no worker is up: that of this program was stopped" in out


def test_a_wait_goes_on_while_another_worker_is_up(project: Project) -> None:
    source = """
from project import app, add
app.Worker(pool="threads", concurrency=1).start().stop()
print(add.apply_async((1, 2), countdown=2).get())
"""
    with project.worker():
        assert project.python(source) == "3\n"


def test_a_wait_goes_on_when_the_program_starts_its_worker_again(project: Project) -> None:
    source = """
import threading
from project import app, add
worker = app.Worker(pool="threads", concurrency=1).start()
result = add.apply_async((1, 2), countdown=2)
waiter = threading.Thread(target=lambda: print(result.get()))
waiter.start()
worker.stop()
with worker:
    waiter.join()
"""
    assert project.python(source) == "3\n"


def test_a_worker_can_be_asked_how_it_is(project: Project) -> None:
    source = """
from project import app
worker = app.Worker(pool="threads", concurrency=2, hostname="w@h")
print(worker.is_alive(), worker)
with worker:
    print(worker.is_alive(), worker.name, worker)
print(worker.is_alive(), worker.error, worker)
"""
    assert project.python(source).splitlines() == [
        "False <Worker w@h: not started, threads (2), queues celery>",
        "True w@h <Worker w@h: running, threads (2), queues celery>",
        "False None <Worker w@h: stopped, threads (2), queues celery>",
    ]


def test_a_worker_that_ended_by_an_error_tells_by_which(project: Project) -> None:
    source = """
import logging
from project import app, add
class Broken:
    def __getattr__(self, name): raise RuntimeError("broken")
logging.disable()
worker = app.Worker(pool="threads", concurrency=1, hostname="w@h").start()
worker._supervisor._batching = Broken()
add.delay(1, 2)
worker._thread.join()
print(worker.is_alive(), repr(worker.error), worker)
with worker:
    print(worker.is_alive(), worker.error)
"""
    ended, again = project.python(source).splitlines()
    assert ended.startswith("False RuntimeError('broken') <Worker w@h: ended by RuntimeError, ")
    assert again == "True None"
