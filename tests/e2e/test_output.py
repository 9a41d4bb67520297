"""What tasks print and log is kept with them, in every pool, and users see it."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.result import LogLine
from tests.e2e.project import Project, wait_for

SOURCE = """
import asyncio, atexit, logging, os, sys, time
from liteq import LiteQ
from liteq.utils.log import get_task_logger

app = LiteQ("project", broker="URL")
logger = get_task_logger(__name__)

@app.task
def talk(name):
    print("hello", name)
    print("careful,", name, file=sys.stderr)
    logger.info("told %s", name)
    logging.getLogger("shop").warning("the shop of %s", name)

@app.task
def hold(path):
    print("begin", flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    print("end", end="")

@app.task
async def ahold(path):
    print("begin")
    while not os.path.exists(path):
        await asyncio.sleep(0.01)
    await asyncio.to_thread(print, "end", end="")

@app.task(bind=True, max_retries=1)
def again(self):
    print("attempt", self.request.retries)
    raise self.retry(countdown=0)

@app.task
def ugly():
    print("\\x1b[31mred\\x07 \\u202e\\0 \\ud800 tab\\tbed")
    sys.stdout.buffer.write(bytes(range(256)))
    sys.stdout.flush()
    atexit.register(print, "an end")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    url = f"sqlite:///{tmp_path}/project.db?durability=fast"
    return Project(tmp_path, SOURCE.replace("URL", url))


@pytest.fixture
def app(project: Project) -> Iterator[LiteQ]:
    app = LiteQ("project", broker=f"sqlite:///{project.folder}/project.db", set_as_current=False)
    yield app
    app.close()


def texts(lines: list[LogLine]) -> list[tuple[str | None, str]]:
    return [(line.level, line.text) for line in lines]


@pytest.mark.parametrize("pool", ["processes", "threads", "solo"])
def test_what_a_task_prints_and_logs_is_kept_and_in_the_log_of_the_worker(
    project: Project, app: LiteQ, pool: str
) -> None:
    with project.worker("-P", pool) as worker:
        results = [app.send_task("project.talk", (name,)) for name in ("ann", "bob")]
        for result in results:
            result.get(timeout=20)

        for name, result in zip(("ann", "bob"), results, strict=True):
            assert texts(result.log()) == [
                (None, f"hello {name}"),
                (None, f"careful, {name}"),
                ("INFO", f"told {name}"),
                ("WARNING", f"the shop of {name}"),
            ]
            for line in ("WARNING", f"hello {name}"), ("INFO", f"told {name}"):
                id = re.escape(f"project.talk[{result.id}]")
                worker.wait_for_line(rf"{line[0]}.* {id}: {line[1]}$")


@pytest.mark.parametrize(
    ("pool", "task"),
    [("processes", "hold"), ("threads", "hold"), ("processes", "ahold"), ("threads", "ahold")],
)
def test_that_of_a_task_that_runs_can_be_followed(
    project: Project, app: LiteQ, pool: str, task: str
) -> None:
    with project.worker("-P", pool):
        result = app.send_task(f"project.{task}", (str(project.folder / "go"),))
        with project.program("-m", "liteq", "logs", "-f", result.id, "-A", "project") as logs:
            logs.wait_for_line(r"printed +begin")
            assert not result.ready()
            (project.folder / "go").touch()
            assert logs.wait() == 0

    assert re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "AT", logs.output) == (
        "attempt 1 (times in UTC)\nAT printed  begin\nAT printed  end\n"
    )


def test_output_is_shown_in_printable_characters(project: Project, app: LiteQ) -> None:
    with project.worker("-f", "log"):  # a pipe that is read as text could not take the bytes
        result = app.send_task("project.ugly")
        result.get(timeout=20)

    text = r"\x1b[31mred\x07 \u202e\x00 \ud800 tab bed"
    shown = project.liteq("logs", result.id, "-A", "project")
    assert shown.splitlines()[1].endswith(f"printed  {text}")
    document: Any = json.loads(project.liteq("logs", result.id, "-A", "project", "--json"))
    (line,) = document["lines"]
    assert line["text"] == "\x1b[31mred\x07 \u202e\0 \\ud800 tab\tbed"
    assert (line["attempt"], line["number"], line["level"]) == (1, 1, None)
    assert not document["more"]


def test_attempts_can_be_told_apart(project: Project, app: LiteQ) -> None:
    with project.worker():
        result = app.send_task("project.again")
        result.get(timeout=20, propagate=False)

    shown = project.liteq("logs", result.id, "-A", "project")
    assert re.findall(r"^attempt \d|attempt \d$", shown, re.MULTILINE) == [
        "attempt 1",
        "attempt 0",
        "attempt 2",
        "attempt 1",
    ]
    shown = project.liteq("logs", result.id, "-A", "project", "--attempt", "2")
    assert "attempt 0" not in shown
    assert "attempt 1" in shown
    shown = project.liteq("logs", result.id, "-A", "project", "--limit", "1")
    assert "there is more: see --limit" in shown
    assert "attempt 0" not in shown


def test_logs_of_an_unknown_task_and_of_a_silent_one_say_so(project: Project, app: LiteQ) -> None:
    result = app.send_task("project.talk", ("ann",))

    assert "knows no task gone" in project.liteq("logs", "gone", "-A", "project", code=1)
    assert "no output" in project.liteq("logs", result.id, "-A", "project")


EMBEDDING = """
import logging, sys
from project import *

if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="seen: %(message)s", stream=sys.stdout)
    with app.Worker(pool=sys.argv[1], concurrency=1):
        print("mine")
        result = talk.delay("ann")
        result.get(timeout=20)
        lines = [(line.level, line.text) for line in result.log()]
    print(lines)
    assert sys.stdout is sys.__stdout__
"""


@pytest.mark.parametrize("pool", ["processes", "threads"])
def test_in_a_program_of_its_own_output_is_kept_and_goes_where_it_went(
    project: Project, pool: str
) -> None:
    project.write("program.py", EMBEDDING)
    output = project.run("program.py", pool)

    for line in ("mine", "hello ann", "careful, ann", "seen: told ann", "seen: the shop of ann"):
        assert f"{line}\n" in output
    assert output.count("hello ann\n") == 1
    assert output.splitlines()[-1] == str(
        [
            (None, "hello ann"),
            (None, "careful, ann"),
            ("INFO", "told ann"),
            ("WARNING", "the shop of ann"),
        ]
    )


# processes that die


def test_a_task_that_is_killed_keeps_what_it_had_printed(project: Project, app: LiteQ) -> None:
    with project.worker("--time-limit", "3"):
        result = app.send_task("project.hold", (str(project.folder / "never"),))
        result.get(timeout=20, propagate=False)

    assert result.failed()
    assert texts(result.log()) == [(None, "begin")]


def test_when_its_worker_is_killed_each_attempt_has_its_own(project: Project, app: LiteQ) -> None:
    result = app.send_task("project.hold", (str(project.folder / "go"),))
    with project.worker():
        wait_for(result.log, "its output")
    (project.folder / "go").touch()
    with project.worker():
        result.get(timeout=20)

    assert [(line.attempt, line.text) for line in result.log()] == [
        (1, "begin"),
        (2, "begin"),
        (2, "end"),
    ]


def test_a_start_that_a_stop_has_interrupted_is_replaced_by_the_next(
    project: Project, app: LiteQ
) -> None:
    result = app.send_task("project.hold", (str(project.folder / "go"),))
    with project.worker() as worker:
        wait_for(result.log, "its output")
        worker.send(signal.SIGQUIT)
        worker.wait()
    assert len(result.log()) == 1
    (project.folder / "go").touch()
    with project.worker():
        result.get(timeout=20)

    assert [(line.attempt, line.text) for line in result.log()] == [(1, "begin"), (1, "end")]


# tasks that print very much

FLOODING = """

@app.task
def flood(path):
    n = 0
    while not os.path.exists(path):
        for _ in range(1000):
            n += 1
            print("line", n)
    return n

@app.task
def big(size):
    print("x" * size)
    print("the end")
"""


@pytest.mark.parametrize("pool", ["processes", "threads"])
def test_a_task_that_floods_its_output_keeps_the_last_lines_and_stops_nobody(
    project: Project, app: LiteQ, pool: str
) -> None:
    project.write("project.py", project.folder.joinpath("project.py").read_text() + FLOODING)
    argv = ["-m", "liteq", "worker", "-A", "project", "-c", "2", "-P", pool, "-f", "log"]
    with project.program(*argv):
        result = app.send_task("project.flood", (str(project.folder / "stop"),))
        wait_for(result.log, "its output")
        for n in range(20):
            app.send_task("project.talk", (n,)).get(timeout=20)
        assert len(result.log()) <= 1000
        (project.folder / "stop").touch()
        last = result.get(timeout=20)

    lines = result.log()
    assert [line.text for line in lines] == [f"line {n}" for n in range(last - 999, last + 1)]
    assert [line.number for line in lines] == list(range(last - 999, last + 1))


def test_a_line_of_a_hundred_megabytes_keeps_its_end(project: Project, app: LiteQ) -> None:
    project.write("project.py", project.folder.joinpath("project.py").read_text() + FLOODING)
    with project.worker("-f", "log"):
        result = app.send_task("project.big", (100_000_000,))
        result.get(timeout=60)

    lines = [line.text for line in result.log()]
    assert lines[-1] == "the end"
    assert 200_000 < sum(map(len, lines)) <= 256 * 1024


# what tasks do besides

MORE = """
import multiprocessing, sqlite3, threading
from liteq.exceptions import SoftTimeLimitExceeded

@app.task(soft_time_limit=0.5)
def hurry(path):
    n = 0
    try:
        while True:
            n += 1
            print(n)
    except SoftTimeLimitExceeded:
        print("stopped")

@app.task(bind=True)
def complete(self):
    print("before")
    connection = sqlite3.connect("project.db")
    with self.commit(connection):
        print("inside")
    connection.close()
    print("behind")

@app.task
def fork():
    print("of the task")
    process = multiprocessing.get_context("fork").Process(target=print, args=("of a fork",))
    process.start()
    process.join()

@app.task
def close():
    print("open")
    sys.stdout.close()

@app.task
def swap():
    before, sys.stdout = sys.stdout, open(os.devnull, "w")
    print("into nothing")
"""


@pytest.fixture
def more(project: Project) -> Project:
    project.write("project.py", project.folder.joinpath("project.py").read_text() + MORE)
    return project


@pytest.mark.parametrize("pool", ["processes", "threads"])
def test_a_time_limit_may_strike_while_a_task_prints(more: Project, app: LiteQ, pool: str) -> None:
    with more.worker("-P", pool, "-f", "log"):
        for _ in range(4):
            result = app.send_task("project.hurry", ("",))
            result.get(timeout=20)
            # The limit strikes anywhere, also between a number and the end of its line.
            assert result.log()[-1].text.endswith("stopped")
        assert app.send_task("project.talk", ("ann",)).get(timeout=20) is None


def test_a_task_that_completes_in_its_own_transaction_keeps_all(more: Project, app: LiteQ) -> None:
    with more.worker():
        result = app.send_task("project.complete")
        result.get(timeout=20)
        lines = wait_for(result.log, "its output")

    assert [line.text for line in lines] == ["before", "inside", "behind"]


def test_what_a_forked_process_prints_is_its_own(more: Project, app: LiteQ) -> None:
    with more.worker("-f", "log"):
        result = app.send_task("project.fork")
        result.get(timeout=20)

    assert [line.text for line in result.log()] == ["of the task"]


@pytest.mark.parametrize(("task", "text"), [("close", ["open"]), ("swap", [])])
def test_the_next_task_prints_whatever_one_has_done_to_the_streams(
    more: Project, app: LiteQ, task: str, text: list[str]
) -> None:
    with more.worker("-c", "1"):
        results = [app.send_task("project.talk", ("ann",)), app.send_task(f"project.{task}")]
        results.append(app.send_task("project.talk", ("ann",)))
        for result in results:
            result.get(timeout=20)

    first, second, third = (result.log() for result in results)
    assert [line.text for line in second] == text
    assert [line.text for line in first] == [line.text for line in third]
    assert len(first) == 4
