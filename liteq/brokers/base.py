"""The port: the verbs that every broker implements.

Each verb is one state change and one transaction, takes a batch (one is a batch of one), and may
be called twice: enqueueing knows ids, settling knows receipts. `liteq.testing.BrokerContract`
defines what the verbs mean.

To add a broker: a folder beside this file, its line in `BROKERS`, and a subclass of the contract.
This module exports all types that a broker needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from ..exceptions import ImproperlyConfigured
from ..model.entry import Entry, Fired, Firing
from ..model.graph import Graph, Group, Members, Place
from ..model.message import Attempt, Delivery, Input, Message, Receipt, Record
from ..model.outcome import Settlement
from ..model.output import Output, OutputLine
from ..model.search import EVERYTHING, Search
from ..model.step import Event, Step
from ..serializers.base import Serializer
from ..states import Phase
from ..support.clock import Clock
from .examination import Examination, Finding, Tended
from .listener import Listener
from .ordering import Ordering
from .output import Outputs
from .statistics import Statistics
from .values import (
    Claim,
    DecideRescue,
    QueueCount,
    ReadSettled,
    Rescue,
    Settled,
    ToTerminate,
    WorkerInfo,
)

__all__ = [
    "Attempt",
    "Broker",
    "Claim",
    "Clock",
    "DecideRescue",
    "Delivery",
    "Entry",
    "Event",
    "Examination",
    "Finding",
    "Fired",
    "Firing",
    "Graph",
    "Group",
    "Input",
    "Listener",
    "Members",
    "Message",
    "Output",
    "OutputLine",
    "Phase",
    "Place",
    "QueueCount",
    "ReadSettled",
    "Receipt",
    "Record",
    "Rescue",
    "Settled",
    "Settlement",
    "Step",
    "ToTerminate",
    "WorkerInfo",
    "check_trust",
]


class Broker(Ordering, Outputs, Statistics, Tended, ABC):
    """A store of tasks, results, schedules and workers.

    One broker may be used by all threads of a process, and across a fork. It opens its store on
    first use. All times are seconds since the epoch, by `clock`. What a caller iterates over
    (ids, receipts, messages) may be empty.

    Every verb raises a BrokerError when the store fails. Callers decide by its class; a worker
    repeats the verb until it succeeds, except where it says that the worker stops.

    * BrokerUnavailable: trying again later may help. In a file nothing was done; on a server the
      verb may have been done, with only the reply lost.
        * BrokerLocked: another process held the write lock for as long as we wait.
        * BrokerUnreachable: the server does not reply.
        * BrokerFull: the server has no memory left.
    * BrokerCorrupt: the store is damaged, or not one of liteq. The worker stops.
        * BrokerGone: its file was deleted or replaced while it was in use.
    * BrokerTooNew: the store was written by a newer liteq. The worker stops.
    * BrokerInsecure: other users could write the store. Raised when it is opened.
    * BrokerRefused: the store can never hold a value as it is. Nothing was done.

    The first verb may also raise ConfigurationError, for a store that cannot work where it is.

    A verb names what else it raises, and what these mean for it where a caller has to know. Of
    what is stored and cannot be read nothing is raised: a task ends because of it, an entry is left
    out.
    """

    url: str
    """The URL of the store, without secrets."""

    @property
    def address(self) -> str:
        """Return the URL by which other processes open the store: with secrets, never shown."""
        return self.url

    local = False
    """True if only this process can see the store, so that child processes are of no use."""

    trusted = False
    """True if others cannot have written what is read, so that decoding it may run code."""

    default_serializer: str
    """The serializer of arguments and results for which none is set."""

    clock: Clock
    """The clock by which tasks are stored, promoted and swept."""
    beat_every: float = 5.0  # seconds between two calls of `beat` by a worker

    def sign(self, key: str | bytes) -> None:
        """Sign what is stored from now on, and accept only what is signed.

        A store that is trusted anyway ignores this. With it, what was not signed by `key` is set
        aside as DEAD by `claim`, and read as failed with a SecurityError by `fetch`.
        """

    # sending

    @abstractmethod
    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        """Store all `messages`, or none. Known ids are left as they are.

        Others may see thousands come one by one, but none before all are certain to be stored.
        With `durable` they survive a power cut, whatever the durability of the store.

        Raises BrokerRefused, and stores none, if one of them can never be stored. After a
        BrokerUnavailable the same call may be made again: what was stored is known.
        """

    @abstractmethod
    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        """Store `message` as sent at the moment `sent`; a finished task of its id is replaced.

        Return False, and store nothing, if a task of that id is kept: it has not ended, or others
        need its result. The same call made twice is one. Otherwise as `enqueue`.
        """

    @abstractmethod
    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        """Store a whole workflow, or nothing; nothing if the id of its first message is known.

        What is said of `enqueue` holds here; what waits for a task misses no end of one.
        """

    # working

    @abstractmethod
    def claim(self, claim: Claim) -> list[Delivery]:
        """Give ready tasks to a worker: by priority (higher first), then in order of sending.

        After a BrokerUnavailable some may have been claimed: the next call returns them.
        """

    @abstractmethod
    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        """Write the outcomes of claimed tasks, and claim the next in the same transaction.

        A settlement whose receipt is void, because the claim was lost, is refused and not raised.
        One in the phase RUNNING keeps its claim, and only its steps are written: a step in place of
        one of its name that the task has; or its output, see `Outputs`.

        A task that is to wait for an event is READY at once if that is stored, and not too old:
        then its step of that name has the value of the event.

        Raises BrokerRefused, and writes and claims nothing, if a result can never be stored: try
        them one by one. After a BrokerUnavailable the same call may be made again.
        """

    def start_settle(
        self, settlements: Sequence[Settlement], claim: Claim | None = None
    ) -> ReadSettled | None:
        """Start to `settle` without waiting for the store; None where that saves nothing.

        Until what is returned was called, once, nothing else may be settled in this thread, or
        claimed for that worker.
        """
        return None

    @abstractmethod
    def release(self, receipts: Sequence[Receipt]) -> None:
        """Make claimed tasks that were not started READY again. Void receipts are ignored."""

    @abstractmethod
    def promote(self) -> float | None:
        """Make SCHEDULED tasks that are due READY; return when the next will be, None for never."""

    def begin_rescue(self, every: float) -> bool:
        """Return whether to call `rescue` now: no worker has begun one for `every` seconds."""
        return True

    @abstractmethod
    def rescue(self, decide: DecideRescue) -> list[Record]:
        """Take back what is claimed by workers that are proven dead; return those tasks.

        `decide` says what becomes of the claims of one worker. They are read, decided and written
        in one transaction, or are written only if that worker is still dead and holds them; a
        claim that was lost meanwhile stays as it is. A task that was revoked ends as cancelled.
        Raises what `decide` raises, and then changes nothing of that worker.
        """

    @abstractmethod
    def to_terminate(self, worker: int) -> list[ToTerminate]:
        """Return what `worker` is to end: what was revoked with `terminate`, or taken from it."""

    # events

    @abstractmethod
    def emit(self, event: Event) -> bool:
        """Store `event`, unless one of its key is kept; return whether it is stored.

        Tasks that wait for it become READY, and their steps of that name have its value. The same
        call made twice is one.
        """

    @abstractmethod
    def event(self, key: str) -> Event | None:
        """Return the event that was emitted as `key`; None if there is none, or it is too old."""

    # results

    @abstractmethod
    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the record of each id, in order; None for an unknown one."""

    @abstractmethod
    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        """Store the state that an unfinished task reports; return False if there is no such task.

        `meta` is encoded with `serializer`. Raises BrokerRefused if it can never be stored.
        """

    @abstractmethod
    def forget(self, ids: Sequence[str]) -> int:
        """Delete finished tasks whose result no other task needs; return how many there were."""

    @abstractmethod
    def attempts(self, id: str) -> list[Attempt]:
        """Return all attempts of a task, oldest first; none for an unknown id."""

    @abstractmethod
    def steps(self, id: str) -> list[Step]:
        """Return the steps of a task, oldest first; none for an unknown id.

        They are kept for as long as the task, whatever becomes of it.
        """

    @abstractmethod
    def dependents(self, id: str, *, group: bool = False) -> list[str]:
        """Return the ids of the tasks that wait, or waited, for a task or a group, oldest first.

        Tasks that it waited for itself, or that were replaced, are not among them.
        """

    @abstractmethod
    def members(self, group: str) -> Members:
        """Return the members of a group by position; none for an unknown one."""

    @abstractmethod
    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        """Revoke unfinished tasks; return their ids.

        Those that do not run end as CANCELLED, and are kept for `keep` seconds (None: for ever).
        One that runs is not tried again, and with `terminate` its worker is to end it.
        """

    @abstractmethod
    def revive(self, ids: Sequence[str]) -> list[str]:
        """Make tasks that ended without success READY, as if never tried; return their ids."""

    @abstractmethod
    def sweep(self, limit: int) -> int:
        """Delete up to `limit` finished tasks that need not be kept longer; return how many.

        Events that are too old are deleted as well, up to `limit` of them, and not counted.
        """

    # schedules

    @abstractmethod
    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        """Store entries of periodic tasks; return the names of those that were refused.

        An entry of version 0 is new, and refused if there is one of its name. Any other replaces
        the one that was read with its version, and is refused if that was changed since. Raises
        BrokerRefused, and stores none, if one of them can never be stored.
        """

    @abstractmethod
    def unschedule(self, names: Sequence[str]) -> list[str]:
        """Delete entries; return the names of those that existed."""

    @abstractmethod
    def schedules(self, due_by: float | None = None) -> list[Entry]:
        """Return all entries by name, or only those that are due by a moment."""

    def entry(self, name: str) -> Entry | None:
        """Return the entry of that name; None if there is none that can be used."""
        return next((entry for entry in self.schedules() if entry.name == name), None)

    @abstractmethod
    def next_fire(self) -> float | None:
        """Return when the next entry is due; None if none is."""

    @abstractmethod
    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        """Advance entries and send their messages; return what became of each firing.

        It is STALE if its entry was changed since it was read. It is HELD if it has a message, the
        entry has no `overlap`, and its last task has not ended: then the entry is advanced, but
        keeps its number of runs and its last run.
        """

    # workers

    @abstractmethod
    def register(self, name: str, info: str) -> int:
        """Register this process as a worker; return its number, which is never 0.

        `info` is a JSON object for other programs.
        """

    @abstractmethod
    def beat(self, worker: int, info: str) -> None:
        """Store that the worker is alive, and its new `info`."""

    @abstractmethod
    def unregister(self, worker: int) -> None:
        """Remove a worker that stops. Its claims are released as by `release`."""

    # waiting

    @abstractmethod
    def work_listener(self, worker: int) -> Listener:
        """Return a listener for `worker`, notified when there may be work or an entry to fire.

        Of several workers that have room, as many are notified as there are tasks: one that cannot
        take a task calls `decline`. 0 is no worker: a process that only fires entries.
        """

    @abstractmethod
    def result_listener(self) -> Listener:
        """Return this thread's listener, notified when tasks have ended or reported a state."""

    def is_notified_of(self, ids: Collection[str]) -> bool:
        """Return whether the end of each of these tasks notifies this thread's listener, or did so
        since it was last cleared: then there is no need to look before the first notification.

        True only for what this thread sent since; False where that is not known.
        """
        return False

    # upkeep

    @abstractmethod
    def upkeep(self, *, idle: bool = False) -> None:
        """Do what the store needs now and then while a worker runs, and more when it is `idle`.

        Raises BrokerGone when the file of the store was deleted or replaced: the worker stops.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what this process has open. Using the broker again opens it again."""

    # what tools ask

    @abstractmethod
    def revision(self) -> object:
        """Return what is not equal to an earlier one if others have changed the store since.

        Compare those of one thread, which changes nothing itself. Reports may not count.
        """

    @abstractmethod
    def counts(self) -> list[QueueCount]:
        """Return the numbers of tasks, by queue and phase."""

    @abstractmethod
    def listing(
        self, phases: Sequence[Phase], limit: int, search: Search = EVERYTHING
    ) -> list[Record]:
        """Return up to `limit` tasks in `phases` that `search` looks for, in its order."""

    @abstractmethod
    def workers(self) -> list[WorkerInfo]:
        """Return the workers that are not known to have stopped or exited."""

    @abstractmethod
    def purge(self, queues: Sequence[str] | None) -> int:
        """Delete READY and SCHEDULED tasks of `queues`, or of all; return how many.

        Those that others wait for end as CANCELLED instead.
        """

    def check_exists(self) -> None:
        """Raise BrokerUnavailable if there is no store yet, which any other verb would create.

        Raises BrokerTooOld for one of an earlier liteq, which any other verb would upgrade.
        """


def check_trust(serializer: Serializer, broker: Broker) -> None:
    """Raise ImproperlyConfigured if decoding may run code and others can write the store."""
    if serializer.trusted and not broker.trusted:
        raise ImproperlyConfigured(
            f"{serializer.name} runs code when it is decoded, and others may be able to write "
            f"{broker.url}: set secret_key, with which all that is stored is signed, or use the "
            "json serializer"
        )
