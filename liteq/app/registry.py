"""The tasks of an application, by name."""

from collections.abc import Iterable
from typing import Any, Protocol
from weakref import WeakSet

from ..canvas.builtins import PREFIX
from ..exceptions import NotRegistered
from ..support.nearest import did_you_mean
from ..task import Task
from .duplicates import warn_of_replaced

_SHOWN = 10  # names in an error


class Watcher(Protocol):
    """What is told of tasks that are added: a worker that runs them in this process."""

    def tasks_changed(self) -> None:
        """Note that a task was added or replaced. From any thread."""


class Registry(dict[str, Task[..., Any]]):
    """Tasks by name. Reading an unknown one raises NotRegistered."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers: WeakSet[Watcher] = WeakSet()

    def __missing__(self, name: str) -> Task[..., Any]:
        raise NotRegistered(self.unknown(name))

    def add(self, task: Task[..., Any]) -> None:
        """Add `task` under its name, with a warning if it replaces a different one."""
        if task.name in self:
            warn_of_replaced(self[task.name], task)
        self[task.name] = task
        for watcher in tuple(self.watchers):
            watcher.tasks_changed()

    def names(self) -> list[str]:
        """Return the names in order, without those of the tasks that every app has."""
        return own_tasks(self)

    def unknown(self, name: str) -> str:
        """Return the error text for the unknown task `name`, with the names that are known."""
        names = self.names()
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        known = ", ".join(names[:_SHOWN]) or "none; was its module imported?"
        hint = did_you_mean(name, names, f"; known are {known}{more}")
        return f"no task {name!r} is registered here{hint}"


def own_tasks(names: Iterable[str]) -> list[str]:
    """Return names in order, without those of the tasks that every app has."""
    return sorted(name for name in names if not name.startswith(PREFIX))
