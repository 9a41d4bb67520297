"""The options of a worker: their types, for editors, and the checks of their values."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict

from ..config.types import COUNT, FLAG, POOL, QUEUES, TEXT, converted
from .logging import LogPlan


class WorkerOptions(TypedDict, total=False):
    """The keywords of `app.Worker(...)`. They are those of `Worker`, which explains them."""

    concurrency: int | None
    queues: str | Sequence[str] | None
    hostname: str | None
    pool: str | None
    processes: int | None
    max_tasks_per_child: int | None
    max_memory_per_child: int | None
    autoscale: tuple[int, int] | None
    beat: bool
    logging: LogPlan | None


class Program(NamedTuple):
    """What the command line of a worker that is a program of its own adds to that."""

    # The process does nothing but work, so child processes may be made of forks of it, if what the
    # application has done so far allows that.
    may_fork: bool = False
    config: str | None = None  # a module of settings, which child processes load as well
    settings: Mapping[str, Any] = MappingProxyType({})  # of child processes as well; JSON


EMBEDDED: Program = Program()

_TYPES = {
    "concurrency": COUNT,
    "queues": QUEUES,
    "hostname": TEXT,
    "pool": POOL,
    "processes": COUNT,
    "max_tasks_per_child": COUNT,
    "max_memory_per_child": COUNT,
    "beat": FLAG,
}


def checked(name: str, value: Any) -> Any:
    """Return the value of an option as it is used; None is not given.

    Raises ImproperlyConfigured for what a setting of this type does not take either.
    """
    return None if value is None else converted(f"the worker's {name}", value, _TYPES[name])
