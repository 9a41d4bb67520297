"""The state of workers, in the form of Celery's replies: `app.control.inspect()`.

What is about a worker is asked of it, and waited for. What is about tasks is read from the store:
it is there at once, and also if a worker does not answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from ..brokers.base import WorkerInfo
from ..brokers.serving import names_in
from ..exceptions import SerializationError
from ..model.message import Record
from ..result.app import App
from ..states import Phase
from ..support.warning import warn
from .absent import OF_INSPECT, Incomplete
from .orders import Callback, ask, destination_of

_AT_MOST = 1000  # tasks in one reply, the oldest ones

Info = dict[str, Any]
Replies = dict[str, Any] | None


class Inspect(Incomplete):
    """A view of the workers of `app`, or of those that `destination` names (one or many).

    Each method returns a dict with a reply for each worker, by its name; None when there is none.
    Those that ask workers wait for `timeout` seconds at most, and warn of those without an answer.
    `pattern`, `matcher`, `limit` and `callback` are those of `app.control.broadcast`.
    """

    absent: ClassVar[Mapping[str, str]] = OF_INSPECT

    def __init__(
        self,
        app: App,
        destination: str | Iterable[str] | None = None,
        timeout: float = 1.0,
        callback: Callback | None = None,
        *,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
        **_: object,
    ) -> None:
        self._app = app
        self._to = destination_of(destination, pattern, matcher)
        self._timeout = timeout
        self._callback = callback
        self._limit = limit

    # workers

    def ping(self, destination: str | Iterable[str] | None = None) -> Replies:
        """Return `{"ok": "pong"}` for each worker that answers."""
        return self._asked("ping", destination=destination)

    def registered(self, *taskinfoitems: str) -> Replies:
        """Return the names of the tasks that each worker can run.

        With `taskinfoitems`, names of attributes, as `name [attribute=value]`.
        """
        return self._asked("registered", {"taskinfoitems": taskinfoitems})

    registered_tasks = registered

    def stats(self) -> Replies:
        """Return the pool, process, uptime (seconds), usage and number of runs of each worker.

        `total` has the runs by the names of the tasks; those that failed count as well.
        """
        return self._asked("stats")

    def active_queues(self) -> Replies:
        """Return the queues that each worker serves."""
        return self._asked("active_queues")

    def conf(self, with_defaults: bool = False) -> Replies:
        """Return the settings of each worker, without secrets; others than JSON as text."""
        return self._asked("conf", {"with_defaults": with_defaults})

    def report(self) -> Replies:
        """Return `{"ok": text}`: what `app.bugreport()` returns in each worker."""
        return self._asked("report")

    def clock(self) -> Replies:
        """Return `{"clock": n}`: the time of the store in epoch seconds, not a logical clock."""
        return self._asked("clock")

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

    # inside

    def _asked(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        destination: str | Iterable[str] | None = None,
    ) -> Replies:
        """Return what the workers answer; warn of those without an answer."""
        to = self._to if destination is None else destination_of(destination)
        limits = self._timeout, self._limit, self._callback
        replies = ask(self._app, command, arguments, to, *limits)
        if complaint := replies.complaint(command):
            warn(complaint)
        return dict(replies.answers) or None

    def _workers(self) -> list[WorkerInfo]:
        found = [each for each in self._app.broker.workers() if self._to.includes(each)]
        return sorted(found, key=lambda each: str(each.name))

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
