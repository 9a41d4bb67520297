"""Tasks with unique keys are moved from one store to another, and their keys with them."""

import json
from typing import Any

import pytest

pytest.importorskip("redis")

from liteq.brokers.base import Claim
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Message
from liteq.model.outcome import Settlement
from liteq.model.unique import UniqueKey, same_end
from liteq.states import Phase
from liteq.support.clock import ManualClock
from tests.adapters.test_transfer import Stores, clock, message, move, stores, succeeded

__all__ = ["clock", "stores"]  # fixtures


def keyed(id: str, key: str = "k", *rule: Any, **fields: Any) -> Message:
    options = {"unique": UniqueKey(f"task {key}", *rule).plain()}
    return message(id, options=json.dumps(options), **fields)


def run(broker: Any) -> list[str]:
    """Run what is ready; return the ids in order, those behind a `=` that ended as others."""
    worker = broker.register("worker", "{}")
    ran = []
    while got := broker.claim(Claim(worker, ("celery",), 1)):
        same = same_end(got[0].inputs) is not None
        ran.append(f"={got[0].message.id}" if same else got[0].message.id)
        broker.settle([succeeded(got[0], broker.clock())])
    broker.unregister(worker)
    return ran


def test_keys_are_taken_where_their_tasks_have_come_to(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    later = clock() + 60
    source.enqueue([keyed("ready"), keyed("later", "l", eta=later), keyed("w", "w", 3600.0)])
    worker = source.register("worker", "{}")
    ready, window = source.claim(Claim(worker, ("celery",), 2))
    source.settle([succeeded(window, clock())._replace(keep_until=clock() + 3600)])
    source.release([ready.receipt])
    source.unregister(worker)

    move(source, target)

    sent = [keyed("a"), keyed("b", "l"), keyed("c", "w", 3600.0), keyed("d", "free")]
    assert target.enqueue(sent) == {"a": "ready", "b": "later", "c": "w"}
    assert source.enqueue(sent) == {}
    assert run(target) == ["ready", "d"]
    clock.advance(3600)
    assert target.enqueue([keyed("e"), keyed("f", "w", 3600.0)]) == {}


def test_what_waits_for_a_task_of_its_key_still_does(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([keyed("a", "k", "finished", "coalesce")])
    worker = source.register("worker", "{}")
    (a,) = source.claim(Claim(worker, ("celery",), 1))
    source.enqueue([keyed("b", "k", "finished", "coalesce")])
    retry = a.message._replace(retries=1, eta=clock() + 30)
    source.settle([Settlement(a.receipt, Phase.SCHEDULED, clock(), retry=retry, why="retry")])
    source.unregister(worker)
    source.enqueue([keyed("holder", "other")])
    places = (Place(group="g"), Place(waits="g", barrier=True))
    source.enqueue_graph(Graph((keyed("x", "other"), message("body")), places, (Group("g"),)))

    move(source, target)

    assert run(target) == ["holder", "=x", "body"]
    clock.advance(30)
    target.promote()
    assert run(target) == ["a", "b"]


def test_newer_arguments_are_moved(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([keyed("a", "k", "finished", "replace", payload=b"old")])
    source.enqueue([keyed("b", "k", "finished", "replace", payload=b"new", expires=9e9)])

    move(source, target)

    (record,) = target.fetch(["a"])
    assert record is not None
    assert (record.message.payload, record.message.expires) == (b"new", 9e9)
    assert run(target) == ["a"]


def test_thousands_with_keys_are_moved(stores: Stores) -> None:
    source, target = stores
    source.enqueue([keyed(f"t{n}", f"k{n}") for n in range(1200)])

    move(source, target, size=1000)

    assert target.enqueue([keyed("a", "k7"), keyed("b", "k1199")]) == {"a": "t7", "b": "t1199"}
    assert len(run(target)) == 1200
