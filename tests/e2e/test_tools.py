"""The tools of the command line as users run them: real processes on a real file."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from liteq import LiteQ
from liteq.brokers import connect
from liteq.model.message import Message
from liteq.testing import drain
from tests.e2e.project import Program, Project, wait_for

PROJECT = """
from pathlib import Path

from liteq import LiteQ

URL = "sqlite:///store.db?durability=fast"
app = LiteQ("project", broker=URL, result_backend=URL)


class Refused(Exception):
    pass


class Place:
    pass


@app.task
def add(x, y):
    return x + y


@app.task(queue="mail")
def send(to, subject=""):
    pass


@app.task
def refuse(text):
    raise Refused(text)


@app.task
def find():
    return Place()


@app.task(bind=True)
def wait_for(self, path):
    import time
    self.update_state(state="WAITING", meta={"for": path})
    while not Path(path).exists():
        time.sleep(0.01)
"""

URL = "sqlite:///store.db"
FAR = "2099-01-01T00:00:00+00:00"


class Shell(Project):
    """A folder with the project in it, where `liteq` is run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PROJECT)
        self.env |= {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": ""}

    def tool(
        self,
        *args: object,
        code: int = 0,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[str]:
        """Run `liteq args` without a terminal; it must exit with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "liteq", *map(str, args)],
            cwd=self.folder,
            env=self.env,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=30,
            check=False,
        )
        assert done.returncode == code, done
        assert "--verbose" in args or "Traceback" not in done.stderr
        return done

    def output(self, *args: object, code: int = 0) -> str:
        """Return what the command prints."""
        return self.tool(*args, code=code).stdout.strip()

    def error(self, *args: object, code: int) -> str:
        """Return the one line that the command prints on standard error."""
        (line,) = self.tool(*args, code=code).stderr.splitlines()
        return line

    def json(self, *args: object, code: int = 0) -> Any:
        """Return the document that the command prints with `--json`."""
        return json.loads(self.output(*args, "--json", code=code))

    def call(self, *args: object) -> str:
        """Send a task; return its id."""
        return self.output("call", "-A", "project", *args)

    def enqueue(self, *messages: Message) -> None:
        """Write messages into the store without any checks."""
        broker = connect(f"sqlite:///{self.folder / 'store.db'}?durability=fast")
        try:
            broker.enqueue(messages)
        finally:
            broker.close()


@contextmanager
def connect_worker(shell: Shell) -> Iterator[None]:
    """Register this process as a worker of the queue `celery`, one that claims nothing."""
    broker = connect(f"sqlite:///{shell.folder / 'store.db'}")
    worker = broker.register("w@here", '{"queues": ["celery"]}')
    yield
    broker.unregister(worker)
    broker.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


class TestStatus:
    def test_without_a_worker_it_says_so_and_shows_the_queues_all_the_same(
        self, shell: Shell
    ) -> None:
        shell.call("project.add", "--args", "[2, 3]")
        shell.call("project.send", "--args", '["ann"]', "--countdown", 600)

        document = shell.json("status", "-A", "project", code=69)
        output = shell.output("-A", "project", "status", code=69)

        assert document["workers"] == []
        assert [
            (queue["name"], queue["ready"], queue["scheduled"]) for queue in document["queues"]
        ] == [
            ("celery", 1, 0),
            ("mail", 0, 1),
        ]
        assert "No worker is up" in output
        assert "store.db" in output

    def test_a_queue_with_tasks_that_no_worker_serves_is_marked(self, shell: Shell) -> None:
        shell.enqueue(*(message(f"{n}", queue="nowhere") for n in range(3)), message("x"))
        with connect_worker(shell):
            status, doctor = shell.output("status", "-b", URL), shell.output("doctor", "-b", URL)
            document = shell.json("status", "-b", URL)

        for output in (status, doctor):
            assert "no worker serves the queue 'nowhere', in which 3 tasks wait" in output
            assert "'celery'" not in output
        assert document["unserved"] == [{"name": "nowhere", "tasks": 3}]

    def test_a_limit_that_leaves_something_out_is_reported(self, shell: Shell) -> None:
        for queue in "abc":
            shell.enqueue(message(queue, queue=queue))

        document = shell.json("status", "-b", URL, "--limit", 2, code=69)
        unlimited = shell.json("status", "-b", URL, "--limit", 3, code=69)

        assert ([queue["name"] for queue in document["queues"]], document["more"]) == (
            ["a", "b"],
            True,
        )
        assert (len(unlimited["queues"]), unlimited["more"]) == (3, False)


class TestCall:
    def test_it_prints_the_id_of_a_task_that_waits_then(self, shell: Shell) -> None:
        id = shell.call("project.add", "--args", "[2, 3]", "--priority", 7, "--queue", "fast")

        (task,) = shell.json("inspect", "query_task", id, "-A", "project")["tasks"]

        assert (task["name"], task["state"], task["phase"]) == ("project.add", "PENDING", "ready")
        assert (task["priority"], task["queue"]) == (7, "fast")

    def test_times_are_kept(self, shell: Shell) -> None:
        id = shell.call("project.add", "-a", "[2, 3]", "--eta", FAR, "--expires", "2099-01-02")

        (task,) = shell.json("inspect", "query_task", id, "-A", "project")["tasks"]

        assert task["phase"] == "scheduled"
        assert task["eta"].startswith("2099-01-01T00:00:00")
        assert task["expires"].startswith("2099-01-0")

    def test_the_tasks_own_options_hold(self, shell: Shell) -> None:
        id = shell.call("project.send", "--kwargs", '{"to": "ann"}')

        (task,) = shell.json("inspect", "query_task", id, "-A", "project")["tasks"]

        assert task["queue"] == "mail"

    def test_a_known_id_is_not_sent_again(self, shell: Shell) -> None:
        ids = {shell.call("project.add", "-a", "[1, 1]", "--task-id", "mine") for _ in range(2)}

        assert ids == {"mine"}
        assert shell.json("purge", "-b", URL, "--force")["purged"] == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            ("--args", "[2, 3"),
            ("--args", '{"x": 2}'),
            ("--args", "[NaN]"),
            ("--kwargs", "[2]"),
            ("--countdown", "soon"),
            ("--countdown", "nan"),
            ("--eta", "tomorrow"),
            ("--expires", "-1"),
        ],
    )
    def test_a_value_that_cannot_be_parsed_is_reported_with_its_option(
        self, shell: Shell, wrong: tuple[str, str]
    ) -> None:
        done = shell.tool("call", "project.add", *wrong, code=2)

        assert wrong[0] in done.stderr.splitlines()[-1]

    def test_an_unknown_name_is_sent_with_a_warning_where_the_tasks_are_known(
        self, shell: Shell
    ) -> None:
        done = shell.tool("call", "-A", "project", "project.ad")
        silent = shell.tool("call", "-b", URL, "project.ad")

        assert "project.ad" in done.stderr
        assert "project.add" in done.stderr
        assert silent.stderr == ""
        document = shell.json("inspect", "reserved", "-b", URL)
        assert [task["name"] for task in document["queues"][0]["tasks"]] == ["project.ad"] * 2

    def test_arguments_that_do_not_fit_the_task_are_not_sent(self, shell: Shell) -> None:
        shell.enqueue()  # makes the store
        line = shell.error("call", "-A", "project", "project.add", "--args", "[2]", code=65)

        assert "'y'" in line
        assert shell.json("inspect", "reserved", "-b", URL)["queues"] == []

    def test_waiting_ends_after_the_timeout_with_the_id_printed(self, shell: Shell) -> None:
        done = shell.tool("call", "-b", URL, "t", "--task-id", "mine", "--timeout", 0.1, code=75)

        assert done.stdout.split() == ["mine", "PENDING"]
        assert "mine" in done.stderr


class TestResult:
    def test_of_a_task_that_waits_it_shows_the_state(self, shell: Shell) -> None:
        id = shell.call("project.add", "--args", "[2, 3]")

        document = shell.json("result", id, "-b", URL)

        assert shell.output("result", id, "-b", URL) == "PENDING"
        assert (document["state"], document["result"], document["error"]) == ("PENDING", None, None)

    def test_waiting_ends_after_the_timeout(self, shell: Shell) -> None:
        id = shell.call("project.add", "--args", "[2, 3]")

        told = shell.tool("result", id, "-b", URL, "--timeout", 0.1, code=75).stderr.splitlines()

        assert told[0] == "liteq: no worker serves the queue 'celery': waiting for one"
        assert id in told[1]
        with connect_worker(shell):
            assert id in shell.error("result", id, "-b", URL, "--timeout", 0.1, code=75)

    def test_an_unknown_id_is_not_waited_for(self, shell: Shell) -> None:
        shell.enqueue()  # makes the store
        assert "nobody" in shell.error("result", "nobody", "-b", URL, "--wait", code=1)


class TestInspect:
    def test_it_shows_no_arguments(self, shell: Shell) -> None:
        id = shell.call("project.send", "--args", '["ann@example.org"]')

        for how in ((), ("--json",)):
            output = shell.output("inspect", "reserved", "-A", "project", *how)
            assert id in output
            assert "ann" not in output

    def test_names_are_shown_without_control_characters(self, shell: Shell) -> None:
        shell.enqueue(message("i", task="\x1b[31mred\r\nnew\u202eline", queue="\x07"))

        for command in (("inspect", "reserved"), ("inspect", "query_task", "i")):
            output = shell.output(*command, "-b", URL)
            assert r"\x1b[31mred\r\nnew\u202eline" in output
            assert output.replace("\n", "").isprintable()
        assert shell.output("status", "-b", URL, code=69).replace("\n", "").isprintable()

    def test_it_shows_the_oldest_up_to_the_limit(self, shell: Shell) -> None:
        shell.enqueue(*(message(f"id-{n}", queue="ab"[n % 2]) for n in range(5)))

        done = shell.tool("inspect", "reserved", "-b", URL, "--limit", 2)
        document = shell.json("inspect", "reserved", "-b", URL, "--limit", 2)

        assert "id-1" in done.stdout
        assert "id-2" not in done.stdout
        assert "--limit" in done.stderr
        assert [task["id"] for queue in document["queues"] for task in queue["tasks"]] == [
            "id-0",
            "id-1",
        ]
        assert document["more"] is True

    def test_scheduled_tasks_are_shown_with_their_time(self, shell: Shell) -> None:
        shell.call("project.send", "--args", '["ann"]', "--eta", FAR)

        document = shell.json("inspect", "scheduled", "-A", "project")

        (queue,) = document["queues"]
        (task,) = queue["tasks"]
        assert queue["name"] == "mail"
        assert task["eta"].startswith("2099-01-01T00:00:00")

    def test_the_applications_own_tasks_are_known_without_a_worker(self, shell: Shell) -> None:
        document = shell.json("inspect", "registered", "-A", "project", code=69)

        assert document["workers"] == []
        assert {"project.add", "project.send"} <= set(document["app"]["tasks"])

    @pytest.mark.parametrize(
        ("what", "code"),
        [("active", 0), ("reserved", 0), ("registered", 69), ("stats", 69), ("report", 0)],
    )
    def test_it_works_on_an_empty_store(self, shell: Shell, what: str, code: int) -> None:
        shell.enqueue()  # makes the store
        document = shell.json("inspect", what, "-b", URL, code=code)

        assert document["more"] is False
        shell.output("inspect", what, "-b", URL, code=code)

    def test_ping_shows_nothing_without_a_worker(self, shell: Shell) -> None:
        shell.enqueue()  # makes the store
        assert shell.output("inspect", "ping", "-b", URL, code=69) == "workers: none"

    def test_an_unknown_task_is_no_success(self, shell: Shell) -> None:
        shell.enqueue(message("known"))

        document = shell.json("inspect", "query_task", "-b", URL, "known", "nobody", code=1)

        assert [task["state"] for task in document["tasks"]] == ["PENDING", None]

    def test_ids_are_for_query_task_only(self, shell: Shell) -> None:
        assert "query_task" in shell.error("inspect", "query_task", "-b", URL, code=2)
        assert "query_task" in shell.error("inspect", "active", "id", "-b", URL, code=2)


class TestPurge:
    def test_it_drops_tasks_that_wait_in_the_named_queues(self, shell: Shell) -> None:
        shell.enqueue(message("a"), message("b", queue="mail"), message("c", queue="mail", eta=4e9))

        assert shell.output("purge", "-b", URL, "-Q", "mail,none", "-f") == (
            "purged 2 tasks from mail, none"
        )
        assert shell.json("purge", "-b", URL, "--force")["purged"] == 1
        assert shell.json("purge", "-b", URL, "--force")["purged"] == 0

    def test_without_a_terminal_it_refuses(self, shell: Shell) -> None:
        shell.enqueue(message("a"))

        assert "--force" in shell.error("purge", "-b", URL, code=2)
        assert shell.json("purge", "-b", URL, "--force")["purged"] == 1

    @pytest.mark.skipif(os.name == "nt", reason="a terminal is made with a pty")
    @pytest.mark.parametrize(("answer", "code", "left"), [("yes", 0, 0), ("no", 1, 1), ("", 1, 1)])
    def test_on_a_terminal_it_asks(self, shell: Shell, answer: str, code: int, left: int) -> None:
        shell.enqueue(message("a"))
        ours, terminal = os.openpty()
        try:
            os.write(ours, f"{answer}\n".encode())
            done = shell.tool("purge", "-b", URL, "--json", stdin=terminal, code=code)
        finally:
            os.close(ours)
            os.close(terminal)

        assert "Drop 1 task of all queues" in done.stderr
        assert shell.json("purge", "-b", URL, "--force")["purged"] == left


class TestErrors:
    @pytest.mark.parametrize("command", [("status",), ("purge", "-f"), ("result", "x")])
    def test_a_file_that_is_no_store_is_an_error_of_one_line(
        self, shell: Shell, command: tuple[str, ...]
    ) -> None:
        store = shell.folder / "store.db"
        store.write_bytes(b"no database" * 1000)
        store.chmod(0o600)

        assert "store.db" in shell.error(*command, "-b", URL, code=65)

    def test_a_missing_application_is_an_error_of_one_line(self, shell: Shell) -> None:
        assert "nowhere" in shell.error("status", "-A", "nowhere", code=66)

    def test_a_project_of_celery_is_told_how_to_run(self, shell: Shell) -> None:
        shell.write("ported.py", "from billiard.nowhere import app")

        error = shell.error("status", "-A", "ported", code=66)
        assert error.endswith("No module named 'billiard'; try it with --as-celery")

    def test_an_unknown_scheme_is_an_error_of_one_line(self, shell: Shell) -> None:
        assert "sqlit" in shell.error("status", "-b", "sqlit:///x.db", code=78)

    def test_another_store_can_be_named_than_the_applications(self, shell: Shell) -> None:
        connect(f"sqlite:///{shell.folder / 'other.db'}").enqueue([])
        assert "other.db" in shell.output(
            "status", "-A", "project", "-b", "sqlite:///other.db", code=69
        )

    @pytest.mark.parametrize(
        "command",
        [
            "status",
            "inspect active",
            "dead list",
            "result x",
            "graph x",
            "schedule list",
            "purge",
            "jobs list",
        ],
    )
    def test_a_look_at_a_store_that_is_not_there_does_not_make_it(
        self, shell: Shell, command: str
    ) -> None:
        line = shell.error(*command.split(), "-b", "sqlite:///some/typo.db", code=69)

        assert f"there is no such store: {shell.folder / 'some' / 'typo.db'}" in line
        assert not (shell.folder / "some").exists()

    @pytest.mark.parametrize("path", ["jobs.db", "/var/jobs.db", "some/jobs.db"])
    def test_a_path_in_the_place_of_a_url_is_told_how_to_be_written(
        self, shell: Shell, path: str
    ) -> None:
        line = shell.error("status", "-b", path, code=78)

        assert line.endswith(f"write sqlite:///{path}")

    def test_an_application_may_be_named_as_an_attribute(self, shell: Shell) -> None:
        shown = shell.output("inspect", "registered", "-A", "project.app", code=69)
        assert "project.add" in shown
        assert "no module 'nowhere'" in shell.error("status", "-A", "nowhere.app", code=66)
        assert "no module 'project.nothing'" in shell.error(
            "status", "-A", "project.nothing", code=66
        )

    def test_a_schedule_of_an_unknown_task_is_added_with_a_warning(self, shell: Shell) -> None:
        add = ("schedule", "add", "x", "project.nothing", "--every", 60, "-A", "project")
        done = shell.tool(*add)

        assert "warning: no task 'project.nothing' is registered here" in done.stderr
        assert "x fires at" in done.stdout

    def test_the_reason_of_an_unregistered_task_that_was_set_aside_is_shown(
        self, shell: Shell
    ) -> None:
        shell.enqueue(message("i", task="project.nothing"))
        with LiteQ(broker=f"sqlite:///{shell.folder / 'store.db'}", set_as_current=False) as app:
            drain(app)

        for command in (("dead", "list"), ("dead", "show", "i")):
            assert "no task 'project.nothing' is reg" in shell.output(*command, "-b", URL)

    def test_verbose_shows_the_traceback(self, shell: Shell) -> None:
        done = shell.tool("--verbose", "status", "-A", "nowhere", code=66)

        assert "Traceback" in done.stderr

    @pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error there")
    def test_a_closed_pipe_is_no_error(self, shell: Shell) -> None:
        shell.enqueue()  # makes the store
        reader, writer = os.pipe()
        os.close(reader)
        done = shell.tool("inspect", "reserved", "-b", URL, "--json", stdout=writer)
        os.close(writer)

        assert done.stderr == ""


class BusyWorker(NamedTuple):
    """A shell, and a worker that is running a task."""

    shell: Shell
    worker: Program
    running: str  # the task's id


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusyWorker]:
    shell = Shell(tmp_path_factory.mktemp("busy"))
    with shell.worker("-P", "threads", "-n", "bee@%h") as worker:
        running = shell.call("project.wait_for", "--args", '["never"]')
        worker.wait_for_line(rf"\[{running}\] received")
        yield BusyWorker(shell, worker, running)


class TestBesideAWorker:
    def test_status_shows_the_workers(self, busy: BusyWorker) -> None:
        document = busy.shell.json("status", "-A", "project")

        (worker,) = document["workers"]
        assert worker["name"].startswith("bee@")
        assert (worker["pid"], worker["pool"], worker["concurrency"]) == (
            busy.worker.pid,
            "threads",
            2,
        )
        assert worker["queues"] == ["celery"]
        assert 0 <= worker["beat_age"] < 30
        assert worker["name"] in busy.shell.output("status", "-A", "project")

    def test_a_value_is_waited_for_and_shown(self, busy: BusyWorker) -> None:
        output = busy.shell.output(
            "call", "-A", "project", "project.add", "--args", "[2, 3]", "--wait"
        )
        document = busy.shell.json(
            "call", "-A", "project", "project.add", "--args", "[2, 3]", "--wait"
        )

        id, answer = output.splitlines()
        assert answer == "SUCCESS: 5"
        assert busy.shell.output("result", id, "-b", URL, "--wait") == "SUCCESS: 5"
        assert (document["state"], document["result"], document["repr"]) == ("SUCCESS", 5, "5")
        assert document["error"] is None

    def test_a_long_value_is_cut_for_people_only(self, busy: BusyWorker) -> None:
        add = ("call", "-A", "project", "project.add", "-a", '["long", "long"]', "--wait")

        assert busy.shell.output(*add, "--limit", 4).endswith("'lon... (6 more characters)")
        assert busy.shell.json(*add, "--limit", 4)["result"] == "longlong"

    def test_an_error_is_shown_with_its_traceback_when_asked(self, busy: BusyWorker) -> None:
        output = busy.shell.output(
            "call", "-A", "project", "project.refuse", "-a", '["no\\u001b way"]', "--wait", code=1
        )
        id, answer = output.splitlines()
        document = busy.shell.json("result", id, "-A", "project", code=1)
        traced = busy.shell.output("result", id, "-A", "project", "--traceback", code=1)

        assert answer.startswith("FAILURE: Refused(")
        assert "no\\x1b way" in answer
        assert document["error"]["type"] == "Refused"
        assert "in refuse" in document["traceback"]
        assert "in refuse" in traced
        assert "\x1b" not in traced

    def test_an_error_whose_class_is_not_importable_is_shown_by_its_name(
        self, busy: BusyWorker, tmp_path: Path
    ) -> None:
        id = busy.shell.call("project.refuse", "--args", '["no"]')
        busy.shell.tool("result", id, "-A", "project", "--wait", code=1)
        elsewhere = Shell(tmp_path)
        tmp_path.joinpath("project.py").unlink()

        document = elsewhere.json(
            "result", id, "-b", f"sqlite:///{busy.shell.folder / 'store.db'}", code=1
        )

        assert document["error"]["type"] == "Refused"
        assert document["repr"] == "Refused('no')"

    def test_a_value_that_needs_the_applications_classes_asks_for_it(
        self, busy: BusyWorker
    ) -> None:
        shell = busy.shell
        id = shell.call("project.find")
        ours = shell.output("result", id, "-A", "project", "--wait")
        url, nowhere = f"sqlite:///{shell.folder / 'store.db'}", shell.folder / "nowhere"
        nowhere.mkdir()

        theirs = Shell(nowhere)
        nowhere.joinpath("project.py").unlink()

        assert "project.Place" in ours
        assert "-A" in theirs.error("result", id, "-b", url, code=65)

    def test_the_state_that_a_running_task_reports_is_shown(self, busy: BusyWorker) -> None:
        def shown() -> str:
            return busy.shell.output("result", busy.running, "-A", "project")

        assert wait_for(lambda: "WAITING" in shown())
        assert shown() == "WAITING: {'for': 'never'}"

    def test_inspect_shows_its_running_task(self, busy: BusyWorker) -> None:
        (worker,) = busy.shell.json("inspect", "active", "-A", "project")["workers"]

        (task,) = worker["tasks"]
        assert (task["id"], task["name"]) == (busy.running, "project.wait_for")
        assert (task["phase"], task["worker"]) == ("running", worker["name"])
        assert task["started"] >= task["created"]
        assert busy.running in busy.shell.output("inspect", "active", "-A", "project")

    def test_inspect_shows_its_tasks_and_queues(self, busy: BusyWorker) -> None:
        (registered,) = busy.shell.json("inspect", "registered", "-b", URL, "-t", 30)["workers"]
        (served,) = busy.shell.json("inspect", "active_queues", "-b", URL, "-t", 30)["workers"]

        assert "project.add" in registered["tasks"]
        assert served["queues"] == ["celery"]

    def test_inspect_shows_its_heartbeat_and_stats(self, busy: BusyWorker) -> None:
        (pinged,) = busy.shell.json("inspect", "ping", "-b", URL, "-t", 30)["workers"]
        (stats,) = busy.shell.json("inspect", "stats", "-b", URL, "-t", 30)["workers"]

        assert pinged["pong"] is True
        assert stats["pid"] == busy.worker.pid
        assert stats["uptime"] > 0

    def test_other_workers_can_be_asked_for(self, busy: BusyWorker) -> None:
        document = busy.shell.json("inspect", "ping", "-b", URL, "-d", "ant@nowhere", code=69)

        assert document["workers"] == []

    def test_a_running_task_is_not_purged(self, busy: BusyWorker) -> None:
        busy.shell.tool("purge", "-b", URL, "--force")

        (task,) = busy.shell.json("inspect", "query_task", busy.running, "-b", URL)["tasks"]
        assert task["phase"] == "running"


def message(id: str, task: str = "t", queue: str = "celery", eta: float | None = None) -> Message:
    return Message(id, task, b"[[], {}]", "json", queue, eta=eta)


def test_an_application_with_a_broker_of_its_own_takes_no_other(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write(
        "own.py",
        "from liteq import LiteQ\nfrom liteq.brokers import connect\n"
        "app = LiteQ('own', broker=connect('sqlite:///own.db'))\n",
    )

    printed = project.liteq("-A", "own", "-b", "sqlite:///other.db", "call", "x", code=78)

    assert "--broker cannot replace the store of -A own" in printed
    assert "own.db" in printed
