"""The commands that every worker knows: those that only look at it.

They run in the loop of the worker. To add one: a function here, and its line in `COMMANDS` of
`commands.py`.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from ..exceptions import InvalidTaskError
from ..support.urls import safe_url
from .control import ok
from .controlled import Controlled

_USAGE = (
    *("utime", "stime", "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap"),
    *("inblock", "oublock", "msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw"),
)


def ping(target: Controlled) -> Any:
    """Show that it is there."""
    return ok("pong")


def stats(target: Controlled) -> Any:
    """Show its pool, its process, and how many tasks it has run."""
    worker, supervisor = target.worker, target.supervisor
    limits, scale = worker.limits, supervisor.scale
    app = target.app
    found: dict[str, Any] = {
        "broker": {"transport": safe_url(app.broker.url).partition(":")[0], "url": app.broker.url},
        "hostname": worker.hostname,
        "pid": os.getpid(),
        "uptime": round(supervisor.uptime),
        "clock": str(int(app.broker.clock())),
        "pool": {
            "implementation": worker.pool_name,
            "max-concurrency": supervisor.size,
            "processes": supervisor.pool.pids(),
            "max-tasks-per-child": "N/A" if limits.tasks is None else limits.tasks,
            "timeouts": [app.conf.task_soft_time_limit or 0, app.conf.task_time_limit or 0],
        },
        "prefetch_count": 0,
        "rusage": _usage(),
        "total": dict(supervisor.totals),
    }
    if scale is not None:
        found["autoscaler"] = {"max": scale.most, "min": scale.least, "current": supervisor.size}
    return found


def registered(target: Controlled, taskinfoitems: Sequence[str] = ()) -> Any:
    """Show the tasks that it can run, with the values of these attributes."""
    if isinstance(taskinfoitems, str) or not all(isinstance(each, str) for each in taskinfoitems):
        raise InvalidTaskError("taskinfoitems is a list of the names of attributes")
    tasks = target.app.tasks
    return [_described(name, tasks.get(name), taskinfoitems) for name in _names(target)]


def active_queues(target: Controlled) -> Any:
    """Show the queues that it takes tasks from."""
    return [{"name": name, "routing_key": name} for name in target.supervisor.plan.queues]


def conf(target: Controlled, with_defaults: bool = False) -> Any:
    """Show its settings, without secrets."""
    return target.app.conf.table(bool(with_defaults))


def report(target: Controlled) -> Any:
    """Show the versions, the system and the settings of its process."""
    return ok(target.app.bugreport())


def clock(target: Controlled) -> Any:
    """Show the time of the store, in epoch seconds; there is no logical clock."""
    return {"clock": int(target.app.broker.clock())}


def _names(target: Controlled) -> list[str]:
    """Return the names of the tasks that it can run: also those of code that was loaded anew."""
    return target.supervisor.plan.definitions.names()


def _described(name: str, task: Any, items: Sequence[str]) -> str:
    values = [(item, name if item == "name" else getattr(task, item, None)) for item in items]
    fields = " ".join(f"{item}={value}" for item, value in values if value is not None)
    return f"{name} [{fields}]" if fields else name


def _usage() -> dict[str, float]:
    """Return what this process and its ended children have used; nothing on Windows."""
    if sys.platform == "win32":
        return {}
    import resource  # only here, and not there

    used = resource.getrusage(resource.RUSAGE_SELF)
    return {name: getattr(used, f"ru_{name}") for name in _USAGE}
