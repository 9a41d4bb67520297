"""strace: a signal or an error at the Nth system call of a running process."""

import functools
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

# The calls that change what others see of a store. Its index in shared memory and the gate's
# count are written by ordinary stores to memory, between these.
CHANGES = ("pwrite64", "ftruncate", "fdatasync", "fsync", "unlink", "unlinkat", "flock", "sendto")
_CALL = re.compile(r"^(\w+)\(", re.MULTILINE)


class Fault(NamedTuple):
    """What happens to a process at the `nth` of its `call`s, counted from now."""

    call: str
    nth: int
    what: str = "signal=SIGKILL"  # before the call is made; `error=EIO` stands for the call
    onwards: bool = False  # at all calls that follow as well

    def __str__(self) -> str:
        return f"{self.what} at {self.call} {self.nth}{'+' if self.onwards else ''}"


@contextmanager
def attached(
    pid: int, log: Path, fault: Fault | None = None, calls: Sequence[str] = CHANGES
) -> Iterator[None]:
    """Write the `calls` of process `pid` (not of its children) to `log`, with `fault`."""
    argv = ["strace", "-p", str(pid), "-o", str(log)]
    wanted = {*calls, fault.call} if fault else calls
    argv += ["-e", "trace=" + ",".join(f"?{call}" for call in wanted)]
    if fault:
        when = f"{fault.nth}{'+' if fault.onwards else ''}"
        argv += ["-e", f"inject={fault.call}:{fault.what}:when={when}"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = strace.stderr.readline()
        try:
            assert "attached" in said, said
            yield
        finally:
            strace.terminate()  # it lets go of the process
            strace.wait()


def calls_in(log: Path) -> Counter[str]:
    """How often each call was made."""
    return Counter(_CALL.findall(log.read_text()))


@functools.cache
def missing() -> bool:
    """Whether strace is not here, or may not look at a process."""
    if sys.platform != "linux" or not shutil.which("strace"):
        return True
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            with attached(sleeper.pid, Path("/dev/null")):
                return False
        except AssertionError:
            return True
        finally:
            sleeper.kill()


needs_strace = pytest.mark.skipif(
    "__import__('tests.faults.strace', fromlist=['missing']).missing()",
    reason="needs strace (`make strace` installs it on Debian), and leave to trace a process",
)
