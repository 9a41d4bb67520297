"""The base of the tests of workflows."""

from typing import Any

from ...model.graph import Graph, Group, Place
from ...model.message import Delivery
from ...model.outcome import Settlement
from ...states import Phase
from .harness import Harness


class WorkflowHarness(Harness):
    """A harness that stores workflows and settles their tasks."""

    def send_graph(self, places: dict[str, Place], *groups: Group, **fields: Any) -> None:
        """Send a workflow: a message for each id, in its place."""
        messages = tuple(self.message(id, **fields) for id in places)
        self.broker.enqueue_graph(Graph(messages, tuple(places.values()), groups))

    def chain(self, *ids: str) -> None:
        """Send a chain: each task waits for the one before it, and takes its result."""
        before = (None, *ids[:-1])
        last = ids[-1]
        self.send_graph(
            {
                id: Place(waits=waits, takes=waits is not None, followed=id != last)
                for id, waits in zip(ids, before, strict=True)
            }
        )

    def chord(self, *members: str, forgiving: bool = False) -> None:
        """Send a chord: `body` waits for the group `g` of `members`, `errback` for its failure."""
        places = {id: Place(group="g", position=n) for n, id in enumerate(members)}
        places["body"] = Place(waits="g", barrier=True, takes=True, followed=True)
        places["errback"] = Place(waits="body", on_failure=2)
        self.send_graph(places, Group("g", forgiving=forgiving))

    def claim_ids(self) -> list[str]:
        """Claim; return the ids, in order."""
        return [each.message.id for each in self.claim()]

    def end(self, delivery: Delivery, phase: Phase, result: bytes = b"error") -> None:
        """Settle a task as `phase`."""
        assert self.settle(self.ended(delivery, phase, result)) == []

    def ended(self, delivery: Delivery, phase: Phase, result: bytes = b"error") -> Settlement:
        """Return the settlement of a task that ended as `phase`."""
        return self.success(delivery, result, tied=delivery.tied)._replace(phase=phase)

    def succeed(self, *deliveries: Delivery) -> None:
        """Settle tasks as succeeded, each with its id as the result."""
        settlements = [
            self.ended(each, Phase.SUCCEEDED, each.message.id.encode()) for each in deliveries
        ]
        assert self.settle(*settlements) == []
