"""Whatever a task writes to the stream of its process: it costs that process, never the worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liteq.support.portable import portable
from tests.e2e.project import TASKS, Program, Project

SOURCE = (
    TASKS
    + '''
import gc, marshal, os, struct

def frame(value):
    body = marshal.dumps(value)
    return struct.pack("!Q", len(body)) + body

GARBAGE = [None, -1, 2**70, 1.5, "text", "\\ud800", b"bytes"]
GARBAGE += [(), (1,), [1], {"a": 1}, [[]], ((1, 2),)]
GOOD = ["succeeded", b"1", "json", 0.1, "1", None, None, None, False, None, None, False, None]
GOOD += [None]
STEP = ("approved", "wait", 1.5, None, None, None, False)
FEW = [None, 2**70, "text", (1,)]
MESSAGE = ("an id", "project.add", b"[[1, 2], {}]", "json", "celery", 0, None, None, 0)
MESSAGE += (True, False, False, None)
PLACE = (None, False, 0, False, None, 0, False, None)
OUTCOMES = [
    GOOD,
    GOOD[:5],  # the short form, of nearly all
    ["retry", b"1", "json", 0.1, "1", "error", 1.5, MESSAGE, False, None, None, False, None, None],
    ["replaced", None, None, 0.1, "1", None, None, MESSAGE, False, ((), (), ()), PLACE, False]
    + [None, None],
    ["ignored", b"1", "json", 0.1, "1", None, None, None, False, None, None, False, "STATE", None],
    ["awaited", None, None, 0.1, "1", None, None, None, False, None, None, False, None, STEP],
]

OUTPUT = (1, 1, '[[1, 1.5, "INFO", "text"]]', True)

def frames(ticket, receipt=(1, 1)):
    """Return frames that no child of ours sends; these are of the running task."""
    yield b"\\x00" * 7
    yield b"garbage, as two writers leave it" * 100
    yield struct.pack("!Q", 2**62) + b"x" * 1000
    yield struct.pack("!Q", 3) + b"\\xfe\\xfe\\xfe"
    yield struct.pack("!Q", 5) + b"(\\xff\\xff\\xff\\x7f"  # a tuple of 16 GB
    yield struct.pack("!Q", 12) + b")\\x02i\\x01\\x00\\x00\\x00(\\xff\\xff\\xff\\x7f"
    yield from map(frame, GARBAGE)
    for kind in (-1, 0, 1, 2, 3, 4, 6, 7, 99, None, "x"):
        yield b"".join(frame((kind, value)) for value in GARBAGE if kind != 0 and kind != 4)
        yield frame((kind, None))
    for outcome in OUTCOMES:
        for field in range(len(outcome)):
            for value in FEW:
                wrong = [*outcome[:field], value, *outcome[field + 1:]]
                yield frame((1, [(ticket, *wrong)]))
    for field in range(len(MESSAGE)):
        for value in FEW[1:]:
            message = (*MESSAGE[:field], value, *MESSAGE[field + 1:])
            yield frame((1, [(ticket, *OUTCOMES[2][:7], message, *OUTCOMES[2][8:])]))
    for field in range(len(STEP)):
        for value in FEW[1:]:
            step = (*STEP[:field], value, *STEP[field + 1:])
            yield frame((1, [(ticket, *OUTCOMES[5][:13], step)]))
            yield frame((6, (1, 1, 1, step)))
    for asked in ((1, "text", None, STEP), (None, 1, 1, STEP), (2**70, 1, 1, STEP), (1, 1, 1), ()):
        yield frame((6, asked))
    for field in range(len(OUTPUT)):
        for value in FEW:
            output = (*OUTPUT[:field], value, *OUTPUT[field + 1:])
            yield frame((7, [((1, 1), OUTPUT), (receipt, output)]))
    yield frame((7, [(receipt, (1, 1, "\\ud800", True))]))
    yield frame((7, [(receipt, (1, 1, "x" * 10**7, True))]))
    yield frame((7, [(receipt, OUTPUT, OUTPUT)]))
    for graph in (((MESSAGE,), (), ()), ((1,), (1,), ()), (((),), (PLACE,), ()), ((), (), (1,))):
        yield frame((1, [(ticket, *OUTCOMES[3][:9], graph, *OUTCOMES[3][10:])]))
    yield frame((1, [(ticket, *GOOD[:-1])]))
    yield frame((1, [(ticket, *GOOD, None)]))
    yield frame((1, [(10**9, *GOOD)]))
    for runtime in (float("nan"), float("inf"), -10e-6, 10**400):
        yield frame((1, [(ticket, *GOOD[:3], runtime, *GOOD[4:])]))
    deep = []
    for _ in range(1900):
        deep = [deep]
    yield frame((1, [(ticket, *GOOD[:4], deep, *GOOD[5:])]))
    yield frame((4, deep))
    no_text = (*MESSAGE[:4], "\\ud800", *MESSAGE[5:])
    yield frame((1, [(ticket, *OUTCOMES[2][:7], no_text, *OUTCOMES[2][8:])]))
    yield frame((2, [10**9]))
    yield frame((3, ("id", "\\ud800", b"", "json")))
    yield frame((0, os.getppid()))

@app.task(acks_late=False, bind=True)
def write(self, first, step):
    """Write every `step`th frame to the stream of this process, from `first` on."""
    from liteq.pools.child import Child
    child = next(each for each in gc.get_objects() if type(each) is Child)
    ticket = child._scoreboard.read(child._slot).ticket
    receipt = tuple(self.request.delivery.receipt)
    for each in list(frames(ticket, receipt))[first::step]:
        child._stream.sendall(each)
    time.sleep(0.05)

@app.task
def count():
    return len(list(frames(1)))
'''
)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[Project, Program]]:
    project = Project(tmp_path, SOURCE)
    with project.worker("-c", "8") as worker:  # many, as each waits before it is replaced
        yield project, worker


def test_what_a_task_writes_to_its_stream_costs_its_process_only(
    worker: tuple[Project, Program],
) -> None:
    project, program = worker
    step = 7 if portable() else 1  # there a process takes 0.3 s to be replaced
    with project.program(
        "-c",
        f"""
from project import add, app, count, write
n = count.delay().get(timeout=20)
for first in range(0, n, {step}):
    write.delay(first, n)
    if first % 8 == 0:
        assert add.delay(first, 1).get(timeout=20) == first + 1, first
while [each for each in app.broker.counts() if each.queue == "celery" and each.phase in (2, 3)]:
    assert add.delay(1, 1).get(timeout=20) == 2
print(n, "frames")
""",
    ) as sender:
        assert sender.wait(120) == 0, program.output[-5000:]
    assert program.process.poll() is None, program.output
    assert "sent what cannot be read" in program.output


def test_reports_of_forked_helpers_cost_their_task_at_most(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        TASKS
        + '''
import multiprocessing

@app.task(bind=True)
def crowd(self, size, times):
    """Report from four processes at once, with frames that are longer than a pipe holds."""
    def helper(name):
        for n in range(times):
            self.update_state(state="PROGRESS", meta={"name": name, "n": n, "pad": "x" * size})
    fork = multiprocessing.get_context("fork")
    helpers = [fork.Process(target=helper, args=(n,)) for n in range(4)]
    for each in helpers:
        each.start()
    helper("the task")
    for each in helpers:
        each.join()
    return "done"
''',
    )
    with project.worker("-c", "1") as worker:
        out = project.python(
            "from project import add, crowd\n"
            "first = crowd.delay(300_000, 20)\n"
            "print(add.delay(1, 1).get(timeout=30), first.get(timeout=30))"
        )
        assert out == "2 done\n", worker.output
        assert worker.process.poll() is None
