"""The tasks of an application, by name."""

from typing import Any

from ..canvas.builtins import PREFIX
from ..exceptions import NotRegistered
from ..support.nearest import did_you_mean
from ..task import Task
from .duplicates import warn_of_replaced

_SHOWN = 10  # names in an error


class Registry(dict[str, Task[..., Any]]):
    """Tasks by name. Reading an unknown one raises NotRegistered."""

    def __missing__(self, name: str) -> Task[..., Any]:
        raise NotRegistered(self.unknown(name))

    def add(self, task: Task[..., Any]) -> None:
        """Add `task` under its name, with a warning if it replaces a different one."""
        if task.name in self:
            warn_of_replaced(self[task.name], task)
        self[task.name] = task

    def names(self) -> list[str]:
        """Return the names in order, without those of the tasks that every app has."""
        return sorted(name for name in self if not name.startswith(PREFIX))

    def unknown(self, name: str) -> str:
        """Return the error text for the unknown task `name`, with the names that are known."""
        names = self.names()
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        known = ", ".join(names[:_SHOWN]) or "none; was its module imported?"
        hint = did_you_mean(name, names, f"; known are {known}{more}")
        return f"no task {name!r} is registered here{hint}"
