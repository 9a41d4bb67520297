"""Short verbs for the tests of durable steps and events."""

from typing import Any

from ...model.message import Delivery, new_id
from ...model.outcome import Settlement
from ...model.step import Event, Step
from ...states import Phase
from .harness import Harness

FOR_LONG = 1e6  # seconds


class StepsHarness(Harness):
    """Short verbs for steps and events."""

    def step(self, name: str = "charge", kind: str = "step", **fields: Any) -> Step:
        """Return a step that ended now."""
        usual = {"value": b"value", "serializer": "json"}
        return Step(name, kind, self.clock(), **{**usual, **fields})

    def pending(self, name: str, kind: str, until: float | None = None, **fields: Any) -> Step:
        """Return a step that goes on."""
        return Step(name, kind, self.clock(), until, **fields)

    def keep(self, delivery: Delivery, *steps: Step) -> bool:
        """Store steps of a running task; return whether its claim still held."""
        settlement = Settlement(delivery.receipt, Phase.RUNNING, self.clock(), steps=steps)
        return self.settle(settlement) == []

    def suspend(self, delivery: Delivery, step: Step | None, **fields: Any) -> Settlement:
        """Return the settlement of a task that goes on when `step` has ended."""
        until = None if step is None else step.until
        usual: dict[str, Any] = {
            "phase": Phase.WAITING if until is None else Phase.SCHEDULED,
            "retry": delivery.message._replace(eta=until),
            "steps": () if step is None else (step,),
            "event": step.name if step is not None and step.kind == "wait" else None,
            "keeps_report": True,
            "lost": delivery.lost,
            "why": "awaited",
            "old_place": delivery.place,
        }
        return Settlement(delivery.receipt, at=self.clock(), **{**usual, **fields})

    def await_event(self, id: str, key: str, timeout: float | None = None) -> None:
        """Send a task, and let it wait for an event."""
        self.send(id)
        until = None if timeout is None else self.clock() + timeout
        (delivery,) = self.claim()
        assert self.settle(self.suspend(delivery, self.pending(key, "wait", until))) == []

    def occur(self, key: str = "key", value: bytes = b"yes", keep: float = FOR_LONG) -> Event:
        """Return an event that occurs now and is kept for `keep` seconds."""
        return Event(key, value, "json", self.clock(), self.clock() + keep, new_id())

    def emit(self, key: str = "key", value: bytes = b"yes", keep: float = FOR_LONG) -> bool:
        """Emit an event; return whether it was stored."""
        return self.broker.emit(self.occur(key, value, keep))
