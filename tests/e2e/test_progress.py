"""Bars on a terminal, children that end in order, and progress where the worker has trouble."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, group
from liteq.exceptions import BrokerLocked
from tests.e2e.project import TERM, Project, wait_for

if sys.platform != "win32":
    import pty

TASKS = """
import os, time
from liteq import LiteQ, signals

app = LiteQ("project", broker="sqlite:///project.db")

@app.task(bind=True)
def walk(self, count, stop=None):
    for row in self.progress(range(count), "walking"):
        while row == 3 and stop is not None and not os.path.exists(stop):
            time.sleep(0.01)
    return count

@app.task
def pid():
    return os.getpid()

@signals.worker_process_shutdown.connect
def note(sender, pid, exitcode, **_):
    with open("ended", "a") as file:
        file.write(f"{sender} {pid} {pid == os.getpid()} {exitcode}\\n")
"""

GET = """
import sys
from project import walk
from liteq import group
results = group(walk.s(4, "stop") for _ in range(3)).delay()
print("sent", flush=True)
print(results.get(timeout=20, progress=True))
"""

posix = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


class Terminal:
    """A program whose standard error is a terminal; its output is a pipe."""

    def __init__(self, project: Project, *argv: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=project.folder,
            env={**project.env, "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            assert self._read(), f"{text!r} did not come: {self.shown!r}"

    def end(self) -> str:
        """Wait for the end; return what was printed."""
        while self._read():
            pass
        os.close(self._master)
        printed, _ = self._process.communicate(timeout=30)
        assert self._process.returncode == 0, self.shown
        return printed

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 4096)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode()
        return bool(data)


@posix
@pytest.mark.parametrize(
    "argv",
    [
        ("call", "project.walk", "-a", '[4, "stop"]', "--wait"),
        ("result", "the-id", "--wait"),
    ],
)
def test_waiting_commands_draw_a_bar_on_a_terminal(project: Project, argv: tuple[str, ...]) -> None:
    if argv[0] == "result":
        project.python("from project import *; walk.apply_async((4, 'stop'), task_id='the-id')")
    with project.worker():
        terminal = Terminal(project, "-m", "liteq", argv[0], "-A", "project", *argv[1:])
        terminal.wait_for("walking  75% |######################        | 3/4")
        (project.folder / "stop").touch()
        printed = terminal.end()

    assert printed.splitlines()[-1] == "SUCCESS: 4"
    assert "walking" not in printed
    assert terminal.shown.endswith("\r\n")
    assert "100%" in terminal.shown.splitlines()[-1]


@posix
def test_a_group_that_is_waited_for_draws_a_bar_on_a_terminal(project: Project) -> None:
    with project.worker():
        terminal = Terminal(project, "-c", GET)
        terminal.wait_for("| 1.5/3")  # two of them have done three quarters
        (project.folder / "stop").touch()
        printed = terminal.end()

    assert printed == "sent\n[4, 4, 4]\n"
    assert "3/3" in terminal.shown.splitlines()[-1]


def test_elsewhere_nothing_is_drawn(project: Project) -> None:
    (project.folder / "stop").touch()
    with project.worker():
        assert project.python(GET) == "sent\n[4, 4, 4]\n"
        printed = project.liteq("call", "-A", "project", "project.walk", "-a", "[4]", "--wait")
        assert printed.splitlines()[1:] == ["SUCCESS: 4"]


def test_a_bar_of_another_library_is_used() -> None:
    tqdm = pytest.importorskip("tqdm")
    bars = []

    class Bar(tqdm.tqdm):  # type: ignore[misc,name-defined]
        """It looks at what it is given."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, file=io.StringIO(), **options)
            bars.append(self)

    with LiteQ("bars", broker="memory://", set_as_current=False) as app:

        @app.task(bind=True)
        def walk(self: Any, count: int) -> int:
            for _ in self.progress(range(count), "walking"):
                wait_for(lambda: len(bars) >= seen[0])
            return count

        seen = [0]
        with app.Worker(pool="threads", concurrency=1):
            results = group(walk.s(2), walk.s(3)).delay()
            assert results.get(timeout=20, progress=Bar) == [2, 3]
            seen[0] = len(bars) + 1  # it goes on once there is a bar
            assert walk.delay(3).get(timeout=20, progress=Bar) == 3

    last = bars[-1]
    assert (last.n, last.total) == (3, 3)
    assert "walking" in last.desc


def test_a_bar_goes_away_with_an_error_of_the_task_or_a_timeout() -> None:
    closed: list[Any] = []

    class Bar:
        """A bar that tells when it is closed."""

        def __init__(self, **_: Any) -> None:
            self.n = self.total = None

        def set_description(self, *_: Any, **__: Any) -> None:
            pass

        def refresh(self) -> None:
            pass

        def close(self) -> None:
            closed.append(self.total)

    with LiteQ("bars", broker="memory://", set_as_current=False) as app:

        @app.task
        def fail() -> None:
            raise ValueError("no")

        results = group(fail.s(), fail.s()).delay()
        with pytest.raises(TimeoutError):
            results.get(timeout=0.3, progress=Bar)
        assert closed == [2]
        with app.Worker(pool="solo"), pytest.raises(ValueError, match="no"):
            results.get(timeout=20, progress=Bar)


# the end of child processes


@pytest.mark.parametrize("options", [(), ("--max-tasks-per-child", "1")])
def test_child_processes_are_told_that_they_end(project: Project, options: tuple[str, ...]) -> None:
    with project.worker(*options) as worker:
        ran = {project.python("from project import *; print(pid.delay().get(timeout=20))")}
        worker.send(TERM)
        assert worker.wait() == 0

    lines = (project.folder / "ended").read_text().splitlines()
    assert {line.split()[1] for line in lines} >= {each.strip() for each in ran}
    assert {(sender, own, code) for sender, _, own, code in map(str.split, lines)} == {
        ("None", "True", "0")
    }


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_worker_without_children_says_so_of_itself(project: Project, pool: str) -> None:
    with project.worker("-P", pool) as worker:
        worker.send(TERM)
        assert worker.wait() == 0

    assert (project.folder / "ended").read_text() == f"None {worker.pid} True 0\n"


@posix
def test_a_child_that_does_not_end_delays_the_worker_for_a_moment_only(project: Project) -> None:
    endless = TASKS.replace('with open("ended"', "time.sleep(1000)\n    with open('ended'").replace(
        '"a") as', "'a') as"
    )
    project.write("project.py", endless)
    with project.worker() as worker:
        worker.send(TERM)
        assert worker.wait(20) == 0


# trouble


def test_what_was_said_last_is_written_before_the_end_also_after_an_outage(
    monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    with LiteQ("trouble", broker=store, set_as_current=False) as app:

        @app.task(bind=True)
        def walk(self: Any, count: int) -> None:
            for _ in self.progress(range(count)):
                pass

        broker = app.broker
        report, settle = broker.report_progress, broker.settle
        failures: list[str] = []

        def failing(verb: Any) -> Any:
            def call(what: Any, *claim: Any) -> Any:
                if what and len(failures) < 3:  # and not only a claim
                    failures.append(verb.__name__)
                    raise BrokerLocked("it is locked")
                return verb(what, *claim)

            return call

        with app.Worker(pool="threads", concurrency=1):
            walk.delay(1).get(timeout=20)
            monkeypatch.setattr(broker, "report_progress", failing(report))
            monkeypatch.setattr(broker, "settle", failing(settle))
            result = walk.delay(7)
            result.get(timeout=20)
        assert failures == ["report_progress"] * 3
        assert result.progress is not None
        assert result.progress[:2] == (7, 7)


def test_progress_of_a_lost_claim_is_dropped(store: str) -> None:
    with LiteQ("trouble", broker=store, set_as_current=False) as app:
        said: list[Any] = []

        @app.task(bind=True)
        def lose(self: Any) -> None:
            self.progress(1, 10)
            wait_for(lambda: said or app.AsyncResult(self.request.id).progress)
            said.append(1)
            if len(said) == 1:
                app.broker.release([self.request.delivery.receipt])
            self.progress(9, 10, f"run {len(said)}")

        with app.Worker(pool="threads", concurrency=2):
            result = lose.delay()
            wait_for(lambda: len(said) == 2)
            result.get(timeout=20)
        assert result.progress is not None
        assert result.progress.text == "run 2"
        assert [each.outcome for each in result.attempts()] == ["late", "succeeded"]


def test_liteq_result_shows_how_far_a_task_has_come_and_what_came_late(project: Project) -> None:
    project.python("""
from liteq.brokers.base import Claim
from liteq.brokers.running import LateEnd
from liteq.model.progress import Progress, ProgressReport
from project import app, walk
walk.apply_async((9,), task_id="the-id")
broker = app.broker
worker = broker.register("w@here", "{}")
(lost,) = broker.claim(Claim(worker, ("celery",), 1))
broker.release([lost.receipt])
broker.keep_late(worker, [LateEnd(lost.receipt, "the-id", 1e9, "it succeeded: 9")])
(held,) = broker.claim(Claim(worker, ("celery",), 1))
progress = Progress(3, 9, 0.5, "walking", 1e9)
broker.report_progress([ProgressReport(held.receipt, progress)])
""")
    shown = project.liteq("result", "the-id", "-A", "project").splitlines()
    assert shown == [
        "STARTED",
        "walking  33% |##########                    | 3/9, 0.5/s, 0:12 left",
        "late, from w@here: it succeeded: 9",
    ]
    found = json.loads(project.liteq("result", "the-id", "-A", "project", "--json"))
    at = "2001-09-09T01:46:40.000+00:00"
    assert found["progress"] == {"done": 3, "total": 9, "rate": 0.5, "text": "walking", "at": at}
    assert found["late"] == [{"worker": "w@here", "ended": at, "what": "it succeeded: 9"}]
    why = project.liteq("why", "the-id", "-A", "project")
    assert "the previous attempt ended when its worker had lost it (it succeeded: 9)" in why
