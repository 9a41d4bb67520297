"""Starting programs, weighing them, and being sure that they are gone.

Whatever is started carries a mark in its environment, and so do its children, whoever their
parent is by then. A mark is how a worker's whole tree is found in /proc (Linux only).
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

PROC = Path("/proc")
PATIENCE = 5.0  # seconds to stop in good order, before the kill


class Failed(Exception):
    """A program did not do what it was started for."""


def new_mark(name: str) -> str:
    """Return a line for the environment that no other process has."""
    return f"{name}={token_hex(8)}"


def marked(mark: str) -> list[int]:
    """Return the process ids of all that carry `mark`."""
    wanted = mark.encode()
    return [pid for pid in _pids() if wanted in _read(pid, "environ").split(b"\0")]


def kill(mark: str) -> None:
    """Kill all that carry `mark`, and what they start meanwhile."""
    while pids := marked(mark):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


@contextmanager
def running(
    command: Sequence[str], log: Path, mark: str, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` while the block runs; what it prints goes to `log`."""
    name, _, value = mark.partition("=")
    with log.open("ab") as out:
        program = subprocess.Popen(
            command, stdout=out, stderr=out, env=os.environ | environment | {name: value}
        )
    try:
        yield program
    finally:
        program.terminate()
        try:
            program.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            program.kill()
        kill(mark)
        program.wait()


def cpu_seconds(mark: str) -> float:
    """Return the processor time of all that carry `mark`, so far, in seconds."""
    return sum(_cpu_seconds(pid) for pid in marked(mark))


def memory_mb(mark: str) -> float:
    """Return the memory of all that carry `mark` (PSS: what is shared is shared out), in MB."""
    return sum(_pss_kb(pid) for pid in marked(mark)) / 1024


def _cpu_seconds(pid: int) -> float:
    # schedstat counts nanoseconds; stat counts ticks of 10 ms, too coarse for an idle worker.
    nanoseconds = 0
    for thread in (PROC / str(pid) / "task").iterdir():
        nanoseconds += int((thread / "schedstat").read_bytes().split()[0])
    return nanoseconds / 1e9


def _pss_kb(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1])
    return 0


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:  # gone meanwhile, or somebody else's
        return b""
