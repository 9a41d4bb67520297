"""Arguments, results, exceptions and names of the worst kind: faults.md's B5, by a real worker.

Whatever a task is given, returns or raises, one outcome is stored, `get()` answers at once, and
the same worker goes on.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.project import Program, Project

SOURCE = r"""
import threading, time
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db?durability=fast")


class Picky(Exception):
    def __init__(self, text, *, code):
        super().__init__(text)
        self.code = code


class Sticky(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class Explosive(Exception):
    def __reduce__(self):
        raise RuntimeError("boom")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")
    __repr__ = __str__


class Loud:
    def __repr__(self):
        raise RuntimeError("no repr")


def cyclic():
    one, two = ValueError("one"), KeyError("two")
    one.__cause__, two.__cause__ = two, one
    return one


RAISED = {
    "picky": lambda: Picky("no", code=7),
    "sticky": lambda: Sticky("stuck"),
    "explosive": lambda: Explosive("reduce"),
    "mute": lambda: Mute(),
    "cyclic": cyclic,
    "group": lambda: ExceptionGroup("many", [ValueError(1), KeyError(2)]),
    "surrogate": lambda: ValueError("\udcff\x00"),
    "huge": lambda: ValueError("x" * 5_000_000),
    "recursion": lambda: deep(),
    "exit": lambda: SystemExit(0),
    "interrupt": lambda: KeyboardInterrupt(),
    "generator": lambda: GeneratorExit(),
    "base": lambda: BaseException("base"),
    "forged": lambda: ValueError("fine\n[2026-01-01: CRITICAL] forged \x1b[31m\u202e"),
}


def deep():
    return deep()


@app.task
def fail(name):
    raise RAISED[name]()


RETURNED = {
    "lock": threading.Lock,
    "generator": lambda: (n for n in range(3)),
    "lambda": lambda: lambda: None,
    "nested": lambda: nest(100_000),
    "loud": Loud,
}


def nest(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@app.task
def give(name):
    return RETURNED[name]()


@app.task
def add(x, y):
    return x + y


@app.task
def take(value):
    return type(value).__name__
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("payloads"), SOURCE)


@pytest.fixture(scope="module")
def worker(project: Project) -> Iterator[Program]:
    """One worker for all of them: it must survive each."""
    with project.worker("-c", "1") as worker:
        yield worker


ASK = """
import json
from project import *
result = {call}
try:
    got = ["value", repr(result.get(timeout=20))[:200]]
except BaseException as exc:
    try:
        got = [type(exc).__name__, str(exc)[:200]]
    except Exception as words:
        got = [type(exc).__name__, "unspeakable"]
print(json.dumps([result.state, *got]))
assert add.delay(2, 3).get(timeout=20) == 5
"""


def ask(project: Project, call: str) -> list[str]:
    answer: list[str] = json.loads(project.python(ASK.format(call=call)))
    return answer


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("picky", {"Picky", "RemoteError", "Exception"}),
        ("sticky", {"Sticky"}),
        ("explosive", {"Explosive"}),
        ("mute", {"Mute", "RemoteError"}),
        ("cyclic", {"ValueError"}),
        ("group", {"ExceptionGroup"}),
        ("surrogate", {"ValueError"}),
        ("huge", {"ValueError", "RemoteError"}),
        ("recursion", {"RecursionError"}),
        ("exit", {"SystemExit", "RemoteError"}),
        ("interrupt", {"KeyboardInterrupt", "RemoteError"}),
        ("generator", {"GeneratorExit", "RemoteError"}),
        ("base", {"BaseException", "RemoteError"}),
    ],
)
@pytest.mark.usefixtures("worker")
def test_whatever_a_task_raises_is_its_failure(
    project: Project, name: str, kinds: set[str]
) -> None:
    state, kind, _ = ask(project, f"fail.delay({name!r})")

    assert state == "FAILURE"
    assert kind in kinds


@pytest.mark.parametrize("name", ["lock", "generator", "lambda", "nested"])
@pytest.mark.usefixtures("worker")
def test_a_result_that_cannot_be_stored_fails_its_task_at_once(project: Project, name: str) -> None:
    state, kind, text = ask(project, f"give.delay({name!r})")

    assert (state, kind) == ("FAILURE", "ResultNotSerializable")
    assert "project.give returned a" in text


@pytest.mark.usefixtures("worker")
def test_a_result_without_a_repr_is_a_result(project: Project) -> None:
    answer = project.python(
        "from project import *; print(type(give.delay('loud').get(timeout=20)).__name__)"
    )

    assert answer == "Loud\n"


def test_no_error_forges_a_line_of_the_log(project: Project, worker: Program) -> None:
    ask(project, "fail.delay('forged')")
    told = worker.wait_for_line("fine.*forged")

    assert "\\n[2026-01-01" in told
    for line in worker.lines:
        assert not line.startswith("[2026-01-01")
        assert "\x1b" not in line
        assert "\u202e" not in line


@pytest.mark.parametrize(
    ("payload", "serializer"),
    [
        (b"garbage", "pickle"),
        (b"\x80\x05.", "pickle"),
        (b"[[1,2],{}]" * 2, "json"),
        (b"[" * 100_000, "json"),
        (b'[[1,2],{"x":1}]', "json"),
        (b"[[1,2],{}]", "of another program"),
        (b"5", "json"),
    ],
)
@pytest.mark.usefixtures("worker")
def test_a_payload_that_is_none_fails_that_task_only(
    project: Project, payload: bytes, serializer: str
) -> None:
    with closing(sqlite3.connect(project.folder / "project.db", isolation_level=None)) as db:
        values = ("project.add", payload, serializer)
        db.execute("insert into liteq_task (task, payload, serializer) values (?, ?, ?)", values)
        ((id,),) = db.execute("select id from liteq_task order by seq desc limit 1").fetchall()

    state, kind, _ = ask(project, f"app.AsyncResult({id!r})")
    assert (state, kind) != ("PENDING", "TimeoutError")
    assert state == "FAILURE"


@pytest.mark.parametrize(
    "call",
    [
        "add.delay(threading.Lock(), 1)",
        "add.delay((n for n in range(3)), 1)",
        "add.apply_async((1, 2), task_id='a\\nb')",
        "add.apply_async((1, 2), queue='\\x1b[31m')",
        "add.apply_async((1, 2), queue='x' * 256)",
        "add.delay(nest(100_000), 1)",
        "add.delay(1)",
        "add.apply_async((1, 2), countdwn=3)",
    ],
)
def test_what_cannot_be_sent_raises_here_and_sends_nothing(project: Project, call: str) -> None:
    out = project.python(
        f"""
from project import *
before = sum(each.tasks for each in app.broker.counts())
try:
    {call}
except (TypeError, ValueError, Exception) as exc:
    print(type(exc).__name__, exc)
else:
    raise AssertionError("it was sent")
assert sum(each.tasks for each in app.broker.counts()) == before
"""
    )

    assert len(out.splitlines()) == 1
    if "Lock" in call:
        assert "args[0]" in out


@pytest.mark.usefixtures("worker")
def test_one_id_sent_by_many_threads_is_one_task(project: Project) -> None:
    out = project.python(
        """
import threading
from project import *
gate = threading.Barrier(50)
def send():
    gate.wait()
    add.apply_async((20, 22), task_id="the one")
threads = [threading.Thread(target=send) for _ in range(50)]
[each.start() for each in threads]
[each.join() for each in threads]
print(app.AsyncResult("the one").get(timeout=20), len(app.AsyncResult("the one").attempts()))
"""
    )

    assert out == "42 1\n"


def test_a_pickle_is_not_loaded_where_only_json_is_accepted(tmp_path: Path) -> None:
    """An audit hook would see what it does; and it would leave a file."""
    source = SOURCE.replace(
        'app = LiteQ("project", broker="sqlite:///project.db?durability=fast")',
        """import sys
def hook(event, args):
    if event in ("pickle.find_class", "os.system"):
        open("seen", "a").write(event)
sys.addaudithook(hook)
app = LiteQ("project", broker="sqlite:///project.db?durability=fast", accept_content=["json"],
    task_serializer="json", result_serializer="json")""",
    )
    project = Project(tmp_path, source)
    evil = b"cos\nsystem\n(S'touch pwned'\ntR."
    with project.worker("-c", "1"):
        assert ask(project, "add.delay(1, 1)")[0] == "SUCCESS"
        with closing(sqlite3.connect(tmp_path / "project.db", isolation_level=None)) as db:
            values = ("evil", "project.add", evil, "pickle")
            db.execute(
                "insert into liteq_task (id, task, payload, serializer) values (?,?,?,?)", values
            )
        state, _, text = ask(project, "app.AsyncResult('evil')")

    assert state == "FAILURE"
    assert "accept_content" in text
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "seen").exists()


def test_passwords_are_shown_nowhere(tmp_path: Path) -> None:
    url = "redis://user:hush@127.0.0.1:1/0"
    project = Project(
        tmp_path, f"from liteq import LiteQ\napp = LiteQ('project', broker={url!r})\n"
    )

    with project.program("-m", "liteq", "worker", "-A", "project") as worker:
        worker.wait_for_line("127.0.0.1")  # it waits for the server
        said = [worker.output]
    said += [
        project.python("from project import *; print(app, app.conf.table())", code=None),
        project.liteq("status", "-A", "project", code=None),
        project.liteq("inspect", "report", "-A", "project", code=None),
        project.python("from project import *; app.send_task('x', retry=False)", code=None),
    ]
    assert "hush" not in "".join(said)


def test_the_worker_has_survived_it_all(worker: Program) -> None:
    assert worker.process.poll() is None
    assert worker.output.count("ready.") == 1
