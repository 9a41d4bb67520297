"""Dead workers, and the rescue of the tasks that they held."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...model.outcome import Policy
from ...states import Phase
from ..base import StartedClaims
from ..owners import Owner, is_dead, this_process
from .server import Server

_LOST = "its worker died while it ran"
_DEAD = "its worker died {lost} times while it ran"
_ONCE = "its worker died while it ran, and with acks_late=False it may not run again"


class DeadWorker(NamedTuple):
    """A worker that is dead."""

    number: str
    info: str
    proven: bool  # its process has exited; else its lease has ended


class Rescuer:
    """The rescue of tasks from dead workers."""

    def __init__(self, server: Server, policy: Policy, now: float) -> None:
        self._server = server
        self._policy = policy
        self._now = now

    def dead(self) -> Iterator[DeadWorker]:
        """Yield workers whose lease has ended, and those of this host whose process has exited."""
        expired, local = self._server.run("dead_workers", self._now, this_process().boot)
        for number, info in expired:
            yield DeadWorker(number.decode(), info.decode(), proven=False)
        for number, info, owner in local:
            if is_gone(Owner.parse(owner.decode())):
                yield DeadWorker(number.decode(), info.decode(), proven=True)

    def take_back(self, worker: DeadWorker, started: StartedClaims) -> list[str]:
        """Take back what it held; answer the ids. Only what had started is charged."""
        tokens = started(worker.info)
        ids: list[Any] = self._server.run(
            "rescue",
            self._now,
            worker.number,
            int(worker.proven),
            self._policy.max_lost,
            self._kept(Phase.FAILED),
            self._kept(Phase.DEAD),
            _LOST,
            _DEAD,
            _ONCE,
            int(tokens is not None),
            *(tokens or ()),
        )
        return [id.decode() for id in ids]

    def _kept(self, phase: Phase) -> float | str:
        until = self._policy.kept_until(phase, self._now)
        return "" if until is None else until


def is_gone(owner: Owner) -> bool:
    """Return whether a worker's process is proven to have exited.

    Two hosts may have the same name, but not the same boot. So a worker of another boot or pid
    namespace is judged by its lease alone.
    """
    mine = this_process()
    if (owner.boot, owner.space) != (mine.boot, mine.space):
        return False
    return is_dead(owner._replace(host=mine.host)) is True
