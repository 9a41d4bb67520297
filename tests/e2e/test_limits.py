"""Limits, with real workers, on SQLite and on Redis, and with the command line."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import Project
from tests.servers import needs_redis

FILE = "sqlite:///project.db"
TASKS = '''
import time
from liteq import LiteQ, Limit, chain, group

app = LiteQ("project", broker="sqlite:///project.db")

@app.task(limits=[Limit("acct:{account}", running=1)])
def pay(account, amount=0):
    """Append when it began and ended."""
    begin = time.monotonic()
    time.sleep(0.05)
    with open("log", "a") as log:
        log.write(f"{begin} {time.monotonic()} {account}\\n")
    return amount

@app.task(limits=[Limit("api", rate="20/s", burst=1)])
def ask(n):
    return time.monotonic()

@app.task(rate_limit="1000/s")
def quick(n):
    return n

@app.task(bind=True, limits=[Limit("busy", running=1)])
def patient(self):
    self.sleep("a while", seconds=0.5)
    return "rested"

@app.task
def amount(n):
    return n
'''
AT_ONCE = """
runs = sorted(tuple(map(float, line.split()[:2])) for line in open("log"))
assert all(begin >= end for (_, end), (begin, _) in zip(runs, runs[1:])), runs
print(len(runs))
"""


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    url = FILE if request.param == "sqlite" else request.getfixturevalue("redis_store")
    return Project(tmp_path, TASKS.replace(FILE, url))


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def test_no_two_tasks_of_a_key_run_at_once_in_two_workers(project: Project) -> None:
    with project.worker("-n", "one"), project.worker("-n", "two"):
        out = project.python(
            "from project import *\n"
            "results = [pay.delay(7, n) for n in range(10)]\n"
            "print(sum(each.get(timeout=25) for each in results))"
        )
    assert out.strip() == "45"
    assert project.python(AT_ONCE).strip() == "10"


def test_whoever_sends_a_task_it_waits_for_the_limits_of_its_code(project: Project) -> None:
    """By name, in a chain whose key is the result of a task, in a group, by a schedule."""
    with project.worker():
        out = project.python(
            "from project import *\n"
            "other = LiteQ('other', broker=app.conf.broker_url)  # knows no code of it\n"
            "results = [other.send_task('project.pay', (7, n)) for n in range(3)]\n"
            "results.append(chain(amount.s(7), pay.s(3)).delay())\n"
            "results += group(pay.s(account=7, amount=n) for n in range(4, 7)).delay().results\n"
            "results += pay.delay_many([(7, 7), (7, 8)])\n"
            "print(sorted(each.get(timeout=25) for each in results))\n"
            "print(other.send_task('project.pay', ([7],)).get(timeout=25, propagate=False))"
        )
    values, error = out.splitlines()
    assert values == str(list(range(9)))
    assert "{account} in the key 'acct:{account}' is a list" in error
    assert project.python(AT_ONCE).strip() == "9"


def test_tasks_start_no_faster_than_a_rate(project: Project) -> None:
    with project.worker():
        out = project.python(
            "from project import *\n"
            "results = ask.delay_many((n,) for n in range(10))\n"
            "starts = sorted(each.get(timeout=25) for each in results)\n"
            "print(starts[-1] - starts[0])\n"
            "print(sum(each.get(timeout=25) for each in quick.delay_many((1,) for n in range(50))))"
        )
    seconds, count = out.split()
    assert float(seconds) > 9 * 0.05 - 0.3  # but for how late the first one begins
    assert count == "50"


def test_a_task_that_sleeps_lets_another_one_run(project: Project) -> None:
    with project.worker("-c", "1"):
        since = time.monotonic()
        out = project.python(
            "from project import *\n"
            "print([each.get(timeout=25) for each in [patient.delay() for _ in range(8)]])"
        )
    assert out.strip() == str(["rested"] * 8)
    assert time.monotonic() - since < 8 * 0.5 + 20  # all sleep at once


def test_a_limit_is_shown_set_held_and_reset_from_a_shell(project: Project) -> None:
    project.python("from project import *; [pay.delay(7) for _ in range(3)]; ask.delay(1)")

    def limits(*words: str, code: int | None = 0) -> str:
        return project.liteq("limits", "-A", "project", *words, code=code)

    def listed() -> dict[str, Any]:
        return {each["key"]: each for each in json.loads(limits("--json"))["limits"]}

    assert "acct:7" in limits()
    first = listed()
    assert (first["acct:7"]["passed"], first["acct:7"]["waiting"]) == (1, 2)
    assert first["api"]["rate"] == 20.0
    assert "acct:{account} is set" in limits("set", "acct:{account}", "--running", "2")
    assert listed()["acct:7"]["passed"] == 2
    limits("hold", "acct:7", "--for", "60")
    held = listed()["acct:7"]
    assert (held["passed"], held["waiting"], held["held"] is None) == (0, 3, False)
    limits("release", "acct:7")
    limits("reset", "acct:{account}")
    assert listed()["acct:7"]["passed"] == 1
    for wrong in (
        ("set", "api"),
        ("set", "api", "--rate", "fast"),
        ("hold", "api"),
        ("hold", "acct:{account}", "--for", "5"),
        ("reset",),
        ("lift", "api"),
    ):
        assert "api" in listed()
        assert limits(*wrong, code=None)
    assert listed()["api"]["rate"] == 20.0


def test_why_says_for_which_limit_a_task_waits_and_since_when(project: Project) -> None:
    out = project.python(
        "from project import *\n"
        "first, second = pay.delay(7), pay.delay(7)\n"
        "job = app.jobs.get(second.id)\n"
        "print(second.state, job.state, job.limit)\n"
        "print(app.jobs.why(second.id))\n"
        "app.limits.hold('acct:7', 60)\n"
        "print(app.jobs.why(first.id))"
    )
    states, running, held = out.splitlines()
    assert states == "PENDING waiting acct:7"
    assert "it waits for the limit 'acct:7', since " in running
    assert running.endswith("(1 at once): 1 have passed it, and 1 wait")
    assert "which is held until" in held


def test_a_task_that_is_inserted_by_sql_waits_for_its_limits(on_sqlite: Project) -> None:
    on_sqlite.python("import project; project.app.broker.counts()")
    own = json.dumps({"limits": [{"key": "acct:7", "running": 1}]})
    with closing(sqlite3.connect(on_sqlite.folder / "project.db", isolation_level=None)) as db:
        for options in (None, own, None, own):
            db.execute(
                "insert into liteq_task (task, payload, options) values ('project.pay', ?, ?)",
                ("[[7], {}]", options),
            )
        db.execute(
            "insert into liteq_task (id, task, payload, options) "
            "values ('bad', 'project.pay', ?, ?)",
            ("[[7], {}]", '{"limits": [{"key": ""}]}'),
        )
    with on_sqlite.worker():
        on_sqlite.python(
            "from project import *\n"
            "import time\n"
            "while any(not c.phase.final for c in app.broker.counts()): time.sleep(0.05)\n"
        )
    assert on_sqlite.python(AT_ONCE).strip() == "4"
    out = on_sqlite.python("from project import *; print(app.jobs.get('bad').error)")
    assert "the key of one of its limits" in out


def test_what_is_sent_in_a_transaction_waits_once_that_is_committed(on_sqlite: Project) -> None:
    out = on_sqlite.python(
        "import sqlite3\n"
        "from project import *\n"
        "app.broker.counts()\n"
        "db = sqlite3.connect('project.db')\n"
        "with app.transaction(db):\n"
        "    results = [pay.delay(7) for _ in range(3)]\n"
        "try:\n"
        "    with app.transaction(db):\n"
        "        pay.delay(7)\n"
        "        raise RuntimeError\n"
        "except RuntimeError: pass\n"
        "print([app.jobs.get(each.id).state for each in results])\n"
        "limit, = app.limits.list()\n"
        "print(limit.passed, limit.waiting)"
    )
    assert out.splitlines() == ["['ready', 'waiting', 'waiting']", "1 2"]


@needs_redis
def test_tasks_that_wait_for_limits_are_moved_with_what_is_set(
    tmp_path: Path, redis_store: str
) -> None:
    secret = f'secret_key="{"k" * 32}", accept_content=["json", "pickle"]'
    on_sqlite = Project(tmp_path, TASKS.replace(f'"{FILE}"', f'"{FILE}", {secret}'))
    on_sqlite.python(
        "from project import *\n"
        "[pay.delay(7) for _ in range(3)]; pay.apply_async((7,), countdown=60)\n"
        "app.limits.set('acct:{account}', running=2); app.limits.hold('api', 60)"
    )
    for source, target in ((FILE, redis_store), (redis_store, FILE)):
        on_sqlite.liteq("move", source, target, "-A", "project")
        out = on_sqlite.python(
            f"from project import *; app.conf.broker_url = {target!r}\n"
            "print([(e.key, e.passed, e.waiting, e.fixed, e.held is None)"
            " for e in app.limits.list()])\n"
            "print(sorted(each.state for each in app.jobs.list()))"
        )
        limits, states = out.splitlines()
        assert limits == str(
            [
                ("acct:7", 2, 1, False, True),
                ("acct:{}", 0, 0, True, True),
                ("api", 0, 0, False, False),
            ]
        )
        assert states == "['ready', 'ready', 'scheduled', 'waiting']"


def test_doctor_finds_tasks_that_nobody_would_let_pass_and_repairs_them(
    on_sqlite: Project,
) -> None:
    on_sqlite.python("from project import *; [pay.delay(n % 4) for n in range(12)]")
    with closing(sqlite3.connect(on_sqlite.folder / "project.db", isolation_level=None)) as db:
        # Of each account one has passed, and two wait.
        db.execute("delete from liteq_limit_use where key = 'acct:0' and state = 0")  # passed
        db.execute("delete from liteq_limit_use where key = 'acct:1' and state = 2")  # wait
        db.execute(
            "update liteq_task set phase = 7 where seq in "
            "(select task from liteq_limit_use where key = 'acct:2' and state = 0)"
        )

    def doctor(*options: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            on_sqlite.liteq("doctor", "-A", "project", "--json", *options, code=code)
        )
        return found

    found = doctor(code=1)
    assert (found["unadmitted"], found["leaked"]) == (1 + 2 + 2, 1)
    assert found["stuck"] == 0
    doctor("--repair", code=0)
    found = doctor()
    assert (found["unadmitted"], found["leaked"]) == (0, 0)
    with on_sqlite.worker():
        on_sqlite.python(
            "from project import *\n"
            "import time\n"
            "while any(not c.phase.final for c in app.broker.counts()): time.sleep(0.05)\n"
        )
