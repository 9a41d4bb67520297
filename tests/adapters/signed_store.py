"""A store with signatures on Redis, for tests of what an attacker can do there."""

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Delivery, Message, Record
from liteq.model.outcome import Kind, Outcome, Policy
from liteq.states import Phase
from liteq.worker.decide import decide

KEY = "k" * 32
OTHER_KEY = "o" * 32


def message(id: str = "", **fields: object) -> Message:
    usual = {"task": "add", "payload": b"[[1, 2], {}]", "serializer": "json", "queue": "celery"}
    return Message(id, **{**usual, **fields})  # type: ignore[arg-type]


class Store:
    """A store with signatures, a worker of it, and what an attacker can do there."""

    def __init__(self, url: str, key: str = KEY) -> None:
        broker = connect(url, secret_key=key)
        assert isinstance(broker, RedisBroker)
        self.broker = broker
        self.worker = broker.register("worker", "{}")

    # the application

    def chain(self, *ids: str) -> None:
        """Send tasks of which each takes the result of the one before it."""
        places = [
            Place(waits=before, takes=before is not None, followed=id != ids[-1])
            for before, id in zip((None, *ids), ids, strict=False)
        ]
        self.broker.enqueue_graph(Graph(tuple(map(message, ids)), tuple(places)))

    def chord(self, group: str, *members: str, body: str = "body") -> None:
        """Send tasks, and a body that takes their results."""
        places = [Place(group=group, position=n) for n in range(len(members))]
        places.append(Place(waits=group, barrier=True, takes=True))
        messages = tuple(map(message, (*members, body)))
        self.broker.enqueue_graph(Graph(messages, tuple(places), (Group(group),)))

    def claim(self) -> list[Delivery]:
        return self.broker.claim(Claim(self.worker, ("celery",), 9))

    def settle(self, *deliveries: Delivery, kind: Kind = Kind.SUCCEEDED, **more: object) -> None:
        """Settle as a worker does; the value of a task is its id."""
        for each in deliveries:
            given = {"result": f'"{each.message.id}"'.encode(), "serializer": "json", **more}
            outcome = Outcome(kind, **given)  # type: ignore[arg-type]
            settlement = decide(each, outcome, Policy(), self.broker.clock())
            assert self.broker.settle([settlement]).refused == []

    def run(self, *ids: str, kind: Kind = Kind.SUCCEEDED, **more: object) -> None:
        """Send tasks, and settle them."""
        self.broker.enqueue(list(map(message, ids)))
        self.settle(*self.claim(), kind=kind, **more)

    def record(self, id: str) -> Record:
        record = self.broker.fetch([id])[0]
        assert record is not None
        return record

    # the attacker

    def peek(self, id: str, field: str) -> bytes:
        value: bytes = self.command("HGET", f"{self.broker.location.prefix}:task:{id}", field)
        return value

    def plant(self, id: str, **fields: bytes | str | int) -> None:
        for field, value in fields.items():
            self.command("HSET", f"{self.broker.location.prefix}:task:{id}", field, value)

    def remove(self, id: str, *fields: str) -> None:
        self.command("HDEL", f"{self.broker.location.prefix}:task:{id}", *fields)

    def command(self, *words: str | bytes | int) -> bytes:
        return self.broker.server.execute(*words)  # type: ignore[no-any-return]

    # what must be

    def refuses(self, id: str, why: str = "") -> bool:
        """Return whether the task `id`, which is ready, is set aside undecoded when claimed."""
        claimed = [each.message.id for each in self.claim()]
        dead = self.peek(id, "phase") == b"%d" % Phase.DEAD
        return id not in claimed and dead and why in self.peek(id, "traceback").decode()
