"""Time limits of tasks."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..model.message import Delivery, Message
from ..model.options import options_of

_ORDERED = "ordered soft_time_limit"  # an option that no message in a store has
_WRAPPED = f'{{"{_ORDERED}": '


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


def with_limits(limits: TimeLimits, ordered: Mapping[str, float | None]) -> TimeLimits:
    """Return `limits` with those that were ordered, by task; None: that of the settings."""
    kept = {name: limit for name, limit in limits.by_task.items() if name not in ordered}
    given = {name: limit for name, limit in ordered.items() if limit is not None}
    return limits._replace(by_task={**kept, **given})


class Ordered(NamedTuple):
    """Soft limits that were ordered, by task; None: that of the settings.

    Whoever runs a task does not know of them, so they are told with each delivery.
    """

    by_task: Mapping[str, float | None]

    def wrap(self, delivery: Delivery) -> Delivery:
        """Return `delivery` as it is given to a slot."""
        if delivery.task not in self.by_task:
            return delivery
        wrapped = {_ORDERED: [self.by_task[delivery.task], delivery.options]}
        return delivery._replace(options=json.dumps(wrapped))


def unwrap(delivery: Delivery, limits: TimeLimits) -> tuple[Delivery, TimeLimits]:
    """Return `delivery` as it was before `wrap`, and the soft limits for it, of these `limits`."""
    if delivery.options is None or not delivery.options.startswith(_WRAPPED):
        return delivery, limits
    limit, options = json.loads(delivery.options)[_ORDERED]
    return delivery._replace(options=options), with_limits(limits, {delivery.task: limit})
