"""The options that a task's code gives it hold whoever sends it: the worker looks them up."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, chain
from liteq.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from liteq.result import AsyncResult
from tests.e2e.project import Project, has_lines, wait_for

SHOP = """
import os, signal, time
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

def note(path):
    with open(path, "a") as file:
        file.write("ran\\n")

@app.task(name="shop.charge", acks_late=False)
def charge(path):
    note(path)
    os.kill(os.getpid(), signal.SIGKILL)

@app.task(name="shop.slow", acks_late=False)
def slow(path):
    note(path)
    time.sleep(60)

@app.task(name="shop.silent", ignore_result=True)
def silent(path=None):
    return "a secret"

@app.task(name="shop.broken", ignore_result=True)
def broken():
    raise ValueError("no")

@app.task(name="shop.tracked", track_started=True)
def tracked(path):
    while not os.path.exists(path):
        time.sleep(0.01)

@app.task(name="shop.limited", time_limit=0.2)
def limited():
    time.sleep(60)

@app.task(name="shop.soft", soft_time_limit=0.2)
def soft():
    time.sleep(60)
"""

Send = Callable[..., AsyncResult[Any]]


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project(tmp_path, SHOP)


@pytest.fixture
def web(shop: Project) -> Iterator[LiteQ]:
    """Yield the app of a program that knows the tasks only by their names."""
    with LiteQ("web", broker=f"sqlite:///{shop.folder}/project.db") as app:
        yield app


def by_app(web: LiteQ, name: str, *args: Any) -> AsyncResult[Any]:
    return web.send_task(name, args)


def by_signature(web: LiteQ, name: str, *args: Any) -> AsyncResult[Any]:
    return web.signature(name, args).apply_async()


def as_a_step(web: LiteQ, name: str, *args: Any) -> AsyncResult[Any]:
    step = web.signature(name, args, immutable=True)
    result: AsyncResult[Any] = chain(web.signature("shop.silent"), step).apply_async()
    return result


@pytest.mark.parametrize("send", [by_app, by_signature, as_a_step])
def test_the_options_of_the_code_hold_for_a_task_that_is_sent_by_name(
    shop: Project, web: LiteQ, send: Send
) -> None:
    charged, go_on = shop.folder / "charged", shop.folder / "go_on"
    with shop.worker():
        with pytest.raises(WorkerLostError, match="acks_late=False"):
            send(web, "shop.charge", str(charged)).get(timeout=30)
        tracked = send(web, "shop.tracked", str(go_on))
        wait_for(lambda: tracked.state == "STARTED")
        go_on.touch()
        tracked.get(timeout=30)
        with pytest.raises(TimeLimitExceeded):
            send(web, "shop.limited").get(timeout=30)
        with pytest.raises(SoftTimeLimitExceeded):
            send(web, "shop.soft").get(timeout=30)

    assert charged.read_text() == "ran\n"


def test_a_result_is_ignored_by_the_code_unless_the_call_said_otherwise(
    shop: Project, web: LiteQ
) -> None:
    with shop.worker():
        silent = web.send_task("shop.silent")
        kept = web.send_task("shop.silent", ignore_result=False)
        again = web.signature("shop.silent").set(ignore_result=False).apply_async()
        broken = web.send_task("shop.broken")

        assert silent.get(timeout=30) is None
        assert (kept.get(timeout=30), again.get(timeout=30)) == ("a secret", "a secret")
        exc = broken.get(timeout=30, propagate=False)
    assert (type(exc).__name__, str(exc)) == ("ValueError", "ValueError: no")


def test_a_task_that_may_run_once_does_so_although_its_whole_worker_is_killed(
    shop: Project, web: LiteQ
) -> None:
    ran = shop.folder / "ran"
    result = web.send_task("shop.slow", (str(ran),))
    with shop.worker() as worker:
        wait_for(has_lines(ran))
        os.kill(worker.pid, signal.SIGKILL)
        # The worker that finds the dead one does not know the task.
        with web.Worker(pool="threads", concurrency=1), pytest.raises(WorkerLostError):
            result.get(timeout=30)

    assert ran.read_text() == "ran\n"
