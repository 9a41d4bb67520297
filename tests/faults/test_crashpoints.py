"""Every verb of the port, killed at every call that changes the store, before it and after it."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.project import KILL, ROOT
from tests.faults.crashpoints_audit import Snapshot, check, finish_all, snapshot
from tests.faults.crashpoints_verbs import CASES, STARTS
from tests.faults.strace import CHANGES, Fault, attached, calls_in, needs_strace

Case = tuple[str, str]  # how the store is found, and the verb
Points = Callable[[list[Fault]], list[Fault]]

every_case = pytest.mark.parametrize("case", CASES, ids=" ".join)


class Stage:
    """A store in a folder, and one verb that is done on it by a process of its own."""

    def __init__(self, scenes: Path, folder: Path, case: Case) -> None:
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

    def states(self) -> tuple[Snapshot, Snapshot]:
        """What stands in the store before the verb, and after it."""
        self.act("before")
        before = snapshot(self.path)
        assert self.act(traced=True) == "done\n"
        return before, snapshot(self.path)

    def faults(self, what: str, *calls: str) -> list[Fault]:
        """Each of the calls that the last traced run made, with `what` in its place."""
        made = calls_in(self.log)
        return [Fault(call, n + 1, what) for call in calls for n in range(made[call])]

    def audit(self, *allowed: Snapshot, after: Fault | None = None) -> None:
        """The store is whole, stands as it may, and goes on."""
        check(self.path)
        found = snapshot(self.path)
        strange = [sorted(map(str, found ^ each)) for each in allowed]
        assert found in allowed, (str(after), strange)
        finish_all(self.path)
        check(self.path)


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
    assert (before == after) == (stage.verb in {"open", "fold", "close"})


@needs_strace
@every_case
def test_a_kill_at_some_calls_of_a_verb_leaves_all_of_it_or_nothing(stage: Stage) -> None:
    kill_at(stage, some)


@needs_strace
@pytest.mark.soak
@every_case
def test_a_kill_at_any_call_of_a_verb_leaves_all_of_it_or_nothing(stage: Stage) -> None:
    kill_at(stage, list)


def kill_at(stage: Stage, choose: Points) -> None:
    before, after = stage.states()
    if stage.start == "brimming":
        assert "SQLite format 3" in stage.log.read_text(), "the log was not folded"
    points = choose(stage.faults("signal=SIGKILL", *CHANGES))
    for fault in points:
        assert stage.act(fault=fault) == "", f"{fault} did not kill it"
        stage.audit(before, after, after=fault)
    print(f"crash points: {len(points)}")


def some(points: list[Fault]) -> list[Fault]:
    """Three of `points`: the same at each run, so that what fails once fails again."""
    return random.Random(len(points)).sample(points, min(3, len(points)))


DISK_FAULTS = [("fdatasync", "error=EIO"), ("pwrite64", "error=ENOSPC"), ("pwrite64", "error=EIO")]


@needs_strace
@every_case
def test_a_disk_that_fails_at_some_calls_of_a_verb_is_told_and_got_over(stage: Stage) -> None:
    fail_at(stage, some)


@needs_strace
@pytest.mark.soak
@every_case
def test_a_disk_that_fails_at_any_call_of_a_verb_is_told_and_got_over(stage: Stage) -> None:
    fail_at(stage, list)


def fail_at(stage: Stage, choose: Points) -> None:
    before, after = stage.states()
    points = choose([each for call, what in DISK_FAULTS for each in stage.faults(what, call)])
    for fault in points:
        # It fails once: the same process does the verb again, and it is as if nothing had been.
        said = stage.act("twice", fault)
        assert said.endswith("done\n"), (fault, said)
        stage.audit(after, after=fault)
        # It fails for good: nothing is acknowledged that is not there.
        fault = fault._replace(onwards=True)
        said = stage.act("twice", fault)
        allowed = [after] if said.endswith("done\n") else [before, after]
        stage.audit(*allowed, after=fault)
    print(f"faults of the disk: {2 * len(points)}")
