"""Failures of a Redis server while workers run, and failures of workers on it."""

import os
import pickle
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Broker, Claim
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import BrokerFull, BrokerUnavailable, BrokerUnreachable
from liteq.model.message import Delivery, Message, new_id
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.e2e.project import TASKS, Project, alive, children_of, has_lines, wait_for
from tests.faults.namespaces import container
from tests.faults.proxy import Proxy
from tests.faults.storage import needs_strace
from tests.redis_workers import end_lease, miss_heartbeats
from tests.servers import RedisServer, needs_redis, running_server

pytestmark = [needs_redis, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]

FILE = "sqlite:///project.db"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Yield a server of the test's own, which keeps all that it has acknowledged."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, *DURABLE) as server:
        yield server


@pytest.fixture
def broker(server: RedisServer) -> Iterator[RedisBroker]:
    broker = connect(server.url + "?timeout=2")
    assert isinstance(broker, RedisBroker)
    yield broker
    broker.close()


def project_on(folder: Path, url: str) -> Project:
    return Project(folder, TASKS.replace(FILE, url))


def message(id: str = "", payload: bytes = b"[[1, 2], {}]", task: str = "project.add") -> Message:
    return Message(id or new_id(), task, payload, "json", "celery")


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"3", "json")


def done(broker: Broker, ids: list[str]) -> bool:
    """Return whether all tasks have succeeded; False while the server is away."""
    try:
        records = broker.fetch(ids)
    except BrokerUnavailable:
        return False
    assert all(records), "an acknowledged task is gone"
    return all(record and record.phase is Phase.SUCCEEDED for record in records)


# the server starts late, is killed, and is restarted


def test_a_worker_waits_for_a_server_that_starts_late(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    project = project_on(tmp_path, server.url)
    with project.program("-m", "liteq", "worker", "-A", "project", "-l", "info") as worker:
        worker.wait_for_line("the store fails, trying again")
        try:
            server.start()
            worker.wait_for_line("the store works again")
            assert "5" in project.python("from project import add; print(add.delay(2, 3).get(20))")
        finally:
            server.kill()


def test_a_worker_that_waits_for_a_server_can_be_stopped(tmp_path: Path) -> None:
    project = project_on(tmp_path, RedisServer(tmp_path).url)
    with project.program("-m", "liteq", "worker", "-A", "project", "-l", "info") as worker:
        worker.wait_for_line("the store fails, trying again")
        worker.send(signal.SIGTERM)
        worker.wait()


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    project = project_on(tmp_path, server.url)
    acknowledged: list[str] = []
    with project.worker() as worker:
        for _ in range(3):
            for _ in range(100):
                batch = [message() for _ in range(5)]
                broker.enqueue(batch)
                acknowledged += [each.id for each in batch]
            server.kill()
            with pytest.raises(BrokerUnreachable):
                broker.enqueue([message()])
            server.start()
        wait_for(lambda: done(broker, acknowledged), "the rest", 60)
        assert worker.process.poll() is None
    assert all(len(broker.attempts(id)) >= 1 for id in acknowledged[:20])


def test_a_task_that_ran_while_the_server_was_away_is_settled_once(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    project = project_on(tmp_path, server.url)
    path = tmp_path / "marks"
    with project.worker():
        payload = f'[["{path}", 1.5], {{}}]'.encode()
        broker.enqueue([message("a", payload, "project.mark")])
        wait_for(has_lines(path), "the task")
        server.kill()
        wait_for(lambda: "end" in path.read_text(), "its end")
        server.start()
        wait_for(lambda: done(broker, ["a"]), "its outcome")
    assert path.read_text().count("begin") == 1
    assert len(broker.attempts("a")) == 1


def test_a_waiting_caller_gets_its_result_after_a_restart(
    server: RedisServer, tmp_path: Path
) -> None:
    project = project_on(tmp_path, server.url)
    source = "from project import *; r = nap.delay(3); print('sent', flush=True); print(r.get(60))"
    with project.worker(), project.program("-c", source) as caller:
        caller.wait_for_line("sent")
        server.kill()
        server.start()
        assert caller.wait() == 0, caller.output
        assert "3" in caller.output


# a network that fails


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def behind(proxy: Proxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0?timeout=1&connect_timeout=1"


def test_a_worker_survives_reset_connections_and_a_silent_network(
    proxy: Proxy, behind: str, broker: RedisBroker, tmp_path: Path
) -> None:
    project = project_on(tmp_path, behind)
    with project.worker() as worker:
        for _ in range(5):
            proxy.reset()
            batch = [message() for _ in range(20)]
            broker.enqueue(batch)
            sent = [each.id for each in batch]
            wait_for(partial(done, broker, sent), "what was sent")
        proxy.silent = True
        worker.wait_for_line("the store fails")
        batch = [message() for _ in range(20)]
        broker.enqueue(batch)
        proxy.silent = False
        wait_for(lambda: done(broker, [each.id for each in batch]), "what was sent meanwhile")
        assert worker.process.poll() is None


def test_a_caller_gets_an_error_within_the_timeout_when_no_reply_comes(
    proxy: Proxy, behind: str
) -> None:
    broker = connect(behind)
    broker.enqueue([message()])
    proxy.silent = True

    with pytest.raises(BrokerUnreachable, match="does not answer"):
        broker.enqueue([message()])
    broker.close()


def test_a_task_whose_acknowledgement_was_lost_is_stored_once(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind)
    ours.enqueue([message("first")])
    proxy.mute = True
    with pytest.raises(BrokerUnreachable):
        ours.enqueue([message("a")])
    proxy.mute = False
    proxy.reset()
    ours.enqueue([message("a")])
    ours.close()

    assert [count.tasks for count in broker.counts()] == [2]


def test_tasks_of_a_claim_with_a_lost_reply_are_not_stuck(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind)
    claim = Claim(ours.register("worker", "{}"), ("celery",), 5)
    broker.enqueue([message("a"), message("b")])
    proxy.mute = True
    with pytest.raises(BrokerUnreachable):
        ours.claim(claim)
    proxy.mute = False
    proxy.reset()

    deliveries = ours.claim(claim)
    assert [each.message.id for each in deliveries] == ["a", "b"]
    assert ours.settle(list(map(success, deliveries))).refused == []
    ours.close()


@contextmanager
def a_broken_connection(proxy: Proxy, is_done: Callable[[], bool]) -> Iterator[None]:
    """Break all connections when what the block does is done, before its reply comes.

    The server must know the script by then.
    """

    def break_it() -> None:
        wait_for(is_done)
        proxy.mute = False
        proxy.reset()

    breaker = threading.Thread(target=break_it)
    proxy.mute = True
    breaker.start()
    yield
    breaker.join()


def test_a_settlement_that_is_sent_again_at_once_is_not_refused(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind.replace("timeout=1&", "timeout=20&"))
    claim = Claim(ours.register("worker", "{}"), ("celery",), 5)
    broker.enqueue([message("a"), message("b")])
    a, b = ours.claim(claim)
    retry = b.message._replace(retries=1)
    ours.settle([])
    retried = Settlement(b.receipt, Phase.READY, 1.0, retry=retry, why="retry")

    with a_broken_connection(proxy, lambda: done(broker, ["a"])):
        settled = ours.settle([success(a), retried])

    assert settled.refused == []
    assert [len(broker.attempts(id)) for id in ("a", "b")] == [1, 1]
    assert ours.settle([success(a)]).refused == [a.receipt]
    ours.close()


def test_a_worker_that_is_registered_again_at_once_is_one_worker(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind.replace("timeout=1&", "timeout=20&"))
    first = ours.register("worker", "{}")

    with a_broken_connection(proxy, lambda: len(broker.workers()) == 2):
        number = ours.register("worker", "{}")

    assert [each.id for each in broker.workers()] == [first, number]
    assert ours.register("worker", "{}") == number + 1
    ours.close()


# a server that refuses


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    server.command("CONFIG", "SET", "maxmemory", 1)
    try:
        yield
    finally:
        server.command("CONFIG", "SET", "maxmemory", 0)


def test_a_full_server_takes_no_tasks_but_those_it_has_can_be_finished(
    server: RedisServer, broker: RedisBroker
) -> None:
    worker = broker.register("worker", "{}")
    broker.enqueue([message("a"), message("b")])
    (a,) = broker.claim(Claim(worker, ("celery",), 1))
    with full(server):
        with pytest.raises(BrokerFull, match="raise its maxmemory"):
            broker.enqueue([message("c")])
        settled = broker.settle([success(a)], Claim(worker, ("celery",), 1))
        assert settled.refused == []
        assert broker.settle(list(map(success, settled.claimed))).refused == []
        broker.beat(worker, "{}")
    broker.enqueue([message("c")])

    assert done(broker, ["a", "b"])


def test_a_master_that_became_a_replica_is_an_error_until_it_is_master_again(
    server: RedisServer, broker: RedisBroker
) -> None:
    broker.enqueue([message("a")])
    server.command("CONFIG", "SET", "replica-serve-stale-data", "yes")
    server.command("REPLICAOF", "127.0.0.1", 1)
    try:
        with pytest.raises(BrokerUnavailable, match="this server is a replica"):
            broker.enqueue([message("b")])
        assert broker.fetch(["a"]) != [None]
    finally:
        server.command("REPLICAOF", "NO", "ONE")

    broker.enqueue([message("b")])


def test_a_master_without_its_replicas_is_an_error(
    server: RedisServer, broker: RedisBroker
) -> None:
    server.command("CONFIG", "SET", "min-replicas-to-write", 1)
    with pytest.raises(BrokerUnavailable, match="min-replicas-to-write"):
        broker.enqueue([message("a")])
    server.command("CONFIG", "SET", "min-replicas-to-write", 0)

    broker.enqueue([message("a")])


def test_a_wrong_password_stops_a_worker_at_once_and_is_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, "--requirepass", "right") as server:
        project = project_on(tmp_path, f"redis://:hunter2@127.0.0.1:{server.port}/0")
        output = project.liteq("worker", "-A", "project", code=None)
        assert "user or password is wrong" in output
        assert "hunter2" not in output


def test_the_password_reaches_child_processes_and_is_shown_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, "--requirepass", "hunter2") as server:
        project = project_on(tmp_path, f"redis://:hunter2@127.0.0.1:{server.port}/0")
        source = "from project import *; print(nap.delay(0.1).get(20), app.broker, app.conf)"
        with project.worker("-l", "debug") as worker:
            output = project.python(source)
            processes = {worker.pid, *children_of(worker.pid)}
            lines = b"".join(
                Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes if alive(pid)
            )
        assert "0.1" in output
        for text in (
            output,
            worker.output,
            lines.decode(),
            project.liteq("status", "-A", "project", code=None),
        ):
            assert "hunter2" not in text


# workers that fail


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


# a server that replies with errors


def test_a_worker_waits_for_a_server_that_still_loads_its_data(
    server: RedisServer, broker: RedisBroker, tmp_path: Path
) -> None:
    sent = [message() for _ in range(3000)]  # it serves clients after every 1,024 commands
    broker.enqueue(sent)
    server.kill()
    server.options += ("--key-load-delay", "500")  # microseconds for each command
    loading = threading.Thread(target=server.start)
    loading.start()
    wait_for(lambda: _replies(server, b"-LOADING"), "the server")
    project = project_on(tmp_path, server.url)
    with project.program("-m", "liteq", "worker", "-A", "project", "-l", "info") as worker:
        worker.wait_for_line("ready")
        wait_for(lambda: done(broker, [each.id for each in sent]), "their end")
    loading.join()


def _replies(server: RedisServer, start: bytes) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1.0) as link:
        link.sendall(b"PING\r\n")
        return link.recv(99).startswith(start)
    return False


def test_a_worker_waits_for_a_server_that_refuses_writes_because_it_cannot_save(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, "--save", "3600 1") as server:
        project = project_on(tmp_path, server.url)
        broker = connect(server.url)
        with project.worker() as worker:
            broker.enqueue([message("a")])
            wait_for(lambda: done(broker, ["a"]), "the first")
            folder.joinpath("dump.rdb", "in the way").mkdir(parents=True)
            server.command("BGSAVE")
            wait_for(
                lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "the failure"
            )
            with pytest.raises(BrokerUnavailable, match="MISCONF"):
                broker.enqueue([message("b")])
            worker.wait_for_line("the store fails, trying again: .*MISCONF")
            server.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            broker.enqueue([message("b")])
            wait_for(lambda: done(broker, ["b"]), "the second")
            assert worker.process.poll() is None
        broker.close()


# a slow disk


@needs_strace
def test_the_doctor_tells_of_a_disk_that_is_too_slow_for_the_log(tmp_path: Path) -> None:
    with running_server(tmp_path, "--appendonly", "yes") as server:
        broker = connect(server.url)
        assert broker.examine().findings == []

        def noticed() -> bool:
            broker.enqueue([message()])
            return any("its disk is slow" in each.what for each in broker.examine().findings)

        assert server.process is not None
        slow = "inject=fdatasync,fsync:delay_enter=3000000"  # microseconds
        argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", slow]
        with subprocess.Popen([*argv, "-p", str(server.process.pid)]):
            try:
                wait_for(noticed, "the finding", 60)
            finally:
                server.kill()  # which ends strace, too
        broker.close()
