"""A pool over time: children that cannot start, that die, that are replaced; nothing leaks."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liteq.model.outcome import Kind
from liteq.pools.base import Kill
from tests.contract.runners import spec
from tests.contract.test_pools import Driver, delivery, drive, results
from tests.e2e.project import FORK_SERVERS, TERM, Program, Project, children_of, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PHASES = """
import sqlite3
db = sqlite3.connect("project.db")
print(*db.execute("select phase, max(lost), count(*) from liteq_task group by phase"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive("processes", spec(), monkeypatch, size=1)
    yield driver
    driver.close()


# Where children come from, and what happens there. The supervisor has imported it all the same. (A
# process with threads is not forked: the fork server is a fresh interpreter then.)
THREAD = """
import threading
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
"""
FORK_SERVER = "'liteq.pools.forkserver' in sys.modules"
BROKEN = {
    "raises before the fork": f"{THREAD}if {FORK_SERVER}: raise RuntimeError('so')",
    "exits before the fork": f"{THREAD}if {FORK_SERVER}: os._exit(3)",
    "exits after the fork": "os.register_at_fork(after_in_child=lambda: os._exit(3))",
    "raises in a fresh interpreter": (
        "if 'liteq.pools.child' in sys.modules and 'liteq.cli' not in sys.modules:\n"
        "    raise RuntimeError('so')"
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_worker_whose_children_cannot_start_gives_up_and_leaves_the_tasks(
    project: Project, how: str
) -> None:
    project.env["LITEQ_PORTABLE"] = "1" if "interpreter" in how else "0"
    count = project.folder / "count"
    source = (project.folder / "project.py").read_text()
    project.write(
        "project.py",
        source + f"\nwith open({str(count)!r}, 'a') as file: file.write('.')\n{BROKEN[how]}\n",
    )
    project.python("from project import *; [add.delay(n, n) for n in range(10)]")
    count.unlink()
    argv = ("-m", "liteq", "worker", "-A", "project", "-c", "2")
    with project.program(*argv) as worker:
        assert worker.wait() == 1

    assert "child processes cannot start" in worker.output
    assert ("RuntimeError: so" in worker.output) == ("raises" in how)
    assert len(count.read_text()) <= 14  # two slots that tried five times each, and then some
    assert project.python(PHASES) == "(2, 0, 10)\n"


def test_a_slot_whose_children_die_in_tasks_gets_new_ones_without_haste(single: Driver) -> None:
    """Nor with long pauses: innocent tasks wait behind those that kill."""
    (slot,) = single.pool.slots
    pauses = []
    for death in range(1, 5):
        single.pool.submit(slot, [delivery("die")])
        single.until(lambda deaths=death: len(single.seen.deaths) == deaths)
        pauses.append(single.pool.tend() or 0.0)
        single.until(lambda: slot.up)
    assert 0 < pauses[0] <= 0.1
    assert all(0 < pause <= 0.2 for pause in pauses[1:])

    single.run("echo fine")
    single.pool.submit(slot, [delivery("die")])
    single.until(lambda: len(single.seen.deaths) == 5)
    assert (single.pool.tend() or 0.0) == pytest.approx(0, abs=0.05)


def test_a_child_that_we_ended_is_replaced_at_once(single: Driver) -> None:
    """Tasks that hang until their limit, one after the other, do not cost the pool its slots."""
    (slot,) = single.pool.slots
    for death in range(1, 6):
        task = delivery("nap 60")
        single.pool.submit(slot, [task])
        single.until(lambda: single.pool.running(slot))
        single.pool.kill(slot, Kill(task, Kind.OVERDUE, "too long"))
        single.until(lambda deaths=death: len(single.seen.deaths) == deaths)
        assert (single.pool.tend() or 0.0) == pytest.approx(0, abs=0.05)
        single.until(lambda: slot.up)

    assert results(single.run("echo fine")) == [b"fine"]


def test_new_code_reaches_every_slot_and_none_is_lost_on_the_way(
    single: Driver, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    (before,) = results(single.run("pid"))
    (slot,) = single.pool.slots
    single.pool.submit(slot, [delivery(f"await {go}"), delivery("echo a"), delivery("echo b")])
    single.until(lambda: single.pool.running(slot))
    assert single.pool.renew()
    single.until(lambda: single.seen.returned)
    go.touch()
    single.until(lambda: slot.up)
    (after,) = results(single.run("pid"))

    assert [each.message.task for each in single.seen.returned] == ["echo a", "echo b"]
    assert single.seen.finished[-2][1].result == b"rested"
    assert single.seen.deaths == []
    assert before != after


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory(pid: int) -> int:
    """KiB resident. What it shares counts as well: pages that a child copies are no growth."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


# Descriptors that a worker opens once, and not at its start: two by which it waits for the write
# lock, and four of the thread that sends heartbeats.
ONCE = {0, 2, 4, 6}


def zombies(worker: Program) -> int:
    """How many processes of `worker` have exited and were not collected."""
    family = {worker.pid, *children_of(worker.pid)}
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        states.append((fields[0], int(fields[1])))
    return sum(state == "Z" for state, parent in states if parent in family)


RUN = """
import sys
from project import *
for start in range(0, int(sys.argv[1]), 500):
    for n, r in enumerate(app.enqueue_many(add.s(n, 1) for n in range(500))):
        assert r.get(timeout=50) == n + 1
"""


class Scale:
    """What the processes of a worker hold."""

    def __init__(self, worker: Program) -> None:
        self.pids = [worker.pid, *sorted(children_of(worker.pid))]

    def descriptors(self) -> list[int]:
        return [descriptors(pid) for pid in self.pids]

    def memory(self) -> list[int]:
        return [memory(pid) for pid in self.pids]


LOOPS = ("-P", "asyncio", "--processes", "2")
pools = pytest.mark.parametrize("options", [(), LOOPS], ids=["processes", "asyncio"])
COROUTINES = """
@app.task(name="add")
async def add(x, y):
    return x + y
"""


def leak(
    project: Project, warm_up: int, tasks: int, options: tuple[str, ...] = ()
) -> tuple[list[int], list[int]]:
    """Run `tasks`; by how many descriptors and KiB each process has grown meanwhile."""
    project.write("run.py", RUN)
    if options:
        source = (project.folder / "project.py").read_text()
        project.write("project.py", source + COROUTINES)
    with project.worker("-l", "warning", *options) as worker:
        project.run("run.py", str(warm_up))
        scale = Scale(worker)
        files, before = scale.descriptors(), scale.memory()
        for _ in range(max(tasks // 50_000, 1)):  # a program has half a minute
            project.run("run.py", str(min(tasks, 50_000)))
        grown = [a - b for a, b in zip(scale.memory(), before, strict=True)]
        return [a - b for a, b in zip(scale.descriptors(), files, strict=True)], grown


@pools
def test_thousands_of_tasks_leave_no_descriptor_and_no_memory_behind(
    project: Project, options: tuple[str, ...]
) -> None:
    files, kib = leak(project, warm_up=2_000, tasks=4_000, options=options)

    assert set(files) <= ONCE
    assert max(kib) < 1_000


@pytest.mark.soak
@pytest.mark.timeout(600)
@pools
def test_tens_of_thousands_of_tasks_leave_nothing_behind(
    project: Project, options: tuple[str, ...]
) -> None:
    """Less than 1 KiB a thousand tasks."""
    files, kib = leak(project, warm_up=50_000, tasks=200_000, options=options)
    print(f"grown by {kib} KiB, {files} descriptors")

    assert set(files) <= ONCE
    assert max(kib) < 200


def recycle(project: Project, children: int, options: tuple[str, ...] = ()) -> None:
    """Replace that many children; the other processes hold what they held."""
    source = (
        "import sys\nfrom project import *\n"
        "rs = app.enqueue_many(add.s(n, 1) for n in range(int(sys.argv[1])))\n"
        "assert [r.get(timeout=250) for r in rs] == [n + 1 for n in range(len(rs))]"
    )
    with project.worker("-l", "warning", "--max-tasks-per-child", "1", *options) as worker:
        project.run("-c", source, "20")
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "two children")
        stay = [worker.pid, *sorted(children_of(worker.pid))[:FORK_SERVERS]]
        files = [descriptors(pid) for pid in stay]
        for _ in range(0, children, 20):  # a program has half a minute
            project.run("-c", source, "20")
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "two children")
        assert zombies(worker) == 0

        def grown() -> set[int]:
            return {descriptors(pid) - held for pid, held in zip(stay, files, strict=True)}

        wait_for(lambda: grown() <= ONCE, "the same descriptors", 5)
        worker.send(TERM)
        assert worker.wait() == 0


@pools
def test_children_that_are_replaced_leave_no_zombies_and_no_descriptors(
    project: Project, options: tuple[str, ...]
) -> None:
    recycle(project, 40, options)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pools
def test_a_thousand_children_leave_nothing_behind(
    project: Project, options: tuple[str, ...]
) -> None:
    recycle(project, 1_000, options)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_pool_is_whole_after_hundreds_of_tasks_were_ended(project: Project) -> None:
    source = (
        "from project import *\n"
        "rs = [nap.apply_async((60,), time_limit=0.05) for _ in range(50)]\n"
        "print({type(r.get(timeout=25, propagate=False)).__name__ for r in rs})"
    )
    with project.worker("-l", "critical") as worker:
        for _ in range(10):
            assert project.python(source) == "{'TimeLimitExceeded'}\n"
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "two children")
        out = project.python("from project import *; print(add.delay(2, 3).get(timeout=25))")
        assert out == "5\n"
        assert zombies(worker) == 0
