"""Short verbs for the tests of limits."""

import json
from typing import Any

from ...model.limit import LimitState
from ...model.message import Delivery, Message
from ...model.outcome import Settlement
from ...states import Phase
from .step_harness import StepsHarness

ONE = {"key": "k", "running": 1}
SLOW = {"key": "r", "rate": 0.1}  # one in ten seconds


class LimitsHarness(StepsHarness):
    """Short verbs for tasks with limits."""

    def limited(self, id: str, *limits: dict[str, Any], **fields: Any) -> Message:
        """Return a message of a task with these limits."""
        return self.message(id, options=json.dumps({"limits": list(limits)}), **fields)

    def send_limited(self, *ids: str, limits: Any = (ONE,), **fields: Any) -> None:
        """Send a task with limits for each id."""
        self.broker.enqueue([self.limited(id, *limits, **fields) for id in ids])

    def success(self, delivery: Delivery, result: bytes = b"result", **fields: Any) -> Settlement:
        """Return the settlement of a task that succeeded now, and of all that follows."""
        return super().success(delivery, result, **{"tied": delivery.tied, **fields})

    def again(self, delivery: Delivery, eta: float | None = None) -> Settlement:
        """Return the settlement of a task that is to run again."""
        return self.retry(delivery, eta)._replace(tied=delivery.tied)

    def ready(self) -> list[str]:
        """Return the ids of the tasks that a worker could claim."""
        found = self.broker.listing([Phase.READY], 100)
        return [each.message.id for each in found]

    def blocked(self) -> dict[str, str | None]:
        """Return for which limits tasks wait, by id."""
        found = self.broker.listing([Phase.WAITING], 100)
        return {each.message.id: each.limit for each in found}

    def limit(self, key: str = "k") -> LimitState:
        """Return a limit, which must exist."""
        return next(each for each in self.broker.limits() if each.key == key)
