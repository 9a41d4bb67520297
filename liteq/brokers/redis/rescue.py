"""Who is dead, and what becomes of the tasks it held."""

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
    """A worker that is gone."""

    number: str
    info: str
    proven: bool  # its process is no more; else its lease has ended


class Rescuer:
    """Takes back what dead workers held."""

    def __init__(self, server: Server, policy: Policy, now: float) -> None:
        self._server = server
        self._policy = policy
        self._now = now

    def dead(self) -> Iterator[DeadWorker]:
        """Those whose lease has ended, and those of this machine whose process is gone."""
        ended, here = self._server.run("dead_workers", self._now, this_process().boot)
        for number, info in ended:
            yield DeadWorker(number.decode(), info.decode(), proven=False)
        for number, info, owner in here:
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
    """Whether its process is proven to be gone.

    Two machines may have one name, but not one boot. So what is not of this boot and this pid
    namespace is left to its lease.
    """
    mine = this_process()
    if (owner.boot, owner.space) != (mine.boot, mine.space):
        return False
    return is_dead(owner._replace(host=mine.host)) is True
