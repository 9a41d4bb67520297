"""Workers on Redis that are stopped, killed, cut off, or given what they must not run."""

import os
import pickle
import signal
import time
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.redis import RedisBroker
from liteq.states import Phase
from tests.e2e.project import TASKS, Project, alive, has_lines, wait_for
from tests.faults.namespaces import container
from tests.faults.redis_tasks import FILE, done, message, project_on
from tests.redis_workers import end_lease, miss_heartbeats
from tests.servers import RedisServer, needs_redis

pytestmark = [needs_redis, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]


def test_a_stopped_worker_of_the_same_machine_keeps_its_tasks_when_its_lease_has_ended(
    broker: RedisBroker, server: RedisServer, tmp_path: Path
) -> None:
    project = project_on(tmp_path, server.url)
    path = tmp_path / "marks"
    with project.worker("-n", "sleeper", "-c", "1") as sleeper:
        (number,) = [each.id for each in broker.workers()]
        broker.enqueue([message("a", f'[["{path}", 0], {{}}]'.encode(), "project.mark")])
        (tmp_path / "marks.hold").touch()
        wait_for(has_lines(path), "the task")
        sleeper.send(signal.SIGSTOP)
        miss_heartbeats(broker, number)
        with project.worker("-n", "other", "-c", "1") as other:
            # Several of its rounds of rescue pass, and tasks are run in between.
            end = time.monotonic() + 3
            while time.monotonic() < end:
                sent = message()
                broker.enqueue([sent])
                wait_for(partial(done, broker, [sent.id]), "what was sent meanwhile")
            (tmp_path / "marks.hold").unlink()
            sleeper.send(signal.SIGCONT)
            wait_for(lambda: done(broker, ["a"]), "its outcome")
            assert "rescued" not in other.output
    assert path.read_text().count("begin") == 1
    assert len(broker.attempts("a")) == 1


@pytest.mark.parametrize("pool", ["solo", "threads", "processes"])
def test_a_worker_sends_heartbeats_while_a_task_runs(
    broker: RedisBroker, server: RedisServer, tmp_path: Path, pool: str
) -> None:
    project = project_on(tmp_path, server.url)
    path = tmp_path / "marks"
    (tmp_path / "marks.hold").touch()
    with project.worker("-P", pool, "-c", "1"):
        broker.enqueue([message("a", f'[["{path}", 0], {{}}]'.encode(), "project.mark")])
        wait_for(has_lines(path), "the task")
        beats: set[float] = set()

        def two_came() -> bool:
            beats.update(each.beat for each in broker.workers())
            return len(beats) > 2

        wait_for(two_came, "two heartbeats")
        (tmp_path / "marks.hold").unlink()
        wait_for(lambda: done(broker, ["a"]), "its end")


def test_a_worker_that_was_stopped_too_long_terminates_the_tasks_taken_from_it(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    project = project_on(tmp_path, server.url)
    path = tmp_path / "marks"
    with project.worker("-n", "sleeper") as sleeper:
        (number,) = [each.id for each in broker.workers()]
        broker.enqueue([message("a", f'[["{path}", 300], {{}}]'.encode(), "project.mark")])
        wait_for(has_lines(path), "the task")
        stopped = sleeper.pid
        first = int(path.read_text().split()[1])
        os.kill(stopped, signal.SIGSTOP)
        try:
            end_lease(broker, number)
            with project.worker("-n", "other"):
                wait_for(lambda: path.read_text().count("begin") == 2, "the second start")
                os.kill(stopped, signal.SIGCONT)
                wait_for(lambda: not alive(first), "the end of the first process")
                sleeper.wait_for_line("the lease of this worker ended")
                sleeper.wait_for_line(r"Task project.mark\[a\] terminated: another worker has it")
                assert "revoked" not in sleeper.output
                record = broker.fetch(["a"])[0]
                assert record is not None
                assert record.phase is Phase.RUNNING
                assert str(record.worker).startswith("other")
        finally:
            os.kill(stopped, signal.SIGCONT)


def test_a_worker_that_was_killed_elsewhere_is_noticed(
    broker: RedisBroker, server: RedisServer, tmp_path: Path
) -> None:
    """Its processes cannot be seen from here: its lease ends."""
    project = project_on(tmp_path, server.url)
    path = tmp_path / "marks"
    (tmp_path / "marks.hold").touch()
    with project.worker("-n", "here", "-Q", "here"), container(project, "-n", "there") as there:
        broker.enqueue([message("a", f'[["{path}", 0], {{}}]'.encode(), "project.mark")])
        wait_for(has_lines(path), "the task")
        there.kill()
        wait_for(lambda: broker.fetch(["a"])[0].phase is Phase.READY)  # type: ignore[union-attr]
    assert [each.outcome for each in broker.attempts("a")] == ["lost"]


def test_workers_keep_their_tasks_when_the_server_was_paused(
    server: RedisServer, tmp_path: Path
) -> None:
    """For longer than a client waits for a reply. The workers cannot see each other's processes."""
    broker = connect(server.url + "?timeout=20")
    project = project_on(tmp_path, server.url)
    path = tmp_path / "marks"
    (tmp_path / "marks.hold").touch()
    with container(project, "-n", "one", "-c", "1"), container(project, "-n", "two", "-c", "1"):
        sent = [message(id, f'[["{path}", 0], {{}}]'.encode(), "project.mark") for id in ("a", "b")]
        broker.enqueue(sent)
        wait_for(has_lines(path, 2), "the tasks")
        beats = {each.name: each.beat for each in broker.workers()}
        server.command("CLIENT", "PAUSE", 6500, "ALL")
        wait_for(
            lambda: all(each.beat > beats[each.name] + 6.5 for each in broker.workers()),
            "the heartbeats of both",
        )
        (tmp_path / "marks.hold").unlink()
        wait_for(lambda: done(broker, ["a", "b"]), "their ends")
    assert path.read_text().count("begin") == 2
    assert [len(broker.attempts(id)) for id in ("a", "b")] == [1, 1]
    broker.close()


def test_a_worker_goes_on_when_the_store_is_emptied(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    project = project_on(tmp_path, server.url)
    with project.worker() as worker:
        broker.enqueue([message("a", b"[[1], {}]", "project.nap")])
        wait_for(lambda: broker.fetch(["a"])[0].phase is Phase.RUNNING)  # type: ignore[union-attr]
        server.command("FLUSHDB")
        worker.wait_for_line("the store was emptied")
        broker.enqueue([message("b")])
        wait_for(lambda: done(broker, ["b"]), "what was sent afterwards")


def test_an_idle_worker_forgets_workers_that_stopped_long_ago(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    prefix = broker.location.prefix
    server.command("ZADD", f"{prefix}:workers", time.time() - 8 * 86400, 999)
    server.command("HSET", f"{prefix}:worker:999", "name", "old")
    with project_on(tmp_path, server.url).worker("-P", "threads"):
        wait_for(lambda: not server.command("EXISTS", f"{prefix}:worker:999"), "the upkeep")
    assert server.command("ZSCORE", f"{prefix}:workers", 999) is None


class Evil:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def test_an_unsigned_pickle_is_not_decoded(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    settings = 'secret_key="' + "k" * 32 + '", task_serializer="pickle", result_serializer="pickle"'
    source = TASKS.replace(f'broker="{FILE}"', f'broker="{server.url}", {settings}')
    project = Project(tmp_path, source)
    trap = tmp_path / "trap"
    evil = pickle.dumps(((Evil(str(trap)),), {}))
    with project.worker() as worker:
        assert "3" in project.python("from project import *; print(add.delay(1, 2).get(20))")
        broker.enqueue([message("evil", evil)._replace(serializer="pickle")])
        wait_for(lambda: broker.fetch(["evil"])[0].phase.final)  # type: ignore[union-attr]
        assert "3" in project.python("from project import *; print(add.delay(1, 2).get(20))")
        assert worker.process.poll() is None
    record = broker.fetch(["evil"])[0]
    assert record is not None
    assert record.phase is Phase.DEAD
    assert not trap.exists()
    pickle.loads(evil)  # it would have been
    assert trap.exists()
