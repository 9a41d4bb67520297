"""The verbs of the port, one line each, and the store that each of them is tried on."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from liteq.brokers.base import Broker, Claim
from liteq.model.entry import Entry, Firing
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Message, Receipt
from liteq.model.order import Answer, Order
from liteq.model.outcome import Settlement
from liteq.model.output import Output, encode_lines
from liteq.model.stat import MINUTE, Stat, start_of
from liteq.model.step import Event, Step
from liteq.states import Phase
from liteq.support.clock import ManualClock
from liteq.testing.contract.harness import rescuing

NOW = 1_000_000_000.0
QUEUES = ("celery",)
KEEP = 1e9  # seconds: the audit comes long after
NEW = [f"new-{n}" for n in range(40)]


class Scene(NamedTuple):
    """What the verbs find: who claimed, and what. The process that did it is dead."""

    worker: int
    receipts: dict[str, Receipt]


def message(id: str, **fields: Any) -> Message:
    """A call of `add(n, 1)`; `n` is the number at the end of `id`."""
    n = int(id.rpartition("-")[2])
    return Message(id, "add", json.dumps([[n, 1], {}]).encode(), "json", "celery", **fields)


def success(receipt: Receipt, id: str, keep_until: float = NOW + KEEP) -> Settlement:
    """The settlement of a task that returned the right sum."""
    result = str(int(id.rpartition("-")[2]) + 1).encode()
    return Settlement(receipt, Phase.SUCCEEDED, NOW, result, "json", keep_until=keep_until)


def again(receipt: Receipt, id: str, eta: float | None) -> Settlement:
    """The settlement of a task that wants to run once more."""
    phase = Phase.READY if eta is None else Phase.SCHEDULED
    return Settlement(receipt, phase, NOW, retry=message(id, retries=1, eta=eta))


def workflow(name: str) -> Graph:
    """A chain of two, and a chord of two with its errback; each task is a sum of its own."""
    places = {
        "link-0": Place(followed=True),
        "link-1": Place(waits=f"{name}-link-0"),
        "part-2": Place(group=f"{name}-all"),
        "part-3": Place(group=f"{name}-all", position=1),
        "body-4": Place(waits=f"{name}-all", barrier=True, followed=True),
        "errback-5": Place(waits=f"{name}-body-4", on_failure=2),
    }
    messages = tuple(message(f"{name}-{id}") for id in places)
    return Graph(messages, tuple(places.values()), (Group(f"{name}-all"),))


COUNTED = Stat(MINUTE, start_of(NOW, MINUTE), "celery", "add", "succeeded", 1, 1.0, {}, 1.0, {})
CHARGED = Step("charge", "step", NOW, None, b"1", "json")


def kept(receipt: Receipt, id: str) -> Settlement:
    """What is written of a task that has ended a step, and goes on."""
    return Settlement(receipt, Phase.RUNNING, NOW, steps=(CHARGED,))


def printed(receipt: Receipt, id: str) -> Settlement:
    """What is written of a task that has printed a few lines, of which the last two are kept."""
    lines = encode_lines([(n, NOW, None, f"line {n}") for n in (2, 3)])
    output = Output(1, 3, 2, lines, begins=True)
    return Settlement(receipt, Phase.RUNNING, NOW, output=output)


def suspended(receipt: Receipt, id: str, step: Step | None, **fields: Any) -> Settlement:
    """The settlement of a task that goes on later."""
    eta = None if step is None else step.until
    usual: dict[str, Any] = {"phase": Phase.WAITING if eta is None else Phase.SCHEDULED}
    usual |= {"retry": message(id, eta=eta), "keeps_report": True}
    usual |= {"steps": () if step is None else (CHARGED, step)}
    return Settlement(receipt, at=NOW, **{**usual, **fields})


def asleep(receipt: Receipt, id: str) -> Settlement:
    """The settlement of a task that sleeps."""
    return suspended(receipt, id, Step("cool down", "sleep", NOW, NOW + 60), why="slept")


def snoozed(receipt: Receipt, id: str) -> Settlement:
    """The settlement of a task that has put itself back."""
    later = suspended(receipt, id, None, phase=Phase.SCHEDULED, why="snoozed")
    return later._replace(retry=message(id, eta=NOW + 30))


def waiting(key: str, until: float | None = None) -> Callable[[Receipt, str], Settlement]:
    """The settlement of a task that waits for an event."""
    step = Step(key, "wait", NOW, until)
    return lambda receipt, id: suspended(receipt, id, step, event=key, why="awaited")


def gathered(receipt: Receipt, id: str) -> Settlement:
    """The settlement of a task that waits for others, which it sends."""
    name = f"{id}-all"
    members = (message(f"{id}-new-6"), message(f"{id}-new-7"))
    places = (Place(group=name), Place(group=name, position=1))
    graph = Graph(members, places, (Group(name, forgiving=True),))
    step = Step("gather", "gather", NOW, None, b"[]")
    place = Place(waits=name, barrier=True)
    return suspended(receipt, id, step, graph=graph, place=place, why="gathered")


def event(key: str, id: str = "first", keep_until: float | None = None) -> Event:
    """An event that is emitted by a call of its own."""
    return Event(key, b"1", "json", NOW, keep_until, id)


def order(worker: int, call: str) -> Order:
    """An order to `worker`."""
    return Order(call, worker, "pool_grow", '{"n": 1}', NOW, NOW + KEEP)


def entry(name: str, *, overlap: bool = True, last_id: str | None = None) -> Entry:
    """A periodic task that is due."""
    fields: dict[str, Any] = {"moment": NOW, "due": NOW, "overlap": overlap, "last_id": last_id}
    return Entry(name, '{"every": 60}', message("new-7")._replace(id=""), **fields)


def _fire(*names: str) -> Any:
    def act(broker: Broker, scene: Scene) -> object:
        after: dict[str, Any] = {"moment": NOW + 60, "due": NOW + 60, "runs": 1, "last_id": "new-7"}
        found = [each for each in broker.schedules() if each.name in names]
        return broker.fire([Firing(e._replace(**after), message("new-7")) for e in found])

    return act


ONE_MORE = Graph((message("more-7"),), (Place(group="old-all", position=2),))


def set_the_scene(broker: Broker, clock: ManualClock) -> Scene:
    """Fill a store with tasks in every phase, held by a worker of this process."""
    clock.now = NOW - 100
    broker.enqueue([message(f"done-{n}") for n in range(3)])
    broker.enqueue([message(f"held-{n}") for n in range(3)])
    broker.enqueue([message("once-0", acks_late=False)])
    broker.enqueue([message("wait-0"), message("wait-1")])
    broker.emit(event("early"))
    broker.emit(event("old", keep_until=NOW - 1))
    broker.enqueue_graph(workflow("old"))
    broker.schedule([entry("free"), entry("held", overlap=False, last_id="held-0")])
    worker = broker.register("worker", "{}")
    broker.order([order(worker, "old")])
    broker.work_listener(worker)  # rung from now on, though nobody hears it
    held = broker.claim(Claim(worker, QUEUES, 100))
    broker.enqueue([message(f"ready-{n}") for n in range(4)])
    broker.enqueue([message("due-0", eta=NOW - 10), message("later-0", eta=NOW + 1000)])
    receipts = {each.message.id: each.receipt for each in held}
    broker.settle(
        [
            success(receipts["done-0"], "done-0"),
            success(receipts["done-1"], "done-1", keep_until=NOW - 1),
            Settlement(receipts["done-2"], Phase.DEAD, NOW, traceback="poison", keep_until=2 * NOW),
            success(receipts["old-part-2"], "old-part-2"),
            waiting("approved")(receipts["wait-0"], "wait-0"),
            waiting("approved", NOW + 60)(receipts["wait-1"], "wait-1"),
        ]
    )
    clock.now = NOW
    return Scene(worker, receipts)


class Verb(NamedTuple):
    """One call of the port. Its answer does not matter: what stands in the store does."""

    name: str
    act: Callable[[Broker, Scene], object]


def failure(receipt: Receipt, id: str) -> Settlement:
    """The settlement of a task that failed."""
    return success(receipt, id)._replace(phase=Phase.FAILED, result=b"error")


def ignored(receipt: Receipt, id: str) -> Settlement:
    """The settlement of a task that wants nothing to come of it."""
    return success(receipt, id)._replace(reported="IGNORED")


def replaced(receipt: Receipt, id: str) -> Settlement:
    """The settlement of a task in whose place others run first."""
    graph = Graph((message(f"{id}-new-6"),), (Place(followed=True),))
    place = Place(waits=f"{id}-new-6")
    later = Settlement(receipt, Phase.WAITING, NOW, retry=message(id), graph=graph, place=place)
    return later._replace(why="replaced")


def _settle(
    make: Callable[[Receipt, str], Settlement], *ids: str, claim: int = 0, tied: bool = False
) -> Any:
    def act(broker: Broker, scene: Scene) -> object:
        held = ids or ("held-0", "held-1")
        batch = [make(scene.receipts[id], id)._replace(tied=tied) for id in held]
        return broker.settle(batch, Claim(scene.worker, QUEUES, claim) if claim else None)

    return act


_TABLE = [
    Verb("open", lambda broker, scene: broker.fetch(["nothing"])),
    Verb("enqueue", lambda broker, scene: broker.enqueue([message("new-0")])),
    Verb(
        "enqueue again",
        lambda broker, scene: broker.enqueue_or_replace(message("done-2"), NOW + 1),
    ),
    Verb("enqueue many", lambda broker, scene: broker.enqueue([*map(message, NEW)])),
    Verb("claim", lambda broker, scene: broker.claim(Claim(scene.worker, QUEUES, 3))),
    Verb("finish", _settle(success)),
    Verb("finish and claim", _settle(success, claim=2)),
    Verb("retry at once", _settle(lambda receipt, id: again(receipt, id, None))),
    Verb("retry later", _settle(lambda receipt, id: again(receipt, id, NOW + 5), claim=2)),
    Verb("enqueue workflow", lambda broker, scene: broker.enqueue_graph(workflow("new"))),
    Verb("finish link", _settle(success, "old-link-0", claim=9, tied=True)),
    Verb("finish last member", _settle(success, "old-part-3", claim=9, tied=True)),
    Verb("fail last member", _settle(failure, "old-part-3", "old-link-0", claim=9, tied=True)),
    Verb("finish ignored link", _settle(ignored, "old-link-0", claim=9, tied=True)),
    Verb("join a group", lambda broker, scene: broker.enqueue_graph(ONE_MORE)),
    Verb("cancel what waits", lambda broker, scene: broker.cancel(["old-link-1"], KEEP)),
    Verb("keep steps", _settle(kept)),
    Verb("keep a step and claim", _settle(kept, "held-0", claim=2)),
    Verb("keep output", _settle(printed)),
    Verb("keep output and claim", _settle(printed, "held-0", claim=2)),
    Verb("sleep", _settle(asleep)),
    Verb("snooze", _settle(snoozed)),
    Verb("wait for an event", _settle(waiting("other"))),
    Verb("wait for an event with a timeout", _settle(waiting("other", NOW + 5))),
    Verb("wait for an event that has come", _settle(waiting("early"), claim=2)),
    Verb("gather", _settle(gathered, claim=2)),
    Verb("emit", lambda broker, scene: broker.emit(event("approved"))),
    Verb("emit what nobody waits for", lambda broker, scene: broker.emit(event("new"))),
    Verb("emit what is too old", lambda broker, scene: broker.emit(event("old", "second"))),
    Verb("cancel what waits for an event", lambda broker, scene: broker.cancel(["wait-0"], KEEP)),
    Verb("replace", _settle(replaced, "held-0", "old-part-3", tied=True)),
    Verb("release", lambda broker, scene: broker.release([scene.receipts["held-2"]])),
    Verb("promote", lambda broker, scene: broker.promote()),
    Verb("schedule", lambda broker, scene: broker.schedule([entry("new"), entry("newer")])),
    Verb("unschedule", lambda broker, scene: broker.unschedule(["free", "held"])),
    Verb("fire", _fire("free")),
    Verb("fire while it runs", _fire("held", "free")),
    Verb("rescue", lambda broker, scene: broker.rescue(rescuing(broker.clock, keep=KEEP))),
    Verb(
        "rescue what waited",
        lambda broker, scene: broker.rescue(rescuing(broker.clock, keep=KEEP, started=())),
    ),
    Verb(
        "rescue and set aside", lambda broker, scene: broker.rescue(rescuing(broker.clock, 1, KEEP))
    ),
    Verb("report", lambda broker, scene: broker.report("held-0", "PROGRESS", b"7", "json")),
    Verb("forget", lambda broker, scene: broker.forget(["done-0", "done-2", "ready-0"])),
    Verb("cancel", lambda broker, scene: broker.cancel(["ready-0", "later-0", "held-0"], KEEP)),
    Verb("terminate", lambda broker, scene: broker.cancel(["held-0"], KEEP, terminate=True)),
    Verb("revive", lambda broker, scene: broker.revive(["done-2"])),
    Verb("sweep", lambda broker, scene: broker.sweep(100)),
    Verb("register", lambda broker, scene: broker.register("another", "{}")),
    Verb("beat", lambda broker, scene: broker.beat(scene.worker, '{"done": 1}')),
    Verb("unregister", lambda broker, scene: broker.unregister(scene.worker)),
    Verb("order", lambda broker, scene: broker.order([order(scene.worker, "new")])),
    Verb("answer", lambda broker, scene: broker.answer([Answer("old", scene.worker, "1")])),
    Verb("count", lambda broker, scene: broker.count([COUNTED], "call")),
    Verb("purge", lambda broker, scene: broker.purge(None)),
    Verb("fold", lambda broker, scene: broker.upkeep(idle=True)),
    Verb("compact", lambda broker, scene: broker.compact()),
    Verb("mend", lambda broker, scene: broker.mend()),
    Verb("backup", lambda broker, scene: broker.backup("copy.db")),
    Verb("close", lambda broker, scene: broker.close()),
]
VERBS = {verb.name: verb for verb in _TABLE}

# How the store is found: with a log that nobody has read since the last process was killed;
# the same, and the next commit folds the log into the file; there is no file at all; there is one
# of an application; or it is of an earlier schema.
STARTS = {
    "logged": list(VERBS),
    "brimming": ["enqueue", "fire", "finish and claim", "rescue", "cancel", "finish last member"],
    "nothing": ["open", "enqueue", "register"],
    "shared": ["open", "enqueue", "register"],
    "schema_1": ["open", "enqueue"],
    "schema_2": ["open", "enqueue"],
}
QUIET = {
    "open",
    "fold",
    "compact",
    "mend",
    "backup",
    "close",
}  # verbs that change no row, unless the tables are made or upgraded
CASES = [(start, verb) for start, verbs in STARTS.items() for verb in verbs]
