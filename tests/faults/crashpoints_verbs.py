"""The verbs of the port, one line each, and the store that each of them is tried on."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from liteq.brokers.base import Broker, Claim
from liteq.clock import ManualClock
from liteq.message import Message, Receipt
from liteq.outcome import Policy, Settlement
from liteq.states import Phase

NOW = 1_000_000_000.0
QUEUES = ("celery",)
KEEP = 1e9  # seconds: the audit comes long after
POLICY = Policy(keep=KEEP, keep_dead=KEEP)
NEW = [f"new-{n}" for n in range(40)]
NONE: frozenset[int] = frozenset()
LAST_TIME = POLICY._replace(max_lost=1)


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


def set_the_scene(broker: Broker, clock: ManualClock) -> Scene:
    """Fill a store with tasks in every phase, held by a worker of this process."""
    clock.now = NOW - 100
    broker.enqueue([message(f"done-{n}") for n in range(3)])
    broker.enqueue([message(f"held-{n}") for n in range(3)])
    broker.enqueue([message("once-0", acks_late=False)])
    broker.enqueue([message(f"ready-{n}") for n in range(4)])
    broker.enqueue([message("due-0", eta=NOW - 10), message("later-0", eta=NOW + 1000)])
    worker = broker.register("worker", "{}")
    broker.work_bell(worker)  # rung from now on, though nobody hears it
    held = broker.claim(Claim(worker, QUEUES, 7))
    receipts = {each.message.id: each.receipt for each in held}
    broker.settle(
        [
            success(receipts["done-0"], "done-0"),
            success(receipts["done-1"], "done-1", keep_until=NOW - 1),
            Settlement(receipts["done-2"], Phase.DEAD, NOW, traceback="poison", keep_until=2 * NOW),
        ]
    )
    clock.now = NOW
    return Scene(worker, receipts)


class Verb(NamedTuple):
    """One call of the port. Its answer does not matter: what stands in the store does."""

    name: str
    act: Callable[[Broker, Scene], object]


def _settle(make: Callable[[Receipt, str], Settlement], claim: int = 0) -> Any:
    def act(broker: Broker, scene: Scene) -> object:
        batch = [make(scene.receipts[id], id) for id in ("held-0", "held-1")]
        return broker.settle(batch, Claim(scene.worker, QUEUES, claim) if claim else None)

    return act


_TABLE = [
    Verb("open", lambda broker, scene: broker.fetch(["nothing"])),
    Verb("enqueue", lambda broker, scene: broker.enqueue([message("new-0")])),
    Verb("enqueue many", lambda broker, scene: broker.enqueue([*map(message, NEW)])),
    Verb("claim", lambda broker, scene: broker.claim(Claim(scene.worker, QUEUES, 3))),
    Verb("finish", _settle(success)),
    Verb("finish and claim", _settle(success, claim=2)),
    Verb("retry at once", _settle(lambda receipt, id: again(receipt, id, None))),
    Verb("retry later", _settle(lambda receipt, id: again(receipt, id, NOW + 5), claim=2)),
    Verb("release", lambda broker, scene: broker.release([scene.receipts["held-2"]])),
    Verb("promote", lambda broker, scene: broker.promote()),
    Verb("rescue", lambda broker, scene: broker.rescue(POLICY, lambda info: None)),
    Verb("rescue what waited", lambda broker, scene: broker.rescue(POLICY, lambda info: NONE)),
    Verb("rescue and bury", lambda broker, scene: broker.rescue(LAST_TIME, lambda info: None)),
    Verb("report", lambda broker, scene: broker.report("held-0", "PROGRESS", b"7", "json")),
    Verb("forget", lambda broker, scene: broker.forget(["done-0", "done-2", "ready-0"])),
    Verb("cancel", lambda broker, scene: broker.cancel(["ready-0", "later-0", "held-0"], KEEP)),
    Verb("terminate", lambda broker, scene: broker.cancel(["held-0"], KEEP, terminate=True)),
    Verb("revive", lambda broker, scene: broker.revive(["done-2"])),
    Verb("sweep", lambda broker, scene: broker.sweep(100)),
    Verb("register", lambda broker, scene: broker.register("another", "{}")),
    Verb("beat", lambda broker, scene: broker.beat(scene.worker, '{"done": 1}')),
    Verb("unregister", lambda broker, scene: broker.unregister(scene.worker)),
    Verb("purge", lambda broker, scene: broker.purge(None)),
    Verb("fold", lambda broker, scene: broker.upkeep(idle=True)),
    Verb("close", lambda broker, scene: broker.close()),
]
VERBS = {verb.name: verb for verb in _TABLE}

# How the store is found: with a log that nobody has read since the last process was killed;
# the same, and the next commit folds the log into the file; there is no file at all; or it is of
# an earlier version.
STARTS = {
    "logged": list(VERBS),
    "brimming": ["enqueue", "finish and claim", "rescue", "cancel"],
    "nothing": ["open", "enqueue", "register"],
    "old": ["open", "enqueue"],
}
QUIET = {"open", "fold", "close"}  # verbs that change no row, except in an old file
CASES = [(start, verb) for start, verbs in STARTS.items() for verb in verbs]
