"""`import liteq.as_celery`: programs find Celery's modules, served by liteq.

Each test is a program of its own, since what it imports stays imported.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from liteq.as_celery.counterparts import MISSING, SERVED
from tests.e2e.project import ROOT


def run(source: str, tmp_path: Path, *, code: int = 0) -> str:
    """Run a program with `source`; return what it prints, errors too."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def test_the_names_of_celery_are_those_of_liteq(tmp_path: Path) -> None:
    source = """
import liteq, liteq.as_celery
import celery, celery.result
from celery import Celery, Task, VERSION, chain, current_app, shared_task
from celery.app.base import Celery as Base
from celery.app.control import Control, Inspect
from celery.app.task import Context
from celery.exceptions import OperationalError, SoftTimeLimitExceeded
from celery.schedules import crontab
from celery.utils.log import get_task_logger
from celery.utils.time import get_exponential_backoff_interval
from billiard.exceptions import WorkerLostError
from billiard import cpu_count
from kombu.exceptions import EncodeError
assert Celery is Base is liteq.LiteQ and Task is liteq.Task and current_app is liteq.current_app
assert celery.result.AsyncResult is liteq.AsyncResult
assert celery.canvas.group is liteq.group and celery.states.SUCCESS == "SUCCESS"
assert celery.__version__.startswith("5.") and VERSION >= (5, 0)
assert "group" in dir(celery.canvas)
"""
    run(source, tmp_path)


def test_warnings_of_celery_can_be_named_in_filters(tmp_path: Path) -> None:
    source = """
import liteq.as_celery, warnings
from celery.exceptions import CDeprecationWarning, CPendingDeprecationWarning, SecurityWarning
from kombu.utils.url import maybe_sanitize_url, safequote
warnings.filterwarnings("error", category=CDeprecationWarning)
warnings.filterwarnings("ignore", category=SecurityWarning)
print(issubclass(CPendingDeprecationWarning, PendingDeprecationWarning))
print(safequote("p@ss/word"), maybe_sanitize_url("redis://:hush@host"))
"""
    assert run(source, tmp_path).split() == ["True", "p%40ss%2Fword", "redis://:***@host"]


def test_what_has_no_counterpart_says_why(tmp_path: Path) -> None:
    source = """
import liteq.as_celery
import celery
for statement in (
    "import celery.worker.request",
    "from celery import bootsteps",
    "from celery.result import Nonsense",
    "from kombu import Connection",
    "celery.Nonsense",
):
    try:
        exec(statement)
    except (ImportError, AttributeError) as error:
        print(type(error).__name__, error)
print(hasattr(celery, "Nonsense"))
"""
    lines = run(source, tmp_path).splitlines()

    assert lines[0].startswith(
        "ModuleNotFoundError liteq serves no celery.worker.request: the worker can"
    )
    assert lines[1].startswith("ImportError liteq serves no celery.bootsteps: the worker cannot be")
    assert "no celery.result.Nonsense: docs/coming-from-celery.md" in lines[2]
    assert lines[3].startswith("ImportError liteq serves no kombu.Connection: there are no conn")
    assert lines[4].startswith("AttributeError liteq serves no celery.Nonsense")
    assert lines[5:] == ["False"]


def test_what_programs_use_of_celery_platforms_works_or_says_why_not(tmp_path: Path) -> None:
    source = """
import liteq.as_celery
from celery import Celery, bugreport, platforms
platforms.C_FORCE_ROOT = True
platforms.set_process_title("mine")
app = Celery("x", broker="memory://")
print(bugreport().split()[0])
for name in ("detached", "create_pidlock"):
    try:
        exec(f"from celery.platforms import {name}")
    except ImportError as error:
        print(error)
try:
    from celery.utils.imports import symbol_by_name
except ImportError as error:
    print(error)
"""
    lines = run(source, tmp_path).splitlines()

    assert lines[0] == "software"
    assert "a service manager" in lines[1]
    assert "--pidfile" in lines[2]
    assert "pkgutil.resolve_name" in lines[3]


def test_the_real_celery_that_is_already_imported_is_named_and_left_alone(tmp_path: Path) -> None:
    tmp_path.joinpath("celery.py").write_text("real = True\n")

    printed = run("import celery, liteq.as_celery", tmp_path, code=1)

    assert "ImproperlyConfigured: liteq cannot serve 'celery': the real one is already" in printed
    assert str(tmp_path / "celery.py") in printed


def test_a_celery_that_is_installed_but_not_imported_is_passed_over(tmp_path: Path) -> None:
    tmp_path.joinpath("celery.py").write_text("raise SystemExit('the real one')\n")

    assert run("import liteq.as_celery, celery; print(celery.Celery)", tmp_path) == (
        "<class 'liteq.app.base.LiteQ'>\n"
    )


def test_celery_s_modules_are_not_served_unasked(tmp_path: Path) -> None:
    assert "No module named 'celery'" in run("import liteq, celery", tmp_path, code=1)


def test_queues_of_kombu_name_the_queues_of_a_worker(tmp_path: Path) -> None:
    source = """
import warnings
import liteq.as_celery
from celery import Celery
from kombu import Exchange, Queue
app = Celery("x", broker="memory://")
app.conf.task_queues = [Queue("a"), Queue("b", Exchange("b"), routing_key="b", durable=True)]
print(app.Worker(pool="threads").queues)
warnings.simplefilter("error")
try:
    Exchange("news", type="topic")
except UserWarning as warning:
    print(warning)
"""
    lines = run(source, tmp_path).splitlines()

    assert lines[0] == "('a', 'b', 'celery')"
    assert lines[1].startswith("exchange 'news' of the type 'topic': liteq has queues only")


def test_a_serializer_that_is_registered_with_kombu_carries_arguments_and_results(
    tmp_path: Path,
) -> None:
    source = """
import json
import liteq.as_celery
from celery import Celery
from kombu.serialization import register
from liteq.testing import drain
register("mine", lambda value: "m" + json.dumps(value), lambda text: json.loads(text[1:]),
         content_type="application/x-mine", content_encoding="utf-8")
app = Celery("x", broker="memory://", task_serializer="mine", result_serializer="mine",
             accept_content=["application/x-mine"])
@app.task
def add(x, y): return x + y
sent = add.delay("é", "b")
print(app.broker.fetch([sent.id])[0].message.payload)
drain(app)
print(sent.get())
"""
    lines = run(source, tmp_path).splitlines()

    assert lines[0].startswith("b'm[[")
    assert lines[1] == "éb"


@pytest.mark.parametrize("name", SERVED)
def test_what_is_served_is_there(name: str) -> None:
    for source in SERVED[name]:
        importlib.import_module(source)


def test_what_is_missing_is_not_served() -> None:
    assert set(MISSING) & set(SERVED) == set()


def test_a_module_that_is_not_served_is_not_found_and_the_reason_is_told(tmp_path: Path) -> None:
    source = """
from importlib.util import find_spec
import liteq.as_celery
print(find_spec("celery.concurrency"), find_spec("celery.nope"), find_spec("celery.result").name)
for line in (
    "import celery.concurrency",
    "from celery.concurrency import x",
    "find_spec('celery.concurrency.request')",
    "from celery import concurrency",
    "from kombu import Connection",
):
    try:
        exec(line)
    except ImportError as error:
        print(type(error).__name__, error.name, error)
names = {}
exec("from celery import *", names)
print("sources" in names, "Celery" in names)
"""
    lines = run(source, tmp_path).splitlines()

    assert lines[0] == "None None celery.result"
    name = "celery.concurrency"
    for line in lines[1:4]:
        assert line.startswith(f"ModuleNotFoundError {name} liteq serves no {name}: ")
    assert lines[4].startswith(f"ImportError {name} liteq serves no {name}: the")
    assert lines[5].startswith("ImportError kombu.Connection liteq serves no kombu.Connection: ")
    assert lines[6] == "False True"
