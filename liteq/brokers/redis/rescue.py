"""Dead workers, by their leases and by their processes."""

from collections.abc import Iterator
from typing import NamedTuple

from ..owners import Owner, is_dead, this_process
from .server import Server


class DeadWorker(NamedTuple):
    """A worker that is gone."""

    number: str
    info: str
    proven: bool  # its process is no more; else its lease has ended


def dead_workers(server: Server, now: float) -> Iterator[DeadWorker]:
    """Yield the workers whose lease has ended, and those of this machine that are gone."""
    ended, here = server.run("dead", now, this_process().boot)
    for number, info in ended:
        yield DeadWorker(number.decode(), info.decode(), proven=False)
    for number, info, owner in here:
        if is_gone(Owner.parse(owner.decode())):
            yield DeadWorker(number.decode(), info.decode(), proven=True)


def is_gone(owner: Owner) -> bool:
    """Whether its process is proven to be gone.

    Two machines may have one name, but not one boot. So what is not of this boot and this pid
    namespace is left to its lease.
    """
    mine = this_process()
    if (owner.boot, owner.space) != (mine.boot, mine.space):
        return False
    return is_dead(owner._replace(host=mine.host)) is True
