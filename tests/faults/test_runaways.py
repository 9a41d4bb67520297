"""Programs whose child processes would start workers, or the whole program, without end."""

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.project import FORK_SERVERS, Project, children_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MAKE = 'from liteq import LiteQ\napp = LiteQ("web", broker="sqlite:///web.db")\n'
TASKS = """
@app.task
def add(x, y):
    return x + y

@app.task
def add_in_helper(x, y, method):
    from multiprocessing import get_context
    from site_ import plus
    with get_context(method).Pool(1) as pool:
        return pool.apply(plus, (x, y))
"""
START = "def plus(x, y):\n    return x + y\nworker = app.Worker(concurrency=2)\nworker.start()\n"

# `site_` is the module that `flask run` or `uvicorn` imports.
PROGRAMS = {
    "one file": {"site_.py": MAKE + TASKS + START},
    "tasks in a file of their own": {
        "tasks.py": MAKE + TASKS,
        "site_.py": "from tasks import app, add, add_in_helper\n" + START,
    },
    "an app from a factory": {
        "factory.py": "def make():\n    " + MAKE.replace("\n", "\n    ") + "return app\n",
        "site_.py": "from factory import make\napp = make()\n" + TASKS + START,
    },
}
VISIT = """
import json, signal, site_
sums = [site_.add.delay(2, n).get(timeout=20) for n in range(3)]
helpers = [site_.add_in_helper.delay(2, 3, how).get(timeout=20) for how in ("spawn", "forkserver")]
print(json.dumps([sums, helpers, [each.name for each in site_.app.broker.workers()]]), flush=True)
signal.pause()
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_module_that_starts_its_worker_when_imported_starts_one(
    tmp_path: Path, program: str
) -> None:
    project = Project(tmp_path)
    for name, source in PROGRAMS[program].items():
        project.write(name, source)

    with project.program("-c", VISIT) as visit:
        sums, helpers, workers = json.loads(visit.wait_for_line(r"^\[\["))
        processes = children_of(visit.pid)

    assert (sums, helpers) == ([2, 3, 4], [5, 5])
    assert len(workers) == 1
    # `multiprocessing` leaves two processes in a child: its own fork server and a tracker.
    assert len(processes) <= FORK_SERVERS + 2 * (1 + 2)
    told = [line for line in visit.lines if "is not started in process" in line]
    assert len(told) <= 2 + 2, "one line a process that imports the module"


@pytest.mark.parametrize("portable", ["", "1"], ids=["forked", "portable"])
def test_a_module_that_waits_for_a_result_when_imported_is_told_so_at_once(
    tmp_path: Path, portable: str
) -> None:
    """The child that imports it would wait for a task that it is to run itself."""
    project = Project(tmp_path)
    first = "first = add.delay(1, 1)\nprint(first.get(disable_sync_subtasks=False))\n"
    project.write("site_.py", MAKE + TASKS + START + first)

    program = f"import os\nos.environ['LITEQ_PORTABLE'] = {portable!r}\nimport site_"
    out = project.python(program, code=1)

    assert "RuntimeError: get() in a module that a child process of a worker imports" in out
    assert "call it in a function" in out
    assert "no worker is up" in out, "the program that waits for it ends"


def test_children_import_the_module_that_made_the_app_and_not_one_that_uses_it(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    project.write("tasks.py", MAKE + TASKS)
    project.write("site_.py", "from tasks import app, add\n" + START)

    out = project.python("import site_; print(site_.add.delay(2, 3).get(timeout=20))")

    assert out == "5\n", "and no line about a worker that is not started in a child"


FROZEN = """
import sys
print("the program starts", flush=True)
{how}
from project import app, add
try:
    app.Worker(concurrency=2).start()
except Exception as error:
    print(type(error).__name__, error)
with app.Worker(pool="threads"):
    print(add.delay(2, 3).get(timeout=20))
"""


@pytest.mark.parametrize(
    "how",
    [
        "sys.frozen = True",
        "sys.executable = '/usr/bin/blender'",
        "sys.executable = ''",
        "sys.executable = None",
        "__compiled__ = True",
    ],
)
def test_a_program_that_is_no_interpreter_refuses_child_processes_and_names_the_cure(
    tmp_path: Path, how: str
) -> None:
    project = Project(tmp_path)
    project.write("frozen.py", FROZEN.format(how=how))

    out = project.run("frozen.py").splitlines()

    assert out[0] == "the program starts"
    assert out[1].startswith("ImproperlyConfigured child processes need a Python interpreter")
    assert "pool='threads'" in out[1]
    assert out[2:] == ["5"]


@pytest.mark.parametrize("name", ["python", "python3.12", "python3.13t", "pypy3.10"])
def test_interpreters_of_all_names_are_used(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path)
    (tmp_path / name).symlink_to(sys.executable)
    project.write(
        "script.py",
        f"import sys\nsys.executable = {str(tmp_path / name)!r}\n"
        "from project import app, add\n"
        "with app.Worker(concurrency=1):\n    print(add.delay(2, 3).get(timeout=20))\n",
    )

    assert project.run("script.py") == "5\n"
