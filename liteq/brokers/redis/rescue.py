"""Dead workers, by their processes where these can be seen from here, else by their leases."""

from collections.abc import Iterator
from enum import Enum, auto
from operator import attrgetter
from typing import NamedTuple

from ...support.clock import Clock
from ..base import DecideRescue, Rescue
from ..owners import Owner, died_with_machine, is_dead, this_process
from .arguments import rescue_args
from .deliveries import sort_out
from .replies import text_of
from .server import Server
from .signing import UNSIGNED


class Proof(Enum):
    """Name the proof that a worker is dead."""

    EXITED = auto()  # its process has exited
    LEASE_ENDED = auto()  # no heartbeat came in time, and its process cannot be seen from here


class DeadWorker(NamedTuple):
    """A worker that is dead."""

    number: str
    proof: Proof
    with_machine: bool  # it ended with its machine, which is this one


def dead_workers(server: Server) -> Iterator[DeadWorker]:
    """Yield the workers that are dead."""
    for number, lease_ended, text in server.run("dead_workers", 0.0, this_process().boot):
        owner = Owner.parse(text_of(text))
        proof = proof_of_death(owner, lease_ended=bool(lease_ended))
        if proof is not None:
            with_machine = died_with_machine(owner)
            yield DeadWorker(text_of(number), proof, with_machine)


def take_back(server: Server, clock: Clock, worker: DeadWorker, decide: DecideRescue) -> list[str]:
    """Take back what a dead worker holds, as `decide` says; return the ids of those tasks.

    The claims are read, decided here, and written by a script that looks again whether the worker
    is dead and holds nothing else. A claim that was settled in between is refused by its token.
    """
    info, replies = server.run("held", clock(), worker.number)
    held, unreadable = sort_out(replies, UNSIGNED, clock, as_sent=True)
    held.sort(key=attrgetter("token"))  # in the order of claiming
    released, settlements = decide(text_of(info), held, worker.with_machine)
    rescued = Rescue(released, [*settlements, *unreadable])
    args = rescue_args([token for _, token, *_ in replies], rescued)
    exited = int(worker.proof is Proof.EXITED)
    if not server.run("rescue", clock(), worker.number, exited, *args):
        return []
    return [delivery.message.id for delivery in held]


def proof_of_death(owner: Owner | None, *, lease_ended: bool) -> Proof | None:
    """Return what proves that a worker is dead; None while it is to be taken for alive.

    A process that can be seen from here tells for itself, however long it has not sent a heartbeat:
    it may be stopped, or be in C code that lets no other thread run.
    """
    exited = _has_exited(owner)
    if exited is None:
        return Proof.LEASE_ENDED if lease_ended else None
    return Proof.EXITED if exited else None


def _has_exited(owner: Owner | None) -> bool | None:
    """Return whether a process has exited; None where that cannot be seen from here.

    Two hosts may have the same name, but not the same boot. So a process of another boot or pid
    namespace cannot be seen.
    """
    mine = this_process()
    if owner is None or not mine.boot or (owner.boot, owner.space) != (mine.boot, mine.space):
        return None
    return is_dead(owner._replace(host=mine.host))
