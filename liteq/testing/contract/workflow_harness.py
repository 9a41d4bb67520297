"""What the tests of workflows are written with."""

from typing import Any

from ...model.graph import Graph, Group, Place
from ...model.message import Delivery
from ...model.outcome import Settlement
from ...states import Phase
from .bench import Bench


class Planting(Bench):
    """Stores workflows, and ends their tasks."""

    def plant(self, places: dict[str, Place], *groups: Group, **fields: Any) -> None:
        """Store a workflow: a message for each id, in its place."""
        messages = tuple(self.message(id, **fields) for id in places)
        self.broker.enqueue_graph(Graph(messages, tuple(places.values()), groups))

    def chain(self, *ids: str) -> None:
        """Each task waits for the one before it, and takes its value."""
        before = (None, *ids[:-1])
        last = ids[-1]
        self.plant(
            {
                id: Place(waits=waits, takes=waits is not None, followed=id != last)
                for id, waits in zip(ids, before, strict=True)
            }
        )

    def chord(self, *members: str, forgiving: bool = False) -> None:
        """`body` waits for the group `g` of `members`; `errback` for its failure."""
        places = {id: Place(group="g", position=n) for n, id in enumerate(members)}
        places["body"] = Place(waits="g", barrier=True, takes=True, followed=True)
        places["errback"] = Place(waits="body", on_failure=2)
        self.plant(places, Group("g", forgiving=forgiving))

    def ids(self) -> list[str]:
        """Claim; the ids, in order."""
        return [each.message.id for each in self.claim()]

    def end(self, delivery: Delivery, phase: Phase, result: bytes = b"error") -> None:
        """Settle it as `phase`."""
        assert self.settle(self.ended(delivery, phase, result)) == []

    def ended(self, delivery: Delivery, phase: Phase, result: bytes = b"error") -> Settlement:
        return self.success(delivery, result, tied=delivery.tied)._replace(phase=phase)

    def succeed(self, *deliveries: Delivery) -> None:
        """Settle them, each with its id as the result."""
        settlements = [
            self.ended(each, Phase.SUCCEEDED, each.message.id.encode()) for each in deliveries
        ]
        assert self.settle(*settlements) == []
