"""Every verb of the port, killed at every call that changes the store, before it and after it."""

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.project import KILL, ROOT
from tests.faults.crashpoints_audit import Snapshot, check_file, check_tasks, finish_all, snapshot
from tests.faults.crashpoints_verbs import CASES, QUIET, STARTS
from tests.faults.strace import CHANGES, Fault, attached, calls_in, needs_strace

Case = tuple[str, str]  # how the store is found, and the verb
Points = Callable[[list[Fault]], list[Fault]]

every_case = pytest.mark.parametrize("case", CASES, ids=" ".join)


class Course(NamedTuple):
    """What a verb does when nothing goes wrong."""

    before: Snapshot
    after: Snapshot
    calls: Counter[str]

    def faults(self, what: str, *calls: str) -> list[Fault]:
        """A fault at each of `calls` that it makes."""
        return [Fault(call, n + 1, what) for call in calls for n in range(self.calls[call])]


_courses: dict[Case, Course] = {}


class Stage:
    """A store in a folder, and one verb that is done on it by a process of its own."""

    def __init__(self, scenes: Path, folder: Path, case: Case) -> None:
        self.case = case
        self.start, self.verb = case
        self.scene = scenes / self.start
        self.folder = folder / "stage"
        self.path = self.folder / "store.db"
        self.log = folder / "strace.log"

    def act(self, how: str = "", fault: Fault | None = None, *, traced: bool = False) -> str:
        """Do the verb on a fresh store; answer what its process said, and leave no process."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.scene, self.folder)
        with driver(self.folder, "act", self.verb, how) as process:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            if fault or traced:
                with attached(process.pid, self.log, fault):
                    said, _ = process.communicate("go\n", timeout=30)
            else:
                said, _ = process.communicate("go\n", timeout=30)
        # Windows has no signals: there it is the exit code.
        assert abs(process.returncode) == KILL, "it ended by an error that nobody foresaw"
        return said

    def course(self) -> Course:
        """What the verb does, found out once."""
        if self.case not in _courses:
            self.act("before")
            before = snapshot(self.path)
            assert self.act(traced=True) == "done\n"
            if self.start == "brimming":
                assert "SQLite format 3" in self.log.read_text(), "the log was not folded"
            _courses[self.case] = Course(before, snapshot(self.path), calls_in(self.log))
        return _courses[self.case]

    def audit(self, *allowed: Snapshot, cause: Fault | None = None) -> None:
        """The store is whole, stands as it may, and goes on."""
        found = snapshot(self.path)
        strange = [sorted(map(str, found ^ each)) for each in allowed]
        assert found in allowed, (str(cause), strange)
        check_file(self.path)
        copy = self.folder / "copy.db"
        assert not copy.exists() or snapshot(copy) == found, "a backup that is not whole"
        finish_all(self.path)
        check_tasks(self.path)


@contextmanager
def driver(folder: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """The driver in `folder`; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.crashpoints_driver", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each way in which a store may be found."""
    root = tmp_path_factory.mktemp("scenes")
    for start in STARTS:
        (root / start).mkdir()
        with driver(root / start, "seed", start) as process:
            process.wait(30)
    return root


@pytest.fixture
def stage(scenes: Path, tmp_path: Path, case: Case) -> Stage:
    return Stage(scenes, tmp_path, case)


@every_case
def test_a_verb_that_was_not_begun_changed_nothing_and_one_that_ended_all(stage: Stage) -> None:
    stage.act("before")
    before = snapshot(stage.path)
    stage.audit(before)
    stage.act("after")
    after = snapshot(stage.path)
    stage.audit(after)
    has_tables = stage.start in {"logged", "brimming", "paused"}  # else they are made, or upgraded
    assert (before == after) == (stage.verb in QUIET and has_tables)


@needs_strace
@every_case
def test_a_kill_at_some_calls_of_a_verb_leaves_all_of_it_or_nothing(stage: Stage) -> None:
    kill_at(stage, partial(some, 1))


@needs_strace
@pytest.mark.soak
@every_case
def test_a_kill_at_any_call_of_a_verb_leaves_all_of_it_or_nothing(stage: Stage) -> None:
    kill_at(stage, list)


def kill_at(stage: Stage, choose: Points) -> None:
    course = stage.course()
    points = choose(course.faults("signal=SIGKILL", *CHANGES))
    for fault in points:
        assert stage.act(fault=fault) == "", f"{fault} did not kill it"
        stage.audit(course.before, course.after, cause=fault)
    print(f"crash points: {len(points)}")


def some(number: int, points: list[Fault]) -> list[Fault]:
    """A few of `points`: the same at each run, so that what fails once fails again."""
    return random.Random(len(points)).sample(points, min(number, len(points)))


DISK_FAULTS = [("fdatasync", "error=EIO"), ("pwrite64", "error=ENOSPC"), ("pwrite64", "error=EIO")]


@needs_strace
@every_case
def test_a_disk_that_fails_at_some_calls_of_a_verb_is_told_and_got_over(stage: Stage) -> None:
    fail_at(stage, partial(some, 1))


@needs_strace
@pytest.mark.soak
@every_case
def test_a_disk_that_fails_at_any_call_of_a_verb_is_told_and_got_over(stage: Stage) -> None:
    fail_at(stage, list)


def fail_at(stage: Stage, choose: Points) -> None:
    course = stage.course()
    points = choose([each for call, what in DISK_FAULTS for each in course.faults(what, call)])
    for fault in points:
        # It fails once: the same process does the verb again, and it is as if nothing had been.
        said = stage.act("twice", fault)
        assert said.endswith("done\n"), (fault, said)
        stage.audit(course.after, cause=fault)
        # It fails for good: nothing is acknowledged that is not there.
        for_good = fault._replace(onwards=True)
        said = stage.act("twice", for_good)
        allowed = course[1:2] if said.endswith("done\n") else course[:2]
        stage.audit(*allowed, cause=for_good)
    print(f"faults of the disk: {2 * len(points)}")
