"""Dead workers, by their leases and by their processes."""

from collections.abc import Iterator
from typing import NamedTuple

from ..owners import Owner, died_with_machine, is_dead, this_process
from .server import Server


class DeadWorker(NamedTuple):
    """A worker that is dead."""

    number: str
    info: str
    proven: bool  # its process has exited; else its lease has ended
    with_machine: bool = False  # it ended with its machine, which is this one


def dead_workers(server: Server, now: float) -> Iterator[DeadWorker]:
    """Yield workers whose lease has ended, and those of this host whose process has exited."""
    expired, local = server.run("dead_workers", now, this_process().boot)
    for number, info, owner in expired:
        with_machine = owner != b"" and died_with_machine(Owner.parse(owner.decode()))
        yield DeadWorker(number.decode(), info.decode(), False, with_machine)
    for number, info, owner in local:
        if is_gone(Owner.parse(owner.decode())):
            yield DeadWorker(number.decode(), info.decode(), proven=True)


def is_gone(owner: Owner) -> bool:
    """Return whether a worker's process is proven to have exited.

    Two hosts may have the same name, but not the same boot. So a worker of another boot or pid
    namespace is judged by its lease alone.
    """
    mine = this_process()
    if (owner.boot, owner.space) != (mine.boot, mine.space):
        return False
    return is_dead(owner._replace(host=mine.host)) is True
