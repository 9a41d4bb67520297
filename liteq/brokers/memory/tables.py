"""The tables of the store: plain dicts and lists of values, with a few queries."""

from typing import NamedTuple

from ...model.entry import Entry
from ...model.graph import Group, Place
from ...model.message import Attempt, Receipt, Record, last_attempt
from ...model.order import Answer, Order
from ...model.output import Output
from ...model.stat import Stat
from ...model.step import Event, Step
from ...states import Phase
from ..base import WorkerInfo


class Revocation(NamedTuple):
    """The end that a revoked task is to have."""

    keep: float | None  # seconds that it is kept once it has ended as cancelled; None: for ever
    terminate: bool  # its worker is to end it


class StoredGroup(NamedTuple):
    """A group with its state."""

    group: Group
    closed: bool = False
    blame: str | None = None  # the task by which it failed
    released: bool = False  # the results of its members are not needed any more


class Tables:
    """All that the store holds. All of it are values, so a copy of the tables is a snapshot."""

    def __init__(self) -> None:
        self.tasks: dict[str, Record] = {}  # by id, in order of sending
        self.holders: dict[str, int] = {}  # the worker of each running task
        self.attempts: dict[str, list[Attempt]] = {}  # the earlier ones, without the last
        self.revoked: dict[str, Revocation] = {}
        self.places: dict[str, Place] = {}  # of tasks in workflows
        self.groups: dict[str, StoredGroup] = {}
        self.steps: dict[str, dict[str, Step]] = {}  # by task and name; replaced, never changed
        self.output: dict[str, tuple[Output, ...]] = {}  # by task, oldest first
        self.events: dict[str, Event] = {}
        self.entries: dict[str, Entry] = {}
        self.workers: dict[int, WorkerInfo] = {}
        self.orders: dict[tuple[str, int], Order] = {}  # by call and worker
        self.answers: dict[tuple[str, int], Answer] = {}
        self.stats: dict[tuple[int, int, str, str, str], Stat] = {}
        self.ended: list[str] = []  # tasks whose end is still to be propagated

    def copy(self) -> "Tables":
        """Return a snapshot."""
        snapshot = Tables()
        for name, table in vars(self).items():
            setattr(snapshot, name, table.copy())
        return snapshot

    def in_phases(self, *phases: Phase) -> list[Record]:
        """Return the tasks in `phases`, in order of sending."""
        return [record for record in self.tasks.values() if record.phase in phases]

    def claimed_by(self, worker: int) -> list[Record]:
        """Return the running tasks of a worker."""
        return [self.tasks[id] for id, holder in self.holders.items() if holder == worker]

    def claimed(self, receipt: Receipt) -> Record | None:
        """Return the running task of a receipt; None when that claim was lost."""
        record = self.tasks.get(str(receipt.key))
        holds = record and record.phase is Phase.RUNNING and record.token == receipt.token
        return record if holds else None

    def may_write_output(self, receipt: Receipt) -> bool:
        """Return whether the claim of a receipt holds, or has succeeded and was the last one."""
        record = self.tasks.get(str(receipt.key))
        if record is None or record.token != receipt.token:
            return False
        return record.phase in (Phase.RUNNING, Phase.SUCCEEDED)

    def active_workers(self) -> list[WorkerInfo]:
        """Return the workers that have not stopped."""
        return [worker for worker in self.workers.values() if worker.stopped is None]

    def all_attempts(self, id: str) -> list[Attempt]:
        """Return the attempts of a task, with the last one."""
        earlier = self.attempts.get(id, [])
        return [*earlier, *last_attempt(self.tasks.get(id), len(earlier))]

    def add_attempt(self, record: Record, ended: float, outcome: str, error: str | None) -> None:
        """Store how the attempt that stands in `record` ended; it is not the last one."""
        earlier = self.attempts.get(record.message.id, [])
        attempt = Attempt(len(earlier) + 1, record.started, ended, record.worker, outcome, error)
        self.attempts[record.message.id] = [*earlier, attempt]

    def add_step(self, id: str, step: Step) -> None:
        """Store a step of a task, in place of one of its name."""
        self.steps[id] = {**self.steps.get(id, {}), step.name: step}

    def live_event(self, key: str, now: float) -> Event | None:
        """Return the event of a key, unless it is too old."""
        event = self.events.get(key)
        return event if event is not None and event.is_kept(now) else None

    def delete(self, records: list[Record]) -> int:
        """Delete tasks with all that belongs to them; return how many."""
        for record in records:
            for table in (
                self.tasks,
                self.attempts,
                self.revoked,
                self.places,
                self.steps,
                self.output,
            ):
                table.pop(record.message.id, None)
        return len(records)
