"""A user's project in a folder, and workers that are real processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0

TASKS = '''
import os, signal, sys, time
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

@app.task
def add(x, y):
    return x + y

@app.task
def nap(seconds):
    time.sleep(seconds)
    return seconds

@app.task
def mark(path, seconds=0.0):
    """Append "begin" and the pid to `path`, sleep, and append "end" and the pid."""
    with open(path, "a") as file:
        file.write(f"begin {os.getpid()}\\n")
    time.sleep(seconds)
    while os.path.exists(f"{path}.hold"):
        time.sleep(0.01)
    with open(path, "a") as file:
        file.write(f"end {os.getpid()}\\n")
    return os.getpid()

@app.task
def fail(text):
    raise ValueError(text)

@app.task
def die():
    os.kill(os.getpid(), signal.SIGKILL)

@app.task(acks_late=False)
def once(path, seconds):
    return mark(path, seconds)

@app.task
def shout(text):
    print(text, flush=True)

@app.task
def anything():
    return lambda: None

@app.task(bind=True)
def progress(self, path):
    self.update_state(state="PROGRESS", meta={"done": 3})
    while not os.path.exists(path):
        time.sleep(0.01)
    return self.request.hostname
'''


def wait_for(look: Callable[[], T], what: str = "it", deadline: float = DEADLINE) -> T:
    """Poll `look` until it returns something true, and return that.

    There is no event to wait for, as other processes do it.
    """
    end = time.monotonic() + deadline
    while not (value := look()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.01)
    return value


def has_lines(path: Path, count: int = 1) -> Callable[[], bool]:
    """Return what tells whether `path` has so many whole lines, as `mark` writes them.

    A file exists before its first line does: who stops a process then stops it in between.
    """
    return lambda: path.exists() and path.read_bytes().count(b"\n") >= count


class Program:
    """A process whose lines are collected while it runs."""

    def __init__(self, argv: list[str], cwd: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,  # not a terminal, wherever the tests run
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for_line(self, pattern: str, deadline: float = DEADLINE) -> str:
        """Wait for a line that matches `pattern`; return the first."""

        def found() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self._changed:
            there = self._changed.wait_for(lambda: found() or not self._reader.is_alive(), deadline)
        line = found() if there else None
        assert line, f"no line like {pattern!r} in:\n{self.output}"
        return line

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, deadline: float = DEADLINE) -> int:
        """Wait for the end; return the exit code."""
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not exit:\n{self.output}") from None
        self._reader.join(deadline)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if not self._reader.is_alive():  # else a process that it started holds the stream open
            assert self.process.stdout is not None
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


class Project:
    """A folder with a `project.py`, and the commands that a user runs in it."""

    def __init__(self, folder: Path, source: str = TASKS) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.write("project.py", source)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        # Python detects changes by the size and by the time in seconds, which may be the same.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
        return path

    def start(self, *argv: str) -> Program:
        return Program([sys.executable, *argv], self.folder, self.env)

    @contextmanager
    def program(self, *argv: str) -> Iterator[Program]:
        """Run Python with `argv` for the block; kill it at the end if it still runs."""
        program = self.start(*argv)
        try:
            yield program
        finally:
            program.kill()

    def run(self, *argv: str, code: int | None = 0) -> str:
        """Run Python with `argv` to its end; return what it prints."""
        with self.program(*argv) as program:
            ended = program.wait()
        assert code is None or ended == code, f"exit code {ended}:\n{program.output}"
        return program.output

    def python(self, source: str, code: int | None = 0) -> str:
        return self.run("-c", source, code=code)

    def liteq(self, *argv: str, code: int | None = 0) -> str:
        return self.run("-m", "liteq", *argv, code=code)

    @contextmanager
    def worker(self, *options: str) -> Iterator[Program]:
        """Run a worker for the block, which begins when it is ready; kill it at the end."""
        argv = ["-m", "liteq", "worker", "-A", "project", "-l", "info", "-c", "2", *options]
        with self.program(*argv) as program:
            program.wait_for_line(r"\[tasks\]")
            yield program


def children_of(pid: int) -> set[int]:
    """Return all living descendants of `pid` (Linux)."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    while True:
        more = {child for child, parent in parents.items() if parent in {pid, *found}} - found
        if not more:
            return found
        found |= more


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# Processes of a worker beside itself and its children: the fork server, or the guard.
PORTABLE = os.environ.get("LITEQ_PORTABLE") == "1"
FORK_SERVERS = 1
TERM, INT, KILL = signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGKILL", signal.SIGTERM)
