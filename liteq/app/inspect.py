"""What workers do, in the form of Celery's replies: `app.control.inspect()`.

No worker is asked: the store knows. So nobody is waited for, and a busy worker answers as well.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..brokers.base import WorkerInfo
from ..exceptions import SerializationError
from ..model.message import Record
from ..result.app import App
from ..states import Phase
from ..version import __version__

SILENT = 15.0  # seconds without a beat, that is three of them, after which a ping is unanswered
_AT_MOST = 1000  # tasks in one reply, the oldest ones

Info = dict[str, Any]
Replies = dict[str, Any] | None


class Inspect:
    """Asks for the workers of `app`, or for those that `destination` names (one or many).

    Each method answers a dict with a reply for each worker, by its name; None when there is no
    worker. `timeout` and other options of Celery's do nothing.
    """

    def __init__(
        self,
        app: App,
        destination: str | Iterable[str] | None = None,
        timeout: float = 1.0,
        **_: object,
    ) -> None:
        self._app = app
        names = [destination] if isinstance(destination, str) else destination
        self._wanted = None if names is None else frozenset(names)

    # workers

    def ping(self, destination: str | Iterable[str] | None = None) -> Replies:
        """`{"ok": "pong"}` of each worker that was heard of in the last 15 seconds."""
        asked = self if destination is None else Inspect(self._app, destination)
        now = self._app.broker.clock()
        answered = [each.name for each in asked._workers() if now - each.beat < SILENT]
        return {name: {"ok": "pong"} for name in answered} or None

    def registered(self, *taskinfoitems: str) -> Replies:
        """The names of the tasks that it knows; with `taskinfoitems` (attributes of tasks) as
        `name [attribute=value]`, as far as this process knows the task."""

        def described(worker: WorkerInfo) -> list[str]:
            return [self._described(name, taskinfoitems) for name in _names(worker, "tasks")]

        return self._replies(described)

    registered_tasks = registered

    def stats(self) -> Replies:
        """Its pool, its process, for how many seconds it has worked, and how many tasks it has run:
        `total` has one entry, for all of them."""
        now = self._app.broker.clock()

        def counted(worker: WorkerInfo) -> Info:
            facts = facts_of(worker)
            pool = {
                "implementation": facts.get("pool"),
                "max-concurrency": facts.get("concurrency"),
                "processes": facts.get("processes"),
            }
            return {
                "pool": pool,
                "pid": worker.pid,
                "hostname": worker.host,
                "uptime": round(max(now - worker.started, 0.0)),
                "total": {"all": facts.get("done", 0)},
            }

        return self._replies(counted)

    def active_queues(self) -> Replies:
        """The queues that it works on."""

        def served(worker: WorkerInfo) -> list[Info]:
            return [{"name": name, "routing_key": name} for name in _names(worker, "queues")]

        return self._replies(served)

    # tasks

    def active(self, safe: object = None) -> Replies:
        """The tasks that it runs, or has taken to run next."""
        return self._tasks([Phase.RUNNING], _info)

    def reserved(self, safe: object = None) -> Replies:
        """The tasks that wait in its queues. If several workers share a queue, only the first of
        them, by name, shows what waits there."""
        return self._tasks([Phase.READY], _info)

    def scheduled(self, safe: object = None) -> Replies:
        """The tasks for its queues whose moment has not come, shown likewise."""

        def with_eta(record: Record, info: Info) -> Info:
            return {"eta": _iso(record.message.eta), "priority": record.message.priority, **info}

        return self._tasks([Phase.SCHEDULED], lambda *of: with_eta(of[0], {"request": _info(*of)}))

    def revoked(self) -> Replies:
        """The ids of revoked tasks, which all workers know."""
        found = self._app.broker.listing([Phase.CANCELLED], _AT_MOST)
        return self._replies(lambda _: [record.message.id for record in found])

    def query_task(self, *ids: Any) -> Replies:
        """What it has of the tasks `ids`: `{id: ["active" or "reserved", task]}`."""
        wanted = [id for each in ids for id in ([each] if isinstance(each, str) else each)]
        found = [record for record in self._app.broker.fetch(wanted) if record is not None]
        states = {Phase.RUNNING: "active", Phase.READY: "reserved", Phase.SCHEDULED: "reserved"}
        workers = self._workers()
        replies: dict[str, Info] = {worker.name: {} for worker in workers}
        for record in found:
            worker = _holder(record, workers)
            if worker is not None and record.phase in states:
                info = _info(record, worker, self._app)
                replies[worker.name][record.message.id] = [states[record.phase], info]
        return replies or None

    # what this process can say for all of them

    def conf(self, with_defaults: bool = False) -> Replies:
        """The settings, without secrets: those of this process, as workers do not tell theirs."""
        return self._replies(lambda _: self._app.conf.table(with_defaults))

    def report(self) -> Replies:
        """`{"ok": text}`: versions and settings, likewise."""
        conf = self._app.conf.humanize()
        system = f"python {sys.version.partition(' ')[0]} on {sys.platform}"
        text = f"liteq {__version__}\n{system}\n{self._app.broker.url}\n{conf}\n"
        return self._replies(lambda _: {"ok": text})

    def clock(self) -> Replies:
        """`{"clock": n}`: the second of its last beat, as workers have no clock of their own."""
        return self._replies(lambda worker: {"clock": int(worker.beat)})

    # inside

    def _workers(self) -> list[WorkerInfo]:
        wanted = self._wanted
        found = self._app.broker.workers()
        return sorted(
            (each for each in found if wanted is None or each.name in wanted),
            key=lambda each: str(each.name),
        )

    def _replies(self, reply: Callable[[WorkerInfo], Any]) -> Replies:
        return {worker.name: reply(worker) for worker in self._workers()} or None

    def _tasks(
        self, phases: list[Phase], show: Callable[[Record, WorkerInfo, Any], Info]
    ) -> Replies:
        workers = self._workers()
        replies: dict[str, list[Info]] = {worker.name: [] for worker in workers}
        for record in self._app.broker.listing(phases, _AT_MOST) if workers else ():
            worker = _holder(record, workers)
            if worker is not None:
                replies[worker.name].append(show(record, worker, self._app))
        return replies or None

    def _described(self, name: str, items: Iterable[str]) -> str:
        task = self._app.tasks.get(name)
        values = [(item, getattr(task, item, None)) for item in items]
        fields = " ".join(f"{item}={value}" for item, value in values if value is not None)
        return f"{name} [{fields}]" if fields else name


def facts_of(worker: WorkerInfo) -> Mapping[str, Any]:
    """What a worker tells of itself: nothing before its first beat."""
    try:
        facts = json.loads(worker.info)
    except ValueError:  # whoever may write the store may write anything
        return {}
    return facts if isinstance(facts, dict) else {}


def _names(worker: WorkerInfo, key: str) -> list[str]:
    names = facts_of(worker).get(key)
    return [str(name) for name in names] if isinstance(names, list) else []


def _holder(record: Record, workers: Iterable[WorkerInfo]) -> WorkerInfo | None:
    """The worker that runs a task, or the first one that may."""
    if record.phase is Phase.RUNNING:
        return next((each for each in workers if each.name == record.worker), None)
    queue = record.message.queue
    return next((each for each in workers if queue in _names(each, "queues")), None)


def _info(record: Record, worker: WorkerInfo, app: App) -> Info:
    """A task, with Celery's keys. Arguments that cannot be decoded here are None."""
    message = record.message
    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    try:
        args, kwargs = app.backend.arguments(record)
    except SerializationError:
        args = kwargs = None
    running = record.phase is Phase.RUNNING
    return {
        "id": message.id,
        "name": message.task,
        "args": None if args is None else list(args),
        "kwargs": kwargs,
        "type": message.task,
        "hostname": worker.name,
        "time_start": record.started if running else None,
        "acknowledged": running,
        "delivery_info": {
            "exchange": "",
            "routing_key": message.queue,
            "priority": message.priority,
            "redelivered": record.lost > 0,
        },
        "worker_pid": worker.pid if running else None,
    }


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()
