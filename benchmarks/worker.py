"""The worker of a contender, while a row is measured."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from contenders import Contender
from processes import Failed, new_mark, running


@dataclass(frozen=True)
class Worker:
    """A worker that is starting, or up."""

    program: Popen[bytes]
    log: Path
    mark: str

    def wait_until(self, done: Callable[[], bool], seconds: float, pause: float = 0.001) -> None:
        """Wait until `done()`; Failed if the worker ends before, or it takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            if self.program.poll() is not None:
                raise Failed(f"the worker ended:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise Failed(f"not done after {seconds} s; the worker said:\n{self.last_words()}")
            time.sleep(pause)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def started(contender: Contender, processes: int = 2) -> Iterator[Worker]:
    """Start the contender's worker as its users do, from the command line."""
    mark, log = new_mark("BENCH_WORKER"), Path(os.environ["BENCH_FOLDER"], "worker.log")
    command = contender.worker_command(processes)
    with running(command, log, mark, contender.environment) as program:
        yield Worker(program, log, mark)
