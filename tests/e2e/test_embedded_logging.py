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


ODD = """
import enum, logging, sys
from liteq import LiteQ

app = LiteQ("odd", broker="sqlite:///odd.db", task_max_lost=1)

class Level(enum.IntEnum):
    AUDIT = 35

class Text(str):
    def __str__(self):
        return self

class Bad:
    def __str__(self):
        raise RuntimeError("no text")

class Raw(logging.LogRecord):
    def getMessage(self):
        return b"raw"

log = logging.getLogger("odd")

def made(**values):
    log.handle(logging.makeLogRecord({"name": "odd", "msg": "made", "levelno": 40, **values}))

DEEDS = {
    "format": lambda: log.error("total %d", "12.5"),
    "argument": lambda: log.error("%s", Bad()),
    "level": lambda: log.log(Level.AUDIT, "audit"),
    "true": lambda: log.log(True, "true"),
    "logger": lambda: logging.getLogger(Text("odd.text")).error("named"),
    "file": lambda: exec(compile("log.error('filed')", Text("odd file"), "exec"), {"log": log}),
    "raw": lambda: log.handle(Raw("odd", 40, "x.py", 1, "msg", (), None)),
    "msg": lambda: log.error(Text("text")),
    "name": lambda: made(name=None),
    "pathname": lambda: made(pathname=None),
    "lineno": lambda: made(lineno=None),
    "lineno text": lambda: made(lineno="12"),
    "lineno words": lambda: made(lineno="twelve"),
    "funcName": lambda: made(funcName=5),
    "created": lambda: made(created=None),
    "created far": lambda: made(created=1e300),
    "created nan": lambda: made(created=float("nan")),
    "exc_text": lambda: made(exc_text=5),
    "exc_info": lambda: made(exc_info=(None, None, None)),
    "threadName": lambda: made(threadName=None),
}

@app.task
def speak(how):
    DEEDS[how]()
    return "ok"

if __name__ == "__main__":
    logging.basicConfig(level=1, format="%(levelno)s %(name)s %(asctime)s %(message)s")
    with app.Worker(concurrency=1):
        results = {how: speak.delay(how).get(timeout=60, propagate=False) for how in DEEDS}
        print("wrong:", {how: value for how, value in results.items() if value != "ok"})
"""


def test_a_record_that_is_wrong_or_made_by_others_never_costs_its_task(project: Project) -> None:
    project.write("odd.py", ODD)

    output = project.run("odd.py")

    assert "wrong: {}" in output
    for shown in ("audit", "named", "filed", "text", "made"):
        assert shown in output
    assert output.count("--- Logging error ---") >= 2  # as Python says of a wrong format
    assert "lost its process" not in output


OWN_HANDLER = """
import logging
from liteq import LiteQ

app = LiteQ("own", broker="sqlite:///own.db", task_max_lost=1)

@app.task
def speak():
    logging.getLogger("own").error("x")
    return "ok"

class Leaves(logging.Handler):
    def emit(self, record):
        raise SystemExit(3)

def marked(*args, **kwargs):
    record = logging.LogRecord(*args, **kwargs)
    record.slot = "mine"
    return record

if __name__ == "__main__":
    logging.getLogger("own").addHandler(Leaves())
    logging.root.setLevel(logging.INFO)
    logging.setLogRecordFactory(marked)
    with app.Worker(concurrency=1):
        print([speak.delay().get(timeout=60) for _ in range(2)])
"""


def test_what_the_program_does_to_records_costs_neither_a_task_nor_the_worker(
    project: Project,
) -> None:
    project.write("own.py", OWN_HANDLER)

    assert "['ok', 'ok']" in project.run("own.py")
