"""The worker as users run it: real processes on a real file."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from .project import INT, KILL, TASKS, TERM, Project, alive, children_of, has_lines, wait_for

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(params=["0", "1"], ids=["native", "portable"])
def portable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with all that this platform has, and with what every platform has."""
    monkeypatch.setenv("LITEQ_PORTABLE", request.param)


@pytest.fixture
def project(tmp_path: Path, portable: None) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio", "solo"])
def test_a_task_is_sent_run_and_its_result_read(project: Project, pool: str) -> None:
    with project.worker("-P", pool):
        out = project.python("from project import add; print(add.delay(2, 3).get(timeout=20))")

    assert out == "5\n"


def test_a_task_that_was_sent_before_the_worker_started_is_run(project: Project) -> None:
    id = project.python("from project import add; print(add.delay(2, 3).id)").strip()
    with project.worker():
        out = project.python(
            f"from project import app; print(app.AsyncResult('{id}').get(timeout=20))"
        )

    assert out == "5\n"


def test_the_log_has_celerys_lines(project: Project) -> None:
    with project.worker() as worker:
        project.python("from project import *; add.delay(2, 3).get(timeout=20)")
        project.python("from project import *; fail.delay('no').get(timeout=20, propagate=False)")
        worker.wait_for_line(r"Task project\.add\[[-0-9a-f]+\] received")
        worker.wait_for_line(r"Task project\.add\[[-0-9a-f]+\] succeeded in [\d.e-]+s: 5")
        worker.wait_for_line(
            r"ERROR.*Task project\.fail\[[-0-9a-f]+\] raised unexpected: ValueError"
        )
        worker.wait_for_line(r"ValueError: no")

    banner = worker.output
    assert "project.add" in banner
    assert "project.db" in banner
    assert "celery" in banner
    assert "runner.py" not in banner


def test_a_log_line_cannot_be_forged_by_an_argument(project: Project) -> None:
    source = (
        "from project import *\n"
        "fail.delay('x\\n[CRITICAL] \\x1b[31mfake').get(propagate=False, timeout=20)"
    )
    with project.worker() as worker:
        project.python(source)
        line = worker.wait_for_line("raised unexpected")

    assert r"x\n[CRITICAL]" in line


def test_an_exception_comes_back_as_itself(project: Project) -> None:
    with project.worker():
        out = project.python(
            "from project import fail\n"
            "try: fail.delay('no').get(timeout=20)\n"
            "except ValueError as exc: print(repr(exc), 'project.py' in exc.traceback)"
        )

    assert out == "ValueError('no') True\n"


def test_a_result_that_cannot_be_stored_fails_the_task_at_once(project: Project) -> None:
    with project.worker():
        out = project.python(
            "from project import anything\n"
            "r = anything.delay()\n"
            "print(type(r.get(timeout=20, propagate=False)).__name__, r.state)"
        )

    assert out == "ResultNotSerializable FAILURE\n"


def test_progress_is_seen_while_the_task_runs(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    source = (
        "import time\nfrom project import progress\n"
        f"r = progress.delay({str(go)!r})\n"
        "while r.state != 'PROGRESS': time.sleep(0.01)\n"
        f"print(r.info); open({str(go)!r}, 'w').close(); print(r.get(timeout=20))"
    )
    with project.worker("-n", "w1@%h"):
        out = project.python(source)

    assert out.startswith("{'done': 3}\nw1@")


def test_an_unknown_task_is_set_aside_and_the_waiting_caller_gets_its_error(
    project: Project,
) -> None:
    with project.worker() as worker:
        out = project.python(
            "from project import app\n"
            "r = app.send_task('project.nothing')\n"
            "print(repr(r.get(timeout=20, propagate=False)), r.state)"
        )
        worker.wait_for_line("project.nothing")

    assert "project.nothing" in out
    assert "FAILURE" in out


def test_a_task_that_only_newer_code_has_is_run_by_the_worker_that_has_it(
    project: Project,
) -> None:
    with project.worker("-c", "1") as old:
        project.python("from project import add; add.delay(1, 1).get(timeout=25)")  # it has loaded
        project.write("project.py", f"{TASKS}\n@app.task\ndef fresh(): return 'fresh'\n")
        with project.worker("-n", "new") as new:
            os.kill(new.pid, signal.SIGSTOP)
            project.python("from project import fresh; fresh.apply_async(task_id='x')")
            old.wait_for_line("left: it is not registered here, but with new@")
            os.kill(new.pid, signal.SIGCONT)
            out = project.python("from project import app; print(app.AsyncResult('x').get(60))")

    assert out == "fresh\n"


def test_print_in_a_task_goes_to_the_logfile(project: Project, tmp_path: Path) -> None:
    with project.worker("--logfile", "worker.log"):
        project.python("from project import shout; shout.delay('hello').get(timeout=20)")
        wait_for(lambda: "hello" in (tmp_path / "worker.log").read_text(), "the printed line")

    assert "succeeded" in (tmp_path / "worker.log").read_text()


def test_the_pidfile_is_there_while_the_worker_runs(project: Project, tmp_path: Path) -> None:
    with project.worker("--pidfile", "worker.pid") as worker:
        assert int((tmp_path / "worker.pid").read_text()) == worker.pid
        worker.send(TERM)
        worker.wait()

    assert not (tmp_path / "worker.pid").exists()


@posix
def test_a_second_worker_with_the_same_pidfile_is_refused(project: Project, tmp_path: Path) -> None:
    argv = ("worker", "-A", "project", "--pidfile", "worker.pid")
    with project.worker("--pidfile", "worker.pid") as worker:
        assert f"process {worker.pid} runs" in project.liteq(*argv, code=78)
        assert int((tmp_path / "worker.pid").read_text()) == worker.pid
        worker.kill()

    for left in (f"{worker.pid}\n", "", "no pid"):  # what a killed one left is no lock
        (tmp_path / "worker.pid").write_text(left)
        with project.worker("--pidfile", "worker.pid") as worker:
            assert int((tmp_path / "worker.pid").read_text()) == worker.pid


@posix
def test_the_files_of_a_daemon_are_private_whatever_the_umask(
    project: Project, tmp_path: Path
) -> None:
    project.write("sitecustomize.py", "import os; os.umask(0)")
    project.env["PYTHONPATH"] += f":{tmp_path}"
    with project.worker("--pidfile", "worker.pid", "-f", "worker.log"):
        modes = {(tmp_path / name).stat().st_mode & 0o777 for name in ("worker.pid", "worker.log")}

    assert modes == {0o600}


@posix
def test_term_finishes_running_tasks_and_exits_with_zero(project: Project, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with project.worker() as worker:
        project.python(f"from project import mark; mark.delay({str(notes)!r}, 1.0)")
        wait_for(has_lines(notes), "the task")
        worker.send(TERM)
        code = worker.wait()

    assert code == 0
    assert "end" in notes.read_text()


@posix
def test_a_second_interrupt_ends_at_once_and_releases_running_tasks(
    project: Project, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with project.worker() as worker:
        project.python(f"from project import mark; mark.delay({str(notes)!r}, 60)")
        wait_for(has_lines(notes), "the task")
        worker.send(INT)
        worker.wait_for_line("Ctrl-C again")
        worker.send(INT)
        code = worker.wait()

    assert code == 130
    counts = project.python(
        "from project import app; print([(c.phase.name, c.tasks) for c in app.broker.counts()])"
    )
    assert counts == "[('READY', 1)]\n"


@linux
def test_no_process_of_a_killed_worker_stays_and_another_worker_takes_over(
    project: Project, tmp_path: Path
) -> None:
    notes, hold = tmp_path / "notes", tmp_path / "notes.hold"
    hold.touch()
    with project.worker() as first:
        id = project.python(
            f"from project import mark; print(mark.delay({str(notes)!r}).id)"
        ).strip()
        wait_for(has_lines(notes), "the task")
        offspring = children_of(first.pid)
        with project.worker() as second:
            first.send(KILL)
            first.wait()
            wait_for(lambda: not any(map(alive, offspring)), "the end of the children")
            hold.unlink()
            second.wait_for_line("rescued")
            pid = project.python(
                f"from project import app; print(app.AsyncResult('{id}').get(timeout=20))"
            )

    lines = notes.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["begin", "begin", "end"]
    assert lines[-1] == f"end {pid.strip()}"


@posix
def test_a_task_that_kills_its_process_is_set_aside_and_its_neighbours_are_not(
    project: Project,
) -> None:
    with project.worker() as worker:
        out = project.python(
            "from project import *\n"
            "others = [add.delay(n, n) for n in range(50)]; bad = die.delay()\n"
            "others += [add.delay(n, n) for n in range(50)]\n"
            "print(sum(r.get(timeout=20) for r in others))\n"
            "print(repr(bad.get(timeout=20, propagate=False)))"
        )

    assert out.splitlines()[0] == str(2 * sum(2 * n for n in range(50)))
    assert "SIGKILL" in out
    assert worker.output.count("lost its process") == 3


@posix
def test_an_at_most_once_task_is_not_run_again(project: Project, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with project.worker() as worker:
        id = project.python(
            f"from project import once; print(once.delay({str(notes)!r}, 60).id)"
        ).strip()
        wait_for(has_lines(notes), "the task")
        pid = int(notes.read_text().split()[1])
        os.kill(pid, KILL)
        out = project.python(
            "from project import app\n"
            f"print(repr(app.AsyncResult('{id}').get(timeout=20, propagate=False)))"
        )
        assert "WorkerLostError" in out
    assert notes.read_text().count("begin") == 1
    assert worker.output.count("lost its process") == 1


def test_max_tasks_per_child_replaces_the_process(project: Project, tmp_path: Path) -> None:
    with project.worker("-c", "1", "--max-tasks-per-child", "2"):
        out = project.python(
            "from project import mark\n"
            f"print([mark.delay({str(tmp_path / 'n')!r}).get(timeout=20) for _ in range(4)])"
        )
    first, second, third, fourth = json.loads(out)

    assert first == second != third == fourth


@pytest.mark.alone  # two seconds must be enough
def test_a_long_task_does_not_keep_a_short_one_waiting(project: Project) -> None:
    """Not even one that looked short: `nap(0)` has run many times before `nap(30)`."""
    with project.worker():
        out = project.python(
            "import time\nfrom project import *\n"
            "[r.get(timeout=20) for r in app.enqueue_many(nap.s(0) for _ in range(200))]\n"
            "app.enqueue_many([nap.s(30), *(add.s(1, n) for n in range(20))])\n"
            "t = time.monotonic()\n"
            "last = app.enqueue_many([nap.s(0) for _ in range(20)])\n"
            "[r.get(timeout=20) for r in last]; print(time.monotonic() - t < 2)"
        )

    assert out == "True\n"


def test_an_application_is_found_whatever_its_name_is(project: Project) -> None:
    project.write(
        "elsewhere.py",
        'from liteq import LiteQ\nmine = LiteQ("another name", broker="sqlite:///other.db")\n'
        "@mine.task\ndef double(x): return 2 * x\n",
    )
    with project.worker("-A", "elsewhere"):
        out = project.python("from elsewhere import double; print(double.delay(4).get(timeout=20))")

    assert out == "8\n"


LIMITED = """
import time
from liteq import LiteQ
from liteq.exceptions import SoftTimeLimitExceeded

app = LiteQ("project", broker="sqlite:///project.db")

@app.task(soft_time_limit=0.3)
def soft():
    time.sleep(30)

@app.task(soft_time_limit=0.3)
def careful():
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        return "cleaned up"

@app.task(time_limit=0.5)
def hard():
    while True:
        try:
            time.sleep(30)
        except BaseException:
            pass

@app.task
def free(seconds):
    time.sleep(seconds)
    return self_limit()

def self_limit():
    from liteq import current_task
    return current_task.request.timelimit
"""


@posix
def test_time_limits_end_long_tasks_and_free_their_slots(project: Project) -> None:
    project.write("project.py", LIMITED)
    with project.worker("-c", "1"):
        out = project.python(
            "from project import *\n"
            "print(type(soft.delay().get(timeout=20, propagate=False)).__name__)\n"
            "print(careful.delay().get(timeout=20))\n"
            "for _ in range(3): print(repr(hard.delay().get(timeout=20, propagate=False)))\n"
            "r = free.apply_async((30,), time_limit=0.4)\n"
            "print(type(r.get(timeout=20, propagate=False)).__name__)\n"
            "print(free.apply_async((0,), time_limit=9, soft_time_limit=8).get(timeout=20))"
        )
    lines = out.splitlines()

    assert lines[0] == "SoftTimeLimitExceeded"
    assert lines[1] == "cleaned up"
    assert all(line.startswith("TimeLimitExceeded") and "0.5 s" in line for line in lines[2:5])
    assert lines[5] == "TimeLimitExceeded"
    assert lines[6] in ("(9, 8)", "[9, 8]")


def test_tasks_of_modules_that_the_application_does_not_import_are_run_too(
    project: Project,
) -> None:
    project.write("more.py", "from project import app\n@app.task\ndef more(x): return x + 1\n")
    with project.worker("-A", "more:app"):
        assert (
            project.python("from more import more; print(more.delay(1).get(timeout=20))") == "2\n"
        )

    project.write(
        "host.py",
        "from project import app\nimport more\n"
        "if __name__ == '__main__':\n"
        "    with app.Worker(concurrency=1): print(more.more.delay(2).get(timeout=20))\n",
    )
    assert project.run("host.py") == "3\n"
