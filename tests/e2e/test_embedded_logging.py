"""What tasks log in the children of an embedded worker reaches the program's own handlers."""

import sys
from pathlib import Path

import pytest

from .project import Project

SCRIPT = """
import logging, logging.config, multiprocessing, sys
from liteq import LiteQ
from liteq.utils.log import get_task_logger

app = LiteQ("script", broker="sqlite:///script.db")
tasklog = get_task_logger("script.tasks")
ABOVE

@app.task
def speak(text):
    logging.getLogger("library").info("library %s", text)
    logging.getLogger("library").debug("debug %s", text)
    logging.getLogger("quiet").info("quiet %s", text)
    tasklog.warning("tasklog %s", text)
    try:
        raise KeyError(text)
    except KeyError:
        logging.exception("root")

@app.task
def helper():
    process = multiprocessing.get_context("fork").Process(target=logging.error, args=("helper",))
    process.start()
    process.join()

if __name__ == "__main__":
    GUARDED
    with app.Worker(concurrency=1):
        speak.delay("x").get(timeout=60)
        helper.delay().get(timeout=60)
"""
FORMAT = "'%(levelname)s %(name)s %(processName)s %(message)s'"
BASIC = f"logging.basicConfig(level=logging.INFO, format={FORMAT})"
NAMED = """logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"f": {"format": FORMAT}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
    "loggers": {"library": {"handlers": ["h"], "propagate": False, "level": "DEBUG"}},
})""".replace("FORMAT", FORMAT)
WANTED = ["library x", "tasklog x", "root"]


def output(project: Project, *, above: str = "", guarded: str = "pass") -> list[str]:
    source = SCRIPT.replace("ABOVE", above).replace("GUARDED", guarded.replace("\n", "\n    "))
    project.write("script.py", source)
    return project.run("script.py").splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_program_that_sets_up_logging_under_its_guard_sees_what_tasks_log(
    project: Project,
) -> None:
    guarded = f"{BASIC}\nlogging.getLogger('quiet').setLevel('ERROR')"
    lines = output(project, guarded=guarded)

    assert lines.count("INFO library slot-0 library x") == 1
    assert lines.count("WARNING script.tasks slot-0 tasklog x") == 1
    assert lines.count("ERROR root slot-0 root") == 1
    assert lines.count("KeyError: 'x'") == 1
    assert not [line for line in lines if "debug x" in line or "quiet x" in line]


def test_the_loggers_of_the_program_keep_their_own_handlers_and_levels(project: Project) -> None:
    lines = output(project, guarded=NAMED)

    assert lines.count("INFO library slot-0 library x") == 1
    assert lines.count("DEBUG library slot-0 debug x") == 1
    assert lines.count("tasklog x") == 1  # by the handler that Python has where there is none


@pytest.mark.parametrize("above", [BASIC, NAMED])
def test_logging_that_the_child_sets_up_itself_shows_each_line_once(
    project: Project, above: str
) -> None:
    text = "\n".join(output(project, above=above))

    assert {what: text.count(what) for what in ("library x", "tasklog x")} == {
        "library x": 1,
        "tasklog x": 1,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_process_that_a_task_forks_does_not_write_to_the_stream_of_the_child(
    project: Project,
) -> None:
    lines = output(project, guarded=BASIC)

    assert "helper" in lines
    assert not [line for line in lines if "lost its process" in line]
