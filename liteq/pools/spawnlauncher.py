"""The launcher of children that are fresh interpreters."""

import socket
from selectors import BaseSelector

from .guards import make_guard
from .launchers import EXIT_TIMEOUT, Launcher, spawn_with_scoreboard
from .spawn import SpawnedProcess


class SpawnLauncher(Launcher):
    """A launcher of fresh interpreters, which is slower, and works on every platform."""

    def start(self, selector: BaseSelector) -> None:
        self._processes: dict[int, SpawnedProcess] = {}
        self._guard = make_guard()

    def launch(self, slot: int, stream: socket.socket) -> None:
        with stream:
            self._guard.prepare()
            process = spawn_with_scoreboard(
                "liteq.pools.childmain:main", stream, {**self.setup, "slot": slot}
            )
        self._processes[process.pid] = process
        self._guard.add(process)
        self.callbacks.started(slot, process.pid)

    def renew(self) -> None:
        self.callbacks.code_renewed(None)  # each child imports the application itself

    def stream_closed(self, pid: int) -> None:
        process = self._processes.pop(pid)
        process.wait_or_kill(EXIT_TIMEOUT)
        self.callbacks.exited(pid, process.returncode)
        self._guard.remove(pid)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes = {}
        self._guard.close()
