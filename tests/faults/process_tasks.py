"""Tasks that end processes, and what tests ask about these."""

from pathlib import Path

from tests.e2e.project import (
    FORK_SERVERS,
    Program,
    Project,
    children_of,
    wait_for,
)

TASKS = """
import os, signal, sys, time, ctypes, subprocess
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

def note(path, text):
    with open(path, "a") as file:
        file.write(f"{text} {os.getpid()} {time.monotonic()}\\n")

@app.task
def add(x, y):
    return x + y

@app.task
def mark(path, seconds=0.0):
    note(path, "begin")
    time.sleep(seconds)
    note(path, "end")
    return os.getpid()

@app.task(bind=True)
def end(self, how):
    {
        "segfault": lambda: ctypes.string_at(0),
        "exit 0": lambda: os._exit(0),
        "exit 3": lambda: os._exit(3),
        "abort": lambda: os.abort(),
    }[how]()

@app.task(bind=True)
def kill_the_worker(self, path):
    note(path, "begin")
    os.kill(int(open("supervisor").read()), signal.SIGKILL)
    time.sleep(60)

@app.task
def hold(path):
    note(path, "begin")
    while not os.path.exists("go"):
        time.sleep(0.01)

@app.task
def spin_in_c(path):
    subprocess.Popen(["sleep", "60"])
    note(path, "begin")
    sum(range(10**11))
"""

# How each task that the store knows has ended: id, phase, times its worker died.
LOST = """
import sqlite3, sys
db = sqlite3.connect("project.db")
for id, phase, lost in db.execute("select id, phase, lost from liteq_task order by seq"):
    print(id, phase, lost)
"""


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def noted(path: Path, runs: int) -> bool:
    return len(notes(path)) == runs


def replaced(worker: Program, child: int) -> bool:
    return newest_child(worker) != child


def notes(path: Path, word: str = "begin") -> list[tuple[int, float]]:
    """Who noted `word`, and when."""
    lines = path.read_text().splitlines() if path.exists() else []
    fields = [line.split() for line in lines]
    return [(int(pid), float(at)) for said, pid, at in fields if said == word]


def send(project: Project, call: str) -> str:
    """Send a task; its id."""
    return project.python(f"from project import *; print(({call}).id)").strip()


def outcome(project: Project, id: str) -> str:
    return project.python(
        "from project import app\n"
        f"r = app.AsyncResult({id!r}); print(repr(r.get(timeout=25, propagate=False)), r.state)"
    )


def lost(project: Project, id: str) -> int:
    rows = [line.split() for line in project.python(LOST).splitlines()]
    return next(int(row[2]) for row in rows if row[0] == id)


def newest_child(worker: Program) -> int:
    """The one child of the pool (the other process is the one that guards it)."""
    size = FORK_SERVERS + 1
    pids = wait_for(lambda: len(found := children_of(worker.pid)) == size and found, "a child")
    assert isinstance(pids, set)
    return max(pids, key=lambda pid: (started(pid), pid))


def started(pid: int) -> int:
    """In ticks since boot; 0 for a process that has ended just now."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0
