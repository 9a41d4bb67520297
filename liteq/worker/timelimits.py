"""For how long a task may run."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from ..message import Message


class TimeLimits(NamedTuple):
    """Hard limits in seconds: of each task, and of all that have none of their own."""

    by_task: Mapping[str, float]
    default: float | None = None

    def hard(self, message: Message) -> float | None:
        """After how long the process that runs `message` is killed. The call's own limit counts
        before the task's."""
        if message.options is not None and "time_limit" in message.options:
            limit = _own(message.options)
            if limit is not None:
                return limit
        return self.by_task.get(message.task, self.default)


@lru_cache(maxsize=1024)
def _own(options: str) -> float | None:
    limit: float | None = json.loads(options).get("time_limit")
    return limit
