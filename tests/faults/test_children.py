"""Child processes and fork servers die: their tasks run again, and others do not notice."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.project import (
    FORK_SERVERS,
    KILL,
    PORTABLE,
    Project,
    alive,
    children_of,
    wait_for,
)
from tests.faults.process_tasks import (
    LOST,
    TASKS,
    lost,
    newest_child,
    noted,
    notes,
    outcome,
    parent,
    replaced,
    send,
)
from tests.faults.strace import Fault, attached, needs_strace

native = pytest.mark.skipif(PORTABLE, reason="children are not forked")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def test_a_task_whose_child_was_killed_runs_again_and_the_others_do_not_notice(
    project: Project, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with project.worker() as worker:
        victim = send(project, f"mark.delay({str(first)!r}, 1.5)")
        neighbour = send(project, f"mark.delay({str(second)!r}, 1.5)")
        wait_for(lambda: notes(first) and notes(second), "both tasks")
        os.kill(notes(first)[0][0], KILL)
        wait_for(lambda: len(notes(first)) == 2, "the second run")
        outcome(project, victim)
        outcome(project, neighbour)
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the pool in full size")

    assert lost(project, victim) == 1
    assert lost(project, neighbour) == 0
    assert len(notes(second)) == 1


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("segfault", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("exit 0", "exited with code 0"),
        ("exit 3", "exited with code 3"),
    ],
)
def test_the_error_says_how_the_process_ended(project: Project, how: str, told: str) -> None:
    with project.worker("-c", "1"):
        out = outcome(project, send(project, f"end.delay({how!r})"))

    assert "WorkerLostError" in out
    assert told in out
    assert "FAILURE" in out


def test_a_task_that_kills_its_worker_is_set_aside_and_those_beside_it_are_not_charged(
    project: Project, tmp_path: Path
) -> None:
    """Even those that were in the same child's backlog when it happened."""
    path = tmp_path / "notes"
    send(project, "[add.delay(n, n) for n in range(200)][0]")
    with project.worker("-c", "1"):  # short, so they will be handed out many at a time
        wait_for(lambda: " 4 " in project.python(LOST).splitlines()[-1], "the last of them")
    poison = send(project, f"[kill_the_worker.delay({str(path)!r})][0]")
    send(project, "[add.delay(n, n) for n in range(200)][0]")
    for death in range(3):
        with project.worker("-c", "1") as worker:
            (tmp_path / "supervisor").write_text(str(worker.pid))
            wait_for(partial(noted, path, death + 1), "the poison")
            worker.wait()
    with project.worker("-c", "1"):
        out = outcome(project, poison)
        wait_for(lambda: " 3 " not in project.python(LOST), "the rest")
        wait_for(lambda: " 2 " not in project.python(LOST), "the rest")
    rows = [line.split() for line in project.python(LOST).splitlines()]

    assert "3 of 3 processes" in out
    assert len(notes(path)) == 3
    assert [row[1:] for row in rows if row[0] != poison] == [["4", "0"]] * 400


@native
def test_a_child_that_dies_with_its_fork_server_is_missed(project: Project, tmp_path: Path) -> None:
    """Whichever of the two ends the supervisor hears of first."""
    path, go = tmp_path / "first", tmp_path / "go"
    with project.worker() as worker:
        id = send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        ((child, _),) = notes(path)
        for pid in (parent(child), child):
            os.kill(pid, KILL)
        go.touch()
        assert "SUCCESS" in outcome(project, id)
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the pool in full size")

    assert lost(project, id) == 1


@native
def test_the_end_of_a_fork_server_costs_no_task_anything(project: Project, tmp_path: Path) -> None:
    """It may be the one that the kernel picks when memory is short. Its children end their tasks
    and are replaced by those of the next one, which guards them again."""
    first, second, go = tmp_path / "first", tmp_path / "second", tmp_path / "go"
    with project.worker() as worker:
        ids = [send(project, f"hold.delay({str(path)!r})") for path in (first, second)]
        wait_for(lambda: notes(first) and notes(second), "both tasks")
        (server,) = {parent(pid) for pid, _ in notes(first) + notes(second)}
        os.kill(server, KILL)
        wait_for(lambda: not alive(server), "its end")
        go.touch()
        outs = [outcome(project, id) for id in ids]
        fine = outcome(project, send(project, "add.delay(2, 3)"))
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the pool in full size")

    assert ["SUCCESS" in out for out in outs] == [True, True]
    assert [lost(project, id) for id in ids] == [0, 0]
    assert [len(notes(path)) for path in (first, second)] == [1, 1]
    assert fine == "5 SUCCESS\n"


@native
def test_a_child_that_outlives_its_fork_server_ends_with_its_worker(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker("-c", "1") as worker:
        send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        child = notes(path)[0][0]
        os.kill(parent(child), KILL)
        os.kill(worker.pid, KILL)
        worker.wait()
        wait_for(lambda: not alive(child), "the end of the child")


@native
def test_a_task_in_a_child_that_outlives_its_fork_server_may_lose_it(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker("-c", "1"):
        id = send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        child = notes(path)[0][0]
        server = parent(child)
        os.kill(server, KILL)
        wait_for(lambda: not alive(server), "its end")
        os.kill(child, KILL)
        wait_for(partial(noted, path, 2), "the second run")
        (tmp_path / "go").touch()
        out = outcome(project, id)

    assert "SUCCESS" in out
    assert lost(project, id) == 1


@native
@needs_strace
def test_a_fork_that_fails_harms_nobody_and_is_tried_again(
    project: Project, tmp_path: Path
) -> None:
    """As at a limit of processes, or of memory."""
    path = tmp_path / "notes"
    with project.worker() as worker:
        id = send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        busy = notes(path)[0][0]
        server = parent(busy)
        (idle,) = children_of(server) - {busy}
        with attached(server, tmp_path / "calls", Fault("clone", 1, "error=EAGAIN")):
            os.kill(idle, KILL)
            worker.wait_for_line("no process for slot")
            wait_for(lambda: len(children_of(server)) == 2, "the pool in full size")
        (tmp_path / "go").touch()
        out = outcome(project, id)

    assert "SUCCESS" in out
    assert (len(notes(path)), lost(project, id)) == (1, 0)


@needs_strace
def test_a_fresh_interpreter_that_cannot_be_started_is_tried_again(
    project: Project, tmp_path: Path
) -> None:
    project.env["LITEQ_PORTABLE"] = "1"
    with project.worker("-c", "1") as worker:
        outcome(project, send(project, "add.delay(1, 1)"))
        child = newest_child(worker)
        fault = Fault("vfork,clone", 1, "error=EAGAIN", onwards=True)
        with attached(worker.pid, tmp_path / "calls", fault):
            os.kill(child, KILL)
            worker.wait_for_line("no process for slot")
        out = outcome(project, send(project, "add.delay(2, 3)"))

    assert out == "5 SUCCESS\n"


def test_a_child_that_is_killed_while_it_is_idle_is_replaced(project: Project) -> None:
    with project.worker("-c", "1") as worker:
        outcome(project, send(project, "add.delay(1, 1)"))
        for _ in range(3):
            child = newest_child(worker)
            os.kill(child, KILL)
            wait_for(partial(replaced, worker, child), "the next child")
        out = outcome(project, send(project, "add.delay(2, 3)"))

    assert out == "5 SUCCESS\n"
