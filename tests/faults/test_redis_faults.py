"""Failures of a Redis server while workers run."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import BrokerFull, BrokerUnavailable, BrokerUnreachable
from tests.e2e.project import alive, children_of, has_lines, wait_for
from tests.faults.redis_tasks import done, message, project_on, success
from tests.faults.storage import needs_strace
from tests.servers import RedisServer, needs_redis, running_server

pytestmark = [needs_redis, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]


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
