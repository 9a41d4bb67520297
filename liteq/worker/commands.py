"""The commands that every worker knows: those that change it. Those that only look are in `facts`.

They run in the loop of the worker. To add one: a function here, and its line in `COMMANDS`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..app.limiting import set_rate_limit
from ..exceptions import InvalidTaskError
from ..sending.options import check_name
from . import facts
from .autoscale import check_scale
from .control import CONTROL, INSPECT, Command, ok
from .controlled import Controlled

_LONGEST_LIMIT = 1e15  # seconds: more than any time


def pool_grow(target: Controlled, n: int = 1) -> Any:
    """Add slots."""
    _resize(target, _number("n", n, 1))
    return ok("pool will grow")


def pool_shrink(target: Controlled, n: int = 1) -> Any:
    """Take slots away; a task that runs in one ends first."""
    _resize(target, -_number("n", n, 1))
    return ok("pool will shrink")


def autoscale(target: Controlled, max: int | None = None, min: int | None = None) -> Any:
    """Have as many slots as the load asks for, within these bounds."""
    supervisor = target.supervisor
    before = supervisor.scale
    most = before.most if before else supervisor.size
    least = before.least if before else 1
    most = most if max is None else _number("max", max, 1)
    least = least if min is None else _number("min", min, 0) or 1
    scale = check_scale(most, least)
    supervisor.scale_pool(scale)
    target.worker.resized(supervisor.size)
    return ok(f"autoscale now max={scale.most} min={scale.least}")


def pool_restart(target: Controlled, **how: Any) -> Any:
    """Load the code anew, slot by slot, as SIGHUP does."""
    target.worker.reload()
    return ok("reload started")


def shutdown(target: Controlled, msg: str = "") -> Any:
    """Stop when what runs is done."""
    target.supervisor.stop(why="an order")
    return ok("shutting down")


def heartbeat(target: Controlled) -> Any:
    """Send a heartbeat."""
    return ok("heartbeat sent")  # it is, before the answer


def add_consumer(target: Controlled, queue: str, **exchange: Any) -> Any:
    """Take tasks from one more queue."""
    name = check_name("queue name", queue)
    served = target.supervisor.plan.queues
    if name in served:
        return ok(f"already consuming from {name}")
    _serve(target, (*served, name))
    return ok(f"add consumer {name}")


def cancel_consumer(target: Controlled, queue: str) -> Any:
    """Take no more tasks from a queue; those that were claimed are run."""
    name = check_name("queue name", queue)
    _serve(target, tuple(each for each in target.supervisor.plan.queues if each != name))
    return ok(f"no longer consuming from {name}")


def time_limit(
    target: Controlled, task_name: str, soft: float | None = None, hard: float | None = None
) -> Any:
    """Change the time limits of a task, in seconds, until the worker ends."""
    name = _known_task(target, task_name)
    target.supervisor.limit_task(name, _seconds("soft", soft), _seconds("hard", hard))
    return ok("time limits set successfully")


def rate_limit(target: Controlled, task_name: str, rate_limit: str | float | None) -> Any:
    """Change how often a task may run."""
    set_rate_limit(target.app, _known_task(target, task_name), rate_limit)
    return ok("new rate limit set successfully")


def revoke(target: Controlled, task_id: Any, terminate: bool = False, signal: Any = None) -> Any:
    """Revoke tasks by id."""
    return _revoked(target.app.control.revoke(_ids(task_id), terminate=bool(terminate)))


def terminate(target: Controlled, task_id: Any, signal: Any = None) -> Any:
    """Revoke tasks by id, and end those that run."""
    return revoke(target, task_id, terminate=True)


def revoke_by_stamped_headers(
    target: Controlled, headers: Mapping[str, Any], terminate: bool = False, signal: Any = None
) -> Any:
    """Revoke the tasks that have one of these headers, or stamps."""
    if not isinstance(headers, Mapping):
        raise InvalidTaskError(f"headers is an object of names and values, not {headers!r:.100}")
    return _revoked(target.app.control.revoke_by_headers(headers, terminate=bool(terminate)))


def _resize(target: Controlled, change: int) -> None:
    supervisor = target.supervisor
    size = supervisor.size + change
    supervisor.resize(size)
    target.worker.resized(size)
    if supervisor.scale is not None:  # or the next look would undo it
        most, least = supervisor.scale
        supervisor.scale = check_scale(max(most, size), min(least, size))


def _serve(target: Controlled, queues: tuple[str, ...]) -> None:
    target.supervisor.serve_queues(queues)
    target.worker.queues = queues


def _revoked(ids: Sequence[str]) -> Any:
    return ok(f"tasks {', '.join(ids)} flagged as revoked" if ids else "no task is left to revoke")


def _number(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidTaskError(f"{name} is a whole number from {least} on, not {value!r:.100}")
    return value


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < _LONGEST_LIMIT
    ):
        raise InvalidTaskError(f"{name} is a number of seconds above 0, not {value!r:.100}")
    return float(value)


def _known_task(target: Controlled, given: Any) -> str:
    name = check_name("task name", given)
    # One may have been defined since the worker began, and another one come with new code.
    if name not in target.app.tasks and name not in target.supervisor.plan.definitions.by_task:
        raise InvalidTaskError(target.app.tasks.unknown(name))
    return name


def _ids(given: Any) -> list[str]:
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, Sequence) or not all(isinstance(each, str) for each in found):
        raise InvalidTaskError(f"task_id is an id or a list of ids, not {given!r:.100}")
    return list(found)


def _control(run: Any, args: Iterable[tuple[str, Any]] = (), **more: Any) -> Command:
    return Command(run.__name__, run, CONTROL, tuple(args), help=_first_line(run), **more)


def _inspect(run: Any, args: Iterable[tuple[str, Any]] = (), **more: Any) -> Command:
    return Command(run.__name__, run, INSPECT, tuple(args), help=_first_line(run), **more)


def _is_yes(text: str) -> bool:
    return text.lower() in ("yes", "true", "1", "on")


def _first_line(function: Any) -> str:
    return (function.__doc__ or "").partition("\n")[0]


COMMANDS: dict[str, Command] = {
    each.name: each
    for each in (
        _control(pool_grow, [("n", int)], signature="[N=1]"),
        _control(pool_shrink, [("n", int)], signature="[N=1]"),
        _control(autoscale, [("max", int), ("min", int)], signature="[MAX [MIN]]"),
        _control(pool_restart),
        _control(shutdown),
        _control(heartbeat),
        _control(add_consumer, [("queue", str)], signature="QUEUE"),
        _control(cancel_consumer, [("queue", str)], signature="QUEUE"),
        _control(
            time_limit,
            [("task_name", str), ("soft", float), ("hard", float)],
            signature="TASK SOFT [HARD]",
        ),
        _control(rate_limit, [("task_name", str), ("rate_limit", str)], signature="TASK RATE"),
        _control(revoke, variadic="task_id", signature="[ID ...]"),
        _control(terminate, [("signal", str)], variadic="task_id", signature="SIGNAL [ID ...]"),
        _control(revoke_by_stamped_headers),
        _inspect(facts.ping),
        _inspect(facts.stats),
        _inspect(facts.registered, variadic="taskinfoitems", signature="[ATTRIBUTE ...]"),
        _inspect(facts.active_queues),
        _inspect(facts.conf, [("with_defaults", _is_yes)], signature="[yes]"),
        _inspect(facts.report),
        _inspect(facts.clock),
    )
}
"""The commands that every worker knows, by name."""

FROM_STORE: Mapping[str, str] = dict.fromkeys(
    ("active", "query_task", "reserved", "revoked", "scheduled"),
    "the store has what tasks there are: app.control.inspect(), or `liteq inspect`, reads it",
)
"""Commands of Celery's that no worker is asked for, each with the reason."""
