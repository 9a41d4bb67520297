"""A worker inside the user's own program."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .project import KILL, TASKS, Project, alive, children_of, has_lines, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SCRIPT = """
import os, sys, time
from liteq import LiteQ

app = LiteQ("script", broker="sqlite:///script.db")

@app.task
def add(x, y):
    return x + y

@app.task
def where():
    return os.getpid()

"""


HOLD = """
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)

def note(word):
    with open("notes", "a") as file:
        print(word, file=file)

@app.task
def hold(until):
    note("begin")
    wait_for(until)
    note("end")
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    yield Project(tmp_path, TASKS + HOLD)
    (tmp_path / "stop").touch()  # for servers that a test which failed has left


def test_tasks_of_a_guarded_script_are_run_in_child_processes(project: Project) -> None:
    project.write(
        "script.py",
        SCRIPT
        + "if __name__ == '__main__':\n"
        + "    with app.Worker(concurrency=2):\n"
        + "        print(add.delay(2, 3).get(timeout=20), where.delay().get() != os.getpid())\n",
    )

    assert project.run("script.py") == "5 True\n"


def test_tasks_of_a_script_without_a_guard_are_run_too_and_nothing_is_sent_twice(
    project: Project,
) -> None:
    project.write(
        "script.py",
        SCRIPT
        + "with app.Worker(concurrency=2):\n"
        + "    print(add.delay(2, 3).get(timeout=20))\n"
        + "print(sum(count.tasks for count in app.broker.counts()))\n",
    )

    assert project.run("script.py") == "5\n1\n"


def test_what_a_script_without_a_guard_sends_before_is_not_sent_again(project: Project) -> None:
    project.write(
        "script.py",
        SCRIPT
        + "result = add.delay(2, 3)\n"
        + "with app.Worker(concurrency=2):\n"
        + "    print(result.get(timeout=20))\n"
        + "print(sum(count.tasks for count in app.broker.counts()))\n",
    )

    assert project.run("script.py") == "5\n1\n"


def test_a_script_that_is_run_as_a_module(project: Project) -> None:
    project.write("package/__init__.py", "")
    project.write("package/helper.py", "THREE = 3")
    project.write(
        "package/__main__.py",
        "from .helper import THREE\n"
        + SCRIPT
        + "with app.Worker(concurrency=1): print(add.delay(2, THREE).get(timeout=20))\n",
    )

    assert project.run("-m", "package") == "5\n"


def test_at_a_prompt_the_error_names_the_cure(project: Project) -> None:
    out = project.python(
        SCRIPT
        + "try: app.Worker().start()\nexcept Exception as exc: print(type(exc).__name__, exc)"
    )

    assert out.startswith("ImproperlyConfigured")
    assert "pool='threads'" in out


def test_at_a_prompt_threads_work(project: Project) -> None:
    out = project.python(
        SCRIPT + "with app.Worker(pool='threads'): print(add.delay(2, 3).get(timeout=20))"
    )

    assert out == "5\n"


def test_a_worker_can_be_started_from_any_thread_and_takes_no_signals(project: Project) -> None:
    out = project.python(
        "import signal, threading\nfrom project import app, add\n"
        "before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]\n"
        "def work():\n"
        "    with app.Worker(concurrency=1): print(add.delay(2, 3).get(timeout=20))\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "print(before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])"
    )

    assert out == "5\nTrue\n"


def test_a_program_that_does_not_stop_its_worker_ends_cleanly(project: Project) -> None:
    out = project.python(
        "from project import app, add\nworker = app.Worker(concurrency=1).start()\n"
        "print(add.delay(2, 3).get(timeout=20))"
    )

    assert out == "5\n"
    assert "no worker" in project.liteq("status", "-A", "project", code=69).lower()


def test_stop_with_a_timeout_releases_running_tasks(project: Project, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    out = project.python(
        "import os, time\nfrom project import app, mark\n"
        "worker = app.Worker(concurrency=1).start()\n"
        f"mark.delay({str(notes)!r}, 60)\n"
        f"while not os.path.exists({str(notes)!r}): time.sleep(0.01)\n"
        "print(worker.stop(timeout=0.2))\n"
        "print([(c.phase.name, c.tasks) for c in app.broker.counts()])"
    )

    assert out == "False\n[('READY', 1)]\n"


def test_a_failed_start_raises_in_the_caller(project: Project, tmp_path: Path) -> None:
    (tmp_path / "project.db").write_bytes(b"no database" * 100)
    (tmp_path / "project.db").chmod(0o600)
    out = project.python(
        "from project import app\n"
        "try: app.Worker(pool='threads').start()\n"
        "except Exception as exc: print(type(exc).__name__)"
    )

    assert out == "BrokerCorrupt\n"


@linux
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(3)", "raise SystemExit(4)"])
def test_no_process_stays_however_the_host_ends(project: Project, tmp_path: Path, end: str) -> None:
    notes, go = tmp_path / "notes", tmp_path / "go"
    source = (
        "import os, time\nfrom project import app, mark\n"
        "app.Worker(concurrency=2).start()\n"
        f"mark.delay({str(notes)!r}, 60)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"{end}"
    )
    with project.program("-c", source) as program:
        wait_for(has_lines(notes), "the task")
        offspring = children_of(program.pid)
        assert len(offspring) >= 2
        go.touch()
        program.wait()

        wait_for(lambda: not any(map(alive, offspring)), "the end of the children")


# Ways to be a host. Each sends a task for each word of its command line, and works until there
# is a file `stop`.
HOSTS = {
    "a script": """
import sys
from project import *

with app.Worker(concurrency=1):
    for until in sys.argv[1:]:
        hold.delay(until)
    wait_for("stop")
""",
    "a thread": """
import sys, threading
from project import *

worker = app.Worker(concurrency=1)
thread = threading.Thread(target=worker.run)
thread.start()
for until in sys.argv[1:]:
    hold.delay(until)
wait_for("stop")
worker.stop()
thread.join()
""",
    "an asyncio loop": """
import asyncio, sys
from project import *

async def main():
    worker = await asyncio.to_thread(app.Worker(concurrency=1).start)
    for until in sys.argv[1:]:
        await asyncio.to_thread(hold.delay, until)
    await asyncio.to_thread(wait_for, "stop")
    await asyncio.to_thread(worker.stop)

asyncio.run(main())
""",
    "a notebook": """
import code, sys

del sys.modules["__main__"].__file__  # a notebook has none
session = code.InteractiveInterpreter(vars(sys.modules["__main__"]))
for cell in (
    "from project import *",
    "worker = app.Worker(concurrency=1).start()",
    "1 / 0",  # a cell that fails is not the end of the session
    "results = [hold.delay(until) for until in sys.argv[1:]]",
    "wait_for('stop')",
    "worker.stop()",
):
    session.runcode(compile(cell, "<cell>", "exec"))
""",
    "a preloading server": """
import os, sys
from project import *

worker = app.Worker(concurrency=1).start()
for until in sys.argv[1:]:
    hold.delay(until)
for _ in range(2):
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1), os.dup2(null, 2)
        open(f"server-{os.getpid()}", "w").close()
        wait_for("stop")  # whatever becomes of the process that it was forked from
        sys.exit()
wait_for("stop")
worker.stop()
""",
}


@linux
@pytest.mark.parametrize("host", HOSTS)
def test_what_a_killed_host_was_running_goes_on_at_the_next_start(
    project: Project, tmp_path: Path, host: str
) -> None:
    notes = tmp_path / "notes"
    project.write("host.py", HOSTS[host])
    with project.program("host.py", "go") as program:
        wait_for(has_lines(notes), "the task")
        wait_for(lambda: "server" not in host or len(servers(tmp_path)) == 2, "the servers")
        offspring = children_of(program.pid) - servers(tmp_path)
        assert offspring
        program.send(KILL)
        program.wait()
        wait_for(lambda: not any(map(alive, offspring)), "the end of the children")
        assert all(map(alive, servers(tmp_path)))

    tmp_path.joinpath("go").touch()
    with project.program("host.py") as program:
        wait_for(lambda: "end" in notes.read_text(), "the end of the task")
        tmp_path.joinpath("stop").touch()
        assert program.wait() == 0

    assert notes.read_text() == "begin\nbegin\nend\n"
    assert "rescued from a dead worker" in program.output
    counts = project.python("from project import *; print(app.broker.counts())")
    assert "SUCCEEDED" in counts
    assert counts.count("QueueCount") == 1
    wait_for(lambda: not any(map(alive, servers(tmp_path))), "the end of the servers")


def servers(folder: Path) -> set[int]:
    """Return the processes that have announced themselves as servers."""
    return {int(path.name.partition("-")[2]) for path in folder.glob("server-*")}


def test_an_asyncio_loop_goes_on_while_it_awaits_results(project: Project) -> None:
    out = project.python("""
import asyncio
from project import *

async def main():
    with app.Worker(concurrency=1):
        held = asyncio.create_task(asyncio.to_thread(hold.delay("go").get, timeout=25))
        while not os.path.exists("notes"):
            await asyncio.sleep(0.01)
        open("go", "w").close()  # only a loop that goes on comes here
        await held
        sums = [asyncio.to_thread(add.delay(n, n).get, timeout=25) for n in range(50)]
        print(sum(await asyncio.gather(*sums)))

asyncio.run(main())
""")

    assert out == "2450\n"


@linux
def test_servers_that_are_forked_after_the_app_was_used_send_tasks_and_get_results(
    project: Project,
) -> None:
    """They leave the worker of the process that they were forked from alone."""
    project.write(
        "server.py",
        """
import os, sys, warnings
from project import *

warnings.simplefilter("ignore")  # Python's own, of forks in programs with threads
with app.Worker(concurrency=1):
    add.delay(1, 1).get(timeout=25)
    servers = []
    for n in range(3):
        server = os.fork()
        if server == 0:
            assert add.delay(n, n).get(timeout=25) == 2 * n
            sys.exit()
        servers.append(server)
    print([os.waitpid(server, 0)[1] for server in servers], add.delay(2, 3).get(timeout=25))
""",
    )

    assert project.run("server.py") == "[0, 0, 0] 5\n"


VALUES = """
import dataclasses, enum, sys
from liteq import LiteQ

app = LiteQ("script", broker="sqlite:///script.db")

@dataclasses.dataclass
class Order:
    id: int

    class Refused(Exception):
        pass

class Colour(enum.Enum):
    RED = 1

def helper(x):
    return x

@app.task
def values(order):
    return Order(order.id * 2), Colour.RED, helper

@app.task(throws=(Order.Refused,))
def refuse():
    raise Order.Refused(Order(3))

if __name__ == "__main__":
    if sys.argv[1:]:
        print(app.AsyncResult("kept").get(timeout=20)[0])
    else:
        with app.Worker(concurrency=1):
            result = values.apply_async((Order(2),), task_id="kept")
            order, colour, function = result.get(timeout=20)
            print(order == Order(4), colour is Colour.RED, function is helper)
            try:
                refuse.delay().get(timeout=20)
            except Order.Refused as exc:
                print(exc.args[0] == Order(3))
"""


@pytest.mark.parametrize("argv", [("script.py",), ("-m", "script")])
def test_a_script_reads_values_of_its_own_classes_today_and_later(
    project: Project, argv: tuple[str, ...]
) -> None:
    project.write("script.py", VALUES)

    assert project.run(*argv) == "True True True\nTrue\n"
    assert project.run(*argv, "later") == "Order(id=4)\n"


ARGUMENTS = """
import sys
from liteq import LiteQ

app = LiteQ("script", broker="sqlite:///script.db")
shop = sys.argv[1]

@app.task
def arguments():
    return [shop, *sys.argv]

if __name__ == "__main__":
    with app.Worker(concurrency=1):
        print(arguments.delay().get(timeout=60))
"""


@pytest.mark.parametrize("portable", ["0", "1"])
def test_children_have_the_arguments_of_the_program(tmp_path: Path, portable: str) -> None:
    project = Project(tmp_path)
    project.env["LITEQ_PORTABLE"] = portable
    project.write("script.py", ARGUMENTS)

    assert project.run("script.py", "a", "b") == "['a', 'script.py', 'a', 'b']\n"
