"""The power fails at any moment of a real program's life: what `durability=` promises is there."""

import os
import pickle
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from liteq import LiteQ
from liteq.brokers import connect
from liteq.model.message import Record
from liteq.states import Phase
from liteq.task import Task
from liteq.testing import drain
from liteq.testing.contract.harness import rescuing
from tests.e2e.project import ROOT
from tests.faults.crashpoints_audit import Snapshot, check_file, check_tasks, snapshot
from tests.faults.powerloss_disk import Disk
from tests.faults.powerloss_trace import OPTIONS, FailedSync, Note, Sync, Write, events
from tests.faults.strace import needs_strace

# It says `sent` (`kept` where it asked for that) and `done` of each task when it has been told so
# itself, and never before; and `step` when a task goes on after its step.
PROGRAM = """
import os, sys
from liteq import LiteQ
from liteq.brokers.sqlite.sharedstate import SharedState

from liteq.exceptions import BrokerError

app = LiteQ("program", broker=f"sqlite:///disk/store.db?durability={sys.argv[1]}")
notes = os.open("notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

@app.task(name="double")
def double(n):
    return 2 * n

@app.task(name="again", bind=True)
def again(self, n):
    if not self.request.retries:
        self.retry(countdown=0, max_retries=1)
    return 2 * n

@app.task(name="stepping", bind=True)
def stepping(self, n):
    value = self.step("double", double, n)
    note("step", self.request)
    return value

def insist(work):
    while True:
        try:
            return work()
        except BrokerError as exc:  # in the tests in which the disk fails
            print("refused:", exc, flush=True)

def note(what, result):
    os.write(notes, f"{what} {result.id}".encode())

worker = app.Worker(pool="threads", concurrency=2)
insist(worker.start)
try:
    for n in range(int(sys.argv[2])):
        results = [insist(lambda: task.delay(n)) for task in (double, again, stepping)]
        for result in results:
            note("sent", result)
        if n % 3 == 0:
            results.append(insist(lambda: double.apply_async((n,), durable=True)))
            note("kept", results[-1])
        for result in results:
            assert result.get(timeout=30) == 2 * n
            note("done", result)
        if n % 8 == 4:
            SharedState("disk/store.db-gate").set_log_size(2**40)  # the next commit folds the log
        if n % 8 == 6:
            insist(lambda: app.broker.upkeep(idle=True))  # as a worker that has nothing to do
finally:
    worker.stop()
"""


# No worker, and nothing is synced before the log is folded: the disk fails right there.
FOLDING = (
    PROGRAM.partition("worker = app.Worker")[0]
    + """
for _ in range(2):
    for n in range(10):
        double.delay(n)
    insist(lambda: app.broker.upkeep(idle=True))
"""
)


class Losses(NamedTuple):
    """What was acknowledged, and is not there any more."""

    sent: int
    done: int


# Whether acknowledged things of either kind may be lost.
ALLOWED = {"safe": (False, True), "strict": (False, False), "fast": (True, True)}


class Recording:
    """What a program did to its store, and the states that it went through."""

    def __init__(self, folder: Path, durability: str, *faults: str, program: str = PROGRAM) -> None:
        self.durability = durability
        self.folder = folder / "disk"
        self.folder.mkdir()
        (folder / "program.py").write_text(program)
        log = folder / "strace.log"
        python = [sys.executable, "program.py", durability, "8"]
        subprocess.run(
            ["strace", "-o", str(log), *OPTIONS, *faults, *python],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=50,
            check=True,
        )
        self.image = folder / "image"
        with log.open() as lines:
            found = events(lines, self.folder, folder / "notes")
        self.events = [each for each in found if isinstance(each, Note) or is_kept(each.path)]
        self.states = list(self._states())

    def _states(self) -> Iterator[Snapshot]:
        """What stood in the store after each event."""
        disk = Disk()
        state: Snapshot = frozenset()
        for event in self.events:
            disk.happen(event)
            if isinstance(event, Write):
                self.restore(disk.now())
                state = snapshot(self.image / "store.db")
            yield state

    def restore(self, files: dict[Path, bytes]) -> Path:
        """Lay the files of an image into an empty folder."""
        self.image.mkdir(exist_ok=True)
        for old in self.image.iterdir():
            old.unlink()
        for path, data in files.items():
            (self.image / path.name).write_bytes(data)
        return self.image / "store.db"

    def notes(self, moment: int, what: str) -> set[str]:
        """The ids of which the program had said `what` by that moment."""
        told = [each.text.split() for each in self.events[:moment] if isinstance(each, Note)]
        return {id for word, id in told if word == what}

    def cut(self, moment: int, chance: random.Random) -> Losses:
        """Cut the power after so many events, and see what is left."""
        disk = Disk(self.events[:moment])
        path = self.restore(disk.after_power_cut(chance))
        if path.exists():
            check_file(path)
        # Whole commits and nothing else: what goes together is there together or not at all.
        assert snapshot(path) in {frozenset(), *self.states[:moment]}
        found = records(path)
        check_tasks(path)
        assert self.notes(moment, "kept") <= found.keys()
        if self.durability != "fast":  # what a step has done is not done again
            assert self.notes(moment, "step") <= {id for id in found if has_step(path, id)}
        done = {id for id, record in found.items() if record.phase is Phase.SUCCEEDED}
        sent, finished = self.notes(moment, "sent"), self.notes(moment, "done")
        if chance.random() < 0.05:
            run_all(path)
        return Losses(len(sent - found.keys()), len(finished - done))


def is_kept(path: Path) -> bool:
    """Whether anything of a file counts after a power cut: SQLite's index and the gate do not."""
    return not path.name.endswith(("-shm", "-gate"))


def records(path: Path) -> dict[str, Record]:
    """What liteq finds in the store."""
    broker = connect(f"sqlite:///{path}?durability=fast")
    try:
        return {each.message.id: each for each in broker.listing(list(Phase), 10_000)}
    finally:
        broker.close()


def has_step(path: Path, id: str) -> bool:
    """Whether the store has the step of a task."""
    with closing(sqlite3.connect(path)) as db:
        sql = "select 1 from liteq_step s join liteq_task t on t.seq = s.task where t.id = ?"
        return bool(db.execute(sql, (id,)).fetchall())


def run_all(path: Path) -> None:
    """Let a worker run what is left; all that is there ends right."""
    app = LiteQ("program", broker=f"sqlite:///{path}?durability=fast")

    @app.task(name="double")
    def double(n: int) -> int:
        return 2 * n

    @app.task(name="again", bind=True)
    def again(self: Task[..., int], n: int) -> int:
        if not self.request.retries:
            self.retry(countdown=0, max_retries=1)
        return 2 * n

    @app.task(name="stepping", bind=True)
    def stepping(self: Task[..., int], n: int) -> int:
        return int(self.step("double", double, n))

    try:
        app.broker.rescue(rescuing(app.broker.clock))
        drain(app)
        for record in app.broker.listing(list(Phase), 10_000):
            (n,), _ = pickle.loads(record.message.payload)
            assert record.phase is Phase.SUCCEEDED, record
            assert app.backend.value(record) == 2 * n, record
    finally:
        app.broker.close()


@pytest.fixture(scope="module", params=ALLOWED)
def recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Recording:
    return Recording(tmp_path_factory.mktemp("power"), request.param)


@needs_strace
def test_after_some_power_cuts_the_store_holds_what_was_promised(recording: Recording) -> None:
    cut_often(recording, 60)


@needs_strace
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_after_many_power_cuts_the_store_holds_what_was_promised(
    recording: Recording, seed: int
) -> None:
    cut_often(recording, 2_000, seed)


def cut_often(recording: Recording, images: int, seed: int = 0) -> None:
    chance = random.Random(seed)
    moments = [chance.randint(1, len(recording.events)) for _ in range(images)]
    losses = [recording.cut(moment, chance) for moment in moments]
    sent, done = (sum(map(bool, each)) for each in zip(*losses, strict=True))

    # Where things may be lost some are: else this test would not notice where they may not.
    assert (sent > 0, done > 0) == ALLOWED[recording.durability]
    print(
        f"{recording.durability}: {images} images of {len(set(recording.states))} states; "
        f"a sent task is missing in {sent}, a finish rolled back in {done}"
    )


@needs_strace
def test_a_disk_that_failed_once_before_the_power_did_breaks_no_promise(tmp_path: Path) -> None:
    fail_and_cut(tmp_path, "safe", 9, 60)


@needs_strace
@pytest.mark.soak
@pytest.mark.parametrize("durability", ["safe", "strict"])
@pytest.mark.parametrize("nth", range(8, 32))
def test_a_disk_that_failed_anywhere_before_the_power_did_breaks_no_promise(
    tmp_path: Path, durability: str, nth: int
) -> None:
    fail_and_cut(tmp_path, durability, nth, 300)


@needs_strace
def test_a_log_that_the_disk_did_not_take_is_not_folded_into_the_file(tmp_path: Path) -> None:
    # The second fold is the one that is ruined: after the first, the log alone is not the store.
    fault = "inject=fdatasync:error=EIO:when=11"
    recording = Recording(tmp_path, "fast", "-e", fault, program=FOLDING)
    syncs = [each for each in recording.events if isinstance(each, Sync | FailedSync)]
    assert [type(each) for each in syncs[9:11]] == [Sync, FailedSync], "another sync has failed"
    failed = next(n for n, e in enumerate(recording.events) if isinstance(e, FailedSync))
    chance = random.Random(0)
    for moment in range(failed, len(recording.events)):
        recording.cut(moment, chance)
        recording.cut(moment, chance)


def fail_and_cut(folder: Path, durability: str, nth: int, images: int) -> None:
    """An fsync of each thread fails, and what it should have written never is."""
    recording = Recording(folder, durability, "-e", f"inject=fdatasync:error=EIO:when={nth}")
    failed = [n for n, each in enumerate(recording.events) if isinstance(each, FailedSync)]
    chance = random.Random(nth)
    for _ in range(images if failed else 0):
        losses = recording.cut(chance.randint(failed[0], len(recording.events)), chance)
        assert not losses.sent
        assert not losses.done or durability == "safe"
    print(f"{durability}: {images if failed else 0} images after a failed fsync")
