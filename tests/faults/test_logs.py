"""What stands in a worker's log, whoever wrote it; and what never does."""

import re
from pathlib import Path

import pytest

from tests.e2e.project import Project, wait_for

SOURCE = r"""
import logging, subprocess, sys
from liteq import LiteQ
from liteq.signals import after_setup_logger, setup_logging
from liteq.utils.log import get_task_logger

app = LiteQ("project", broker="sqlite:///project.db?durability=fast")
logger = get_task_logger(__name__)

@app.task
def speak(text):
    print(text)
    print("on stderr", file=sys.stderr)
    print("without an end", end="")
    logger.info("by the logger")

@app.task
def shell():
    subprocess.run([sys.executable, "-c", "print('from another program')"], check=True)

@app.task
def quiet():
    return "quiet"
"""

HEAD = r"^\[[-\d: ,]+: {level}/[-\w]+\] project\.speak\[[-0-9a-f]+\]: {text}$"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, SOURCE)


def speak(project: Project, text: str = "hello") -> None:
    project.python(f"from project import speak; speak.delay({text!r}).get(timeout=20)")


def line(level: str, text: str) -> str:
    return HEAD.format(level=level, text=re.escape(text))


@pytest.mark.parametrize("pool", ["processes", "threads", "solo"])
def test_what_a_task_writes_is_in_the_log_with_its_name_and_id(project: Project, pool: str) -> None:
    with project.worker("-P", pool) as worker:
        speak(project, "hello\nw\u00f6rld")
        for text in ("hello", "w\u00f6rld", "on stderr", "without an end"):
            worker.wait_for_line(line("WARNING", text))
        worker.wait_for_line(line("INFO", "by the logger"))


def test_printed_lines_have_the_level_of_the_settings(project: Project) -> None:
    project.write("loud.py", "from project import app\napp.conf.worker_redirect_stdouts_level=40")
    with project.worker("-A", "loud:app", "-l", "error") as worker:
        speak(project)
        worker.wait_for_line(line("ERROR", "hello"))

    assert "by the logger" not in worker.output


def test_without_redirection_a_task_prints_where_the_worker_does(project: Project) -> None:
    project.write("plain.py", "from project import app\napp.conf.worker_redirect_stdouts=False")
    with project.worker("-A", "plain:app", "--logfile", "worker.log") as worker:
        speak(project)
        worker.wait_for_line("^hello$")

    assert "hello" not in (project.folder / "worker.log").read_text()


def test_what_other_programs_print_is_in_the_logfile_too(project: Project) -> None:
    log = project.folder / "worker.log"
    with project.worker("--logfile", "worker.log"):
        project.python("from project import shell; shell.delay().get(timeout=20)")
        wait_for(lambda: "from another program\n" in log.read_text(), "the line")


def test_the_formats_are_those_of_the_settings(project: Project) -> None:
    project.write(
        "formats.py",
        "from project import app\n"
        "app.conf.update(worker_log_format='PLAIN %(message)s',"
        " worker_task_log_format='OF %(task_name)s %(message)s')\n",
    )
    with project.worker("-A", "formats:app") as worker:
        speak(project)
        worker.wait_for_line("^OF project.speak hello$")
        worker.wait_for_line(r"^PLAIN Task project.speak\[[-0-9a-f]+\] succeeded")


def test_a_format_that_is_none_is_refused_at_the_start(project: Project) -> None:
    project.write("wrong.py", "from project import app\napp.conf.worker_log_format='%(message'")
    out = project.liteq("worker", "-A", "wrong:app", code=78)

    assert "liteq: worker_log_format or worker_task_log_format is no format" in out
    assert "Traceback" not in out


def test_a_program_may_set_up_logging_itself(project: Project) -> None:
    project.write(
        "own.py",
        "from project import *\n"
        "@setup_logging.connect\n"
        "def mine(loglevel, **_):\n"
        "    logging.basicConfig(level=loglevel, format='MINE %(message)s')\n",
    )
    with project.worker("-A", "own:app") as worker:
        speak(project)
        worker.wait_for_line("^MINE Task project.speak.* succeeded")
        worker.wait_for_line("^MINE hello$")


def test_a_program_may_add_to_the_log(project: Project) -> None:
    project.write(
        "more.py",
        "from project import *\n"
        "@after_setup_logger.connect\n"
        "def more(logger, **_):\n"
        "    logger.addHandler(logging.FileHandler('second.log'))\n",
    )
    with project.worker("-A", "more:app"):
        speak(project)
        wait_for(lambda: "hello\n" in (project.folder / "second.log").read_text(), "the line")


def test_a_password_on_the_command_line_is_warned_of_and_not_shown(project: Project) -> None:
    url = "redis://me:hush@127.0.0.1:1/0"
    out = project.liteq("purge", "-f", "-A", "project", "-b", url, "--verbose", code=None)

    assert "liteq: any user who can list the processes of this machine can read the password" in out
    assert "hush" not in out


def test_names_in_the_log_are_on_one_line_and_harmless(project: Project) -> None:
    source = (
        "import sqlite3; from project import app; app.broker.counts()\n"
        "db = sqlite3.connect('project.db', isolation_level=None)\n"
        "db.execute('insert into liteq_task (id, task, payload, serializer) values (?, ?, ?, ?)',"
        " ('id\\n[CRITICAL]', 'x\\x1b[31m\\u202ey', b'[[], {}]', 'json'))\n"
    )
    with project.worker() as worker:
        project.python(source)
        line = worker.wait_for_line("unregistered")

    assert r"'x\x1b[31m\u202ey'" in line
    assert not any(line.startswith("[CRITICAL]") for line in worker.lines)


DISABLES = (
    "import logging.config\n"
    "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})\n"
)


@pytest.mark.parametrize("pool", ["processes", "threads"])
@pytest.mark.parametrize("where", ["the application", "a module of tasks", "a receiver"])
def test_a_program_that_disables_all_loggers_does_not_silence_the_worker(
    project: Project, pool: str, where: str
) -> None:
    if where == "the application":
        project.write("project.py", SOURCE + DISABLES)
    elif where == "a module of tasks":
        project.write("more.py", DISABLES)
        project.write("project.py", SOURCE + "app.conf.include = ('more',)\n")
    else:
        body = "".join(f"    {line}\n" for line in DISABLES.splitlines())
        project.write(
            "project.py",
            f"{SOURCE}from liteq.signals import worker_process_init\n"
            f"@worker_process_init.connect\ndef init(**_):\n{body}",
        )
    with project.worker("-P", pool) as worker:
        speak(project)
        worker.wait_for_line(line("WARNING", "hello"))
        worker.wait_for_line("Task project.speak.* succeeded")


def test_an_embedded_worker_speaks_after_the_program_disabled_all_loggers(
    project: Project,
) -> None:
    source = (
        "from project import *\n"
        "import logging.config\n"
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'INFO', 'handlers': ['c']},\n"
        "    'handlers': {'c': {'class': 'logging.StreamHandler'}}})\n"
        "with app.Worker(pool='threads', concurrency=1):\n"
        "    app.send_task('project.quiet').get(timeout=20)\n"
    )

    assert "Task project.quiet" in project.python(source)


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_worker_that_cannot_keep_time_limits_says_so_when_it_starts(
    project: Project, pool: str
) -> None:
    limits = "@app.task(time_limit=5)\ndef limited(): ...\n"
    project.write("project.py", SOURCE + limits)
    with project.worker("-P", pool) as worker:
        worker.wait_for_line(f"the time_limit of project.limited has no effect: the pool '{pool}'")


def test_a_worker_that_can_keep_time_limits_says_nothing_of_them(project: Project) -> None:
    limits = "@app.task(time_limit=5)\ndef limited(): ...\n"
    project.write("project.py", SOURCE + limits)
    with project.worker() as worker:
        worker.wait_for_line(" ready")

    assert "time_limit" not in worker.output


@pytest.mark.parametrize("pool", ["processes", "threads"])
def test_lines_of_a_task_and_of_its_end_name_the_slot_in_which_it_ran(
    project: Project, pool: str
) -> None:
    with project.worker("-P", pool, "-c", "1") as worker:
        speak(project)
        worker.wait_for_line("WARNING/slot-0\\] project.speak.*: hello$")
        worker.wait_for_line("INFO/slot-0\\] Task project.speak.* succeeded")
        worker.wait_for_line("INFO/MainProcess\\] Task project.speak.* received")
