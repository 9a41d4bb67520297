"""The state of workers, in the form of Celery's replies: `app.control.inspect()`.

All of it is read from the store. No worker is asked, so a busy one is shown at once as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from ..brokers.base import WorkerInfo
from ..brokers.serving import facts_of, names_in
from ..exceptions import SerializationError
from ..model.message import Record
from ..result.app import App
from ..states import Phase
from .absent import OF_INSPECT, Incomplete
from .registry import own_tasks

SILENT = 15.0  # seconds without a heartbeat (three are missing) after which a ping fails
_AT_MOST = 1000  # tasks in one reply, the oldest ones

Info = dict[str, Any]
Replies = dict[str, Any] | None


class Inspect(Incomplete):
    """A view of the workers of `app`, or of those that `destination` names (one or many).

    Each method returns a dict with a reply for each worker, by its name; None when there is no
    worker. `timeout` and other options of Celery's do nothing.
    """

    absent: ClassVar[Mapping[str, str]] = OF_INSPECT

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
        """Return `{"ok": "pong"}` for each worker with a heartbeat in the last 15 seconds."""
        asked = self if destination is None else Inspect(self._app, destination)
        now = self._app.broker.clock()
        alive = [each.name for each in asked._workers() if now - each.beat < SILENT]
        return {name: {"ok": "pong"} for name in alive} or None

    def registered(self, *taskinfoitems: str) -> Replies:
        """Return the names of the tasks that each worker can run.

        With `taskinfoitems`, names of attributes, as `name [attribute=value]`: the values are those
        that the task has in this process, if it is known here.
        """

        def described(worker: WorkerInfo) -> list[str]:
            return [
                self._described(name, taskinfoitems)
                for name in own_tasks(names_in(worker, "tasks"))
            ]

        return self._replies(described)

    registered_tasks = registered

    def stats(self) -> Replies:
        """Return the pool, process, uptime (seconds) and number of tasks run of each worker.

        `total` has one entry, for all tasks.
        """
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
        """Return the queues that each worker serves."""

        def served(worker: WorkerInfo) -> list[Info]:
            return [{"name": name, "routing_key": name} for name in names_in(worker, "queues")]

        return self._replies(served)

    # tasks

    def active(self, safe: object = None) -> Replies:
        """Return the tasks that each worker has claimed: they run, or are next in line."""
        return self._tasks([Phase.RUNNING], _info)

    def reserved(self, safe: object = None) -> Replies:
        """Return the tasks that wait in the queues of each worker.

        If several workers share a queue, only the first of them, by name, shows its tasks.
        """
        return self._tasks([Phase.READY], _info)

    def scheduled(self, safe: object = None) -> Replies:
        """Return the tasks with a later eta for the queues of each worker, like `reserved`."""

        def with_eta(record: Record, info: Info) -> Info:
            return {"eta": _iso(record.message.eta), "priority": record.message.priority, **info}

        return self._tasks([Phase.SCHEDULED], lambda *of: with_eta(of[0], {"request": _info(*of)}))

    def revoked(self) -> Replies:
        """Return the ids of revoked tasks, the same for all workers."""
        found = self._app.broker.listing([Phase.CANCELLED], _AT_MOST)
        return self._replies(lambda _: [record.message.id for record in found])

    def query_task(self, *ids: Any) -> Replies:
        """Return those of the tasks `ids` that each worker has: `{id: [state, task]}`.

        The state is "active" or "reserved".
        """
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

    # read from this process, and the same for all workers

    def conf(self, with_defaults: bool = False) -> Replies:
        """Return the settings, without secrets: those of this process, as workers store none."""
        return self._replies(lambda _: self._app.conf.table(with_defaults))

    def report(self) -> Replies:
        """Return `{"ok": text}`: what `app.bugreport()` returns in this process."""
        text = self._app.bugreport()
        return self._replies(lambda _: {"ok": text})

    def clock(self) -> Replies:
        """Return `{"clock": n}`: epoch seconds of the last heartbeat, not a logical clock."""
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
        values = [(item, name if item == "name" else getattr(task, item, None)) for item in items]
        fields = " ".join(f"{item}={value}" for item, value in values if value is not None)
        return f"{name} [{fields}]" if fields else name


def _holder(record: Record, workers: Iterable[WorkerInfo]) -> WorkerInfo | None:
    """Return the worker that runs a task, or the first that serves its queue."""
    if record.phase is Phase.RUNNING:
        return next((each for each in workers if each.name == record.worker), None)
    queue = record.message.queue
    return next((each for each in workers if queue in names_in(each, "queues")), None)


def _info(record: Record, worker: WorkerInfo, app: App) -> Info:
    """Return a task with Celery's keys. Arguments that cannot be decoded here are None."""
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
