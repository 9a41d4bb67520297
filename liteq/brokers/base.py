"""The port: what every store of tasks must be able to do.

Each verb is one state change and one transaction, takes a batch (one is a batch of one), and may
be sent twice: enqueueing knows ids, settling knows receipts. `liteq.testing.BrokerContract` is
the definition of what the verbs mean.

To add a broker: a folder beside this file, its line in `BROKERS`, and a subclass of the contract.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError, ImproperlyConfigured
from ..model.entry import Entry, Fired, Firing
from ..model.graph import Graph, Members
from ..model.message import Attempt, Delivery, Message, Receipt, Record
from ..model.outcome import Settlement
from ..serializers.base import Serializer
from ..states import Phase
from ..support.clock import Clock


class Claim(NamedTuple):
    """A wish for work: at most `limit` ready tasks of `queues`, for `worker`."""

    worker: int
    queues: tuple[str, ...]
    limit: int


class Settled(NamedTuple):
    """The answer to `settle`."""

    refused: list[Receipt]  # claims that were lost; nothing was written for them
    claimed: list[Delivery]


class WorkerInfo(NamedTuple):
    """One worker as the others see it."""

    id: int
    name: str
    pid: int
    host: str
    started: float
    beat: float  # when it last said it is there
    stopped: float | None
    info: str  # a JSON object: queues, pool, concurrency, registered tasks, counts


class QueueCount(NamedTuple):
    """How many tasks of a queue are in a phase."""

    queue: str
    phase: Phase
    tasks: int


class ToTerminate(NamedTuple):
    """A running task that was revoked and is to be ended."""

    receipt: Receipt
    id: str


class Rescue(NamedTuple):
    """What becomes of the claims that a dead worker held."""

    released: Sequence[Receipt]  # they had not started: ready again, and nothing is charged
    settlements: Sequence[Settlement]


DecideRescue = Callable[[str, Sequence[Delivery]], Rescue]
"""Takes a dead worker's `info` and the claims it holds; decides what becomes of each. Pure."""


class Finding(NamedTuple):
    """Something about a store that is not as it should be."""

    severity: str  # error: tasks are lost, stuck or at risk; warning: see to it; note: know it
    what: str
    cure: str


class Examination(NamedTuple):
    """How a store is."""

    facts: dict[str, Any]  # as JSON has them
    findings: list[Finding]


class Listener(ABC):
    """Rings when there may be news: work for a worker, results for whoever waits.

    A ring is a hint. It can come for nothing, so whoever hears it looks; and it can be lost, so
    whoever waits looks now and then all the same.
    """

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that is readable when the listener has rung, for `selectors`."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; say whether it rang. Silences it."""

    @abstractmethod
    def clear(self) -> None:
        """Forget the rings so far."""

    def missed(self) -> bool:
        """Whether there may be news that did not ring since this was asked last. Cheap."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Stop listening."""


class Broker(ABC):
    """Keeps tasks, results and workers. Safe to share between threads and across a fork."""

    url: str
    """Where the store is, without secrets."""

    @property
    def address(self) -> str:
        """The URL by which another process reaches the store: with its secrets, never shown."""
        return self.url

    local = False
    """Whether only this process can see it, so that child processes are no use to it."""

    trusted = False
    """Whether nobody else can have written what is read from it, so that decoding may run code."""

    default_serializer: str
    """What arguments and results are encoded with unless somebody says otherwise."""

    clock: Clock

    def sign(self, key: str | bytes) -> None:
        """From now on sign what is stored, and believe only what is signed.

        A store that is trusted anyway does nothing.
        """

    # sending

    @abstractmethod
    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        """Store all `messages`, or none. One whose id is known already is left as it is.

        `durable`: return only when it would survive a power cut, whatever the store's setting.
        """

    @abstractmethod
    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        """Store a whole workflow, or nothing of it; nothing if its first message is known."""

    # working

    @abstractmethod
    def claim(self, claim: Claim) -> list[Delivery]:
        """Hand out ready tasks, by priority (higher first), then in the order they were sent."""

    @abstractmethod
    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        """Write what became of claimed tasks, and claim the next in the same transaction."""

    @abstractmethod
    def release(self, receipts: Sequence[Receipt]) -> None:
        """Give back claims that were not started; nothing is charged to them."""

    @abstractmethod
    def promote(self) -> float | None:
        """Make ready what is due; answer the moment when the next one will be, if any."""

    @abstractmethod
    def rescue(self, decide: DecideRescue) -> list[Record]:
        """Take back what is claimed by workers that are proven dead; return those tasks.

        `decide` says what becomes of the claims of one worker. They are read, decided and written
        in one transaction, or are written only if that worker is still dead and holds them; a
        claim that was lost meanwhile stays as it is. A task that was revoked ends as cancelled.
        """

    @abstractmethod
    def to_terminate(self, worker: int) -> list[ToTerminate]:
        """What `worker` runs and is to end, because it was revoked with `terminate`."""

    # results

    @abstractmethod
    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        """What is known of each id, in order; None for an unknown one."""

    @abstractmethod
    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        """Note what an unfinished task tells of itself; say whether there was one."""

    @abstractmethod
    def forget(self, ids: Sequence[str]) -> int:
        """Drop finished tasks; answer how many there were."""

    @abstractmethod
    def attempts(self, id: str) -> list[Attempt]:
        """Every start of the task, oldest first; none for an unknown one."""

    @abstractmethod
    def followers(self, id: str, *, group: bool = False) -> list[str]:
        """The ids of the tasks that wait, or waited, for the task `id`, or the group; oldest first.

        Of those that went before it, or were replaced, nothing is said.
        """

    @abstractmethod
    def members(self, group: str) -> Members:
        """What is in a group, by position; nothing for an unknown one."""

    @abstractmethod
    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        """Revoke unfinished tasks; answer their ids.

        Those that nobody runs end as cancelled. One that runs is not tried again, and with
        `terminate` its worker is told to end it.
        """

    @abstractmethod
    def revive(self, ids: Sequence[str]) -> list[str]:
        """Make tasks that did not succeed ready again, as if never tried; answer their ids."""

    @abstractmethod
    def sweep(self, limit: int) -> int:
        """Drop up to `limit` finished tasks whose time to be kept is over; answer how many."""

    # schedules

    @abstractmethod
    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        """Write entries of periodic tasks; answer the names of those that were refused.

        One of version 0 is new, and refused if there is one of its name. Any other replaces the
        one that was read with its version, and is refused if that was changed since.
        """

    @abstractmethod
    def unschedule(self, names: Sequence[str]) -> list[str]:
        """Drop entries; answer the names of those that there were."""

    @abstractmethod
    def schedules(self, due_by: float | None = None) -> list[Entry]:
        """All entries, or only those that are due by a moment; by name."""

    @abstractmethod
    def next_fire(self) -> float | None:
        """When the next entry is due, if any is."""

    @abstractmethod
    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        """Take each entry one step on and send what goes with it; say what became of each.

        A firing is LOST if its entry was changed since it was read. It is HELD if something is to
        be sent, the entry has no `overlap`, and its last task has not ended: then the entry goes
        on, with the runs and the last run that it had.
        """

    # workers

    @abstractmethod
    def register(self, name: str, info: str) -> int:
        """Enter this process as a worker; answer its number."""

    @abstractmethod
    def beat(self, worker: int, info: str) -> None:
        """Say that the worker is there, and what it does."""

    @abstractmethod
    def unregister(self, worker: int) -> None:
        """The worker is leaving. What it still holds goes back, uncharged."""

    # waiting

    @abstractmethod
    def work_listener(self, worker: int) -> Listener:
        """A listener for `worker` that rings when there may be something to claim, or to fire.

        0 is no worker: it only fires.
        """

    @abstractmethod
    def result_listener(self) -> Listener:
        """This thread's listener that rings when tasks have finished."""

    # upkeep

    @abstractmethod
    def upkeep(self, *, idle: bool = False) -> None:
        """What the store needs done now and then while a worker runs, and more when it is idle."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what this process holds. Using the broker again opens it again."""

    # what tools ask

    @abstractmethod
    def counts(self) -> list[QueueCount]:
        """How many tasks there are, by queue and phase."""

    @abstractmethod
    def listing(
        self,
        phases: Sequence[Phase],
        limit: int,
        *,
        task: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> list[Record]:
        """Up to `limit` tasks in `phases`, oldest first.

        Only those of the name `task`, and with one of `headers` among theirs, where given.
        """

    @abstractmethod
    def workers(self) -> list[WorkerInfo]:
        """The workers that are there."""

    @abstractmethod
    def purge(self, queues: Sequence[str] | None) -> int:
        """Drop what waits to be run (in `queues`, or everywhere); answer how many."""

    # what only some stores offer

    def examine(self, *, thorough: bool = False) -> Examination:
        """Look for what is wrong with the store, and change nothing. `thorough` takes its time."""
        raise self._not_offered("no examination")

    def mend(self) -> list[str]:
        """Put in order what can be, also while others use the store; tell what was done."""
        raise self._not_offered("no repair")

    def compact(self) -> None:
        """Give empty space back to the system. Everybody else has to wait meanwhile."""
        raise self._not_offered("nothing to compact")

    def backup(self, path: str) -> None:
        """Write a copy of the store to the new file `path`, while others use the store.

        Raises BrokerError; ConfigurationError when there is a file of that name already.
        """
        raise self._not_offered("no backup to a file")

    def _not_offered(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"a store of the kind of {self.url} offers {what}")


def check_trust(serializer: Serializer, broker: Broker) -> None:
    """Raise ImproperlyConfigured if decoding may run code, and others can write the store."""
    if serializer.trusted and not broker.trusted:
        raise ImproperlyConfigured(
            f"{serializer.name} runs code when it is decoded, and others may be able to write "
            f"{broker.url}: set secret_key, with which all that travels is signed, or take json"
        )
