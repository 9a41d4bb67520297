"""Time limits of tasks."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..model.message import Message
from ..model.options import options_of


class TimeLimits(NamedTuple):
    """Limits in seconds of one kind, `time_limit` or `soft_time_limit`."""

    kind: str
    by_task: Mapping[str, float]
    default: float | None = None  # of tasks that have none of their own

    @classmethod
    def of_tasks(cls, kind: str, tasks: Mapping[str, Any], default: float | None) -> "TimeLimits":
        """Return the limits that the attributes of `tasks` give."""
        limits = {name: getattr(task, kind) for name, task in tasks.items()}
        return cls(kind, {name: n for name, n in limits.items() if n is not None}, default)

    def limited(self) -> str:
        """Return the tasks that have a limit, for people; empty when there are none."""
        names = ", ".join(sorted(self.by_task))
        return names if self.default is None else "all tasks, by the settings"

    def of(self, message: Message) -> float | None:
        """Return the seconds `message` may run, by the call, else its task, else the settings."""
        if message.options is not None and self.kind in message.options:
            limit = options_of(message).get(self.kind)
            if limit is not None:
                return float(limit)
        return self.by_task.get(message.task, self.default)
