"""The state of workers in the form of Celery's replies: `app.control.inspect()`."""

import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers.base import Claim
from liteq.testing import ManualClock, MemoryBroker

FACTS = '{"queues": ["celery", "mail"], "tasks": ["add"], "pool": "threads", "concurrency": 2}'


@pytest.fixture
def ids(app: LiteQ, broker: MemoryBroker) -> list[str]:
    """Return the ids of a running, a waiting and a scheduled task; there are two workers."""
    add = app.task(name="add", max_retries=7)(lambda x, y: x + y)
    results = [add.delay(1, y=2)]
    worker = broker.register("w1@h", FACTS)
    broker.register("w2@h", '{"queues": ["mail", "post"]}')
    broker.claim(Claim(worker, ("celery",), 1))
    results.append(add.apply_async((3, 4), queue="mail", priority=5))
    results.append(add.apply_async((5, 6), queue="post", countdown=60))
    return [result.id for result in results]


def test_without_a_worker_there_are_no_replies(app: LiteQ) -> None:
    ask: Any = app.control.inspect()
    app.send_task("t")

    for name in ("ping", "active", "reserved", "scheduled", "revoked", "registered", "stats"):
        assert getattr(ask, name)() is None
    for name in ("active_queues", "report", "conf", "clock"):
        assert getattr(ask, name)() is None
    assert ask.query_task("t") is None
    assert app.control.ping() == []


def test_a_task_that_runs_is_described_as_in_celery(
    app: LiteQ, ids: list[str], clock: ManualClock, broker: MemoryBroker
) -> None:
    pid = broker.workers()[0].pid

    assert app.control.inspect().active() == {
        "w1@h": [
            {
                "id": ids[0],
                "name": "add",
                "args": [1],
                "kwargs": {"y": 2},
                "type": "add",
                "hostname": "w1@h",
                "time_start": clock.now,
                "acknowledged": True,
                "delivery_info": {
                    "exchange": "",
                    "routing_key": "celery",
                    "priority": 0,
                    "redelivered": False,
                },
                "worker_pid": pid,
            }
        ],
        "w2@h": [],
    }


def test_a_waiting_task_is_shown_once_by_a_worker_of_its_queue(app: LiteQ, ids: list[str]) -> None:
    reserved = app.control.inspect().reserved() or {}

    assert [task["id"] for task in reserved["w1@h"]] == [ids[1]]
    assert reserved["w2@h"] == []
    (task,) = reserved["w1@h"]
    assert (task["acknowledged"], task["time_start"], task["args"]) == (False, None, [3, 4])
    assert task["delivery_info"]["priority"] == 5


def test_a_scheduled_task_has_its_eta(app: LiteQ, ids: list[str]) -> None:
    scheduled = app.control.inspect().scheduled() or {}

    (entry,) = scheduled["w2@h"]
    assert scheduled["w1@h"] == []
    assert entry["request"]["id"] == ids[2]
    assert entry["priority"] == 0
    assert entry["eta"] == "2001-09-09T01:47:40+00:00"


def test_tasks_are_asked_for_by_id(app: LiteQ, ids: list[str]) -> None:
    found = app.control.inspect().query_task(*ids, "unknown") or {}

    assert {id: state for id, (state, _) in found["w1@h"].items()} == {
        ids[0]: "active",
        ids[1]: "reserved",
    }
    assert {id: state for id, (state, _) in found["w2@h"].items()} == {ids[2]: "reserved"}
    assert app.control.inspect().query_task(ids[:1]) == {
        "w1@h": {ids[0]: found["w1@h"][ids[0]]},
        "w2@h": {},
    }
    assert app.control.inspect().query_task("unknown") == {"w1@h": {}, "w2@h": {}}


def test_revoked_tasks_are_known_to_all(app: LiteQ, ids: list[str]) -> None:
    app.control.revoke(ids[1])

    assert app.control.inspect().revoked() == {"w1@h": [ids[1]], "w2@h": [ids[1]]}


def test_arguments_that_cannot_be_decoded_here_are_left_out(app: LiteQ, ids: list[str]) -> None:
    app.conf.update(accept_content=["json"])

    ((task,),) = (app.control.inspect("w1@h").active() or {}).values()
    assert (task["id"], task["args"], task["kwargs"]) == (ids[0], None, None)


# what workers are asked for


@pytest.fixture
def asked() -> Iterator[LiteQ]:
    """Yield an application with two workers, which are threads of this process."""
    app = LiteQ("asked", broker="memory://", set_as_current=False)
    app.task(name="add", max_retries=7)(lambda x, y: x + y)
    app.conf.update(secret_key="swordfish" * 4, task_default_queue="mail")
    options: Any = {"pool": "threads", "concurrency": 2}
    with (
        app,
        app.Worker(hostname="w1@h", **options),
        app.Worker(hostname="w2@h", queues="post", **options),
    ):
        yield app


def test_only_the_named_workers_reply(asked: LiteQ) -> None:
    inspect = asked.control.inspect

    assert inspect().ping() == {"w1@h": {"ok": "pong"}, "w2@h": {"ok": "pong"}}
    assert inspect("w2@h").ping() == {"w2@h": {"ok": "pong"}}
    assert inspect().ping(["w2@h"]) == {"w2@h": {"ok": "pong"}}
    assert inspect(pattern="w1*").ping() == {"w1@h": {"ok": "pong"}}
    assert inspect(pattern=r"w\d@h", matcher="pcre", limit=2).ping() == inspect().ping()
    assert inspect(destination=["w1@h"]).active_queues() == {
        "w1@h": [{"name": "mail", "routing_key": "mail"}]
    }
    assert asked.control.ping(destination=["w1@h"]) == [{"w1@h": {"ok": "pong"}}]


def test_a_name_that_no_worker_has_is_told(asked: LiteQ) -> None:
    with pytest.warns(UserWarning, match=r"stats: no worker is called 'w3@h'; did you mean 'w"):
        assert asked.control.inspect(["w3@h"]).stats() is None


def test_a_worker_that_does_not_answer_is_named(
    app: LiteQ, ids: list[str], broker: MemoryBroker
) -> None:
    """Nobody stands behind these two."""
    with pytest.warns(UserWarning, match=r"ping: no answer within 0.01 s from w1@h, w2@h"):
        assert app.control.inspect(timeout=0.01).ping() is None


def test_registered_tasks_are_named_with_the_attributes_that_are_asked_for(asked: LiteQ) -> None:
    ask = asked.control.inspect("w1@h")

    assert ask.registered() == {"w1@h": ["add"]}
    assert ask.registered("name") == {"w1@h": ["add [name=add]"]}
    assert ask.registered("name", "max_retries") == {"w1@h": ["add [name=add max_retries=7]"]}
    assert ask.registered("rate_limit") == {"w1@h": ["add"]}


def test_the_report_has_the_form_of_celery_s(asked: LiteQ) -> None:
    report = (asked.control.inspect("w1@h").report() or {})["w1@h"]["ok"]

    assert re.fullmatch(
        r"""
software -> liteq:\S+ py:\S+
            \S.*
platform -> system:\S+ arch:.+
            kernel version:\S+ imp:\S+
loader   -> liteq\.app\.base\.LiteQ
settings -> transport:memory://\S* results:memory://\S*

broker_url: memory://
secret_key: \*+
task_default_queue: mail
""",
        report,
    )
    assert report == asked.bugreport()


def test_settings_and_report_show_no_secrets(asked: LiteQ) -> None:
    ask = asked.control.inspect("w1@h")
    conf, all_settings, report = ask.conf(), ask.conf(with_defaults=True), ask.report()

    assert conf is not None
    assert all_settings is not None
    assert conf["w1@h"]["task_default_queue"] == "mail"
    assert "task_time_limit" not in conf["w1@h"]
    assert "task_time_limit" in all_settings["w1@h"]
    assert "swordfish" not in str(conf) + str(report) + str(all_settings)


def test_a_worker_shows_what_it_is_doing() -> None:
    started, go = threading.Event(), threading.Event()
    app = LiteQ("asked", broker="memory://", set_as_current=False)

    @app.task(name="wait")
    def wait(n: int) -> None:
        started.set()
        go.wait(20)

    with app, app.Worker(pool="threads", concurrency=1, hostname="w@h"):
        result = wait.delay(4)
        assert started.wait(20)
        ask = app.control.inspect()
        ((task,),) = (ask.active() or {}).values()
        stats, clock = ask.stats() or {}, ask.clock() or {}
        go.set()
        result.get(timeout=20)
        after = (ask.stats() or {})["w@h"]

    assert (task["id"], task["args"], task["hostname"]) == (result.id, [4], "w@h")
    assert stats["w@h"]["pool"]["max-concurrency"] == 1
    assert stats["w@h"]["total"] == {}
    assert after["total"] == {"wait": 1}
    assert (after["pid"], after["hostname"]) == (os.getpid(), "w@h")
    assert isinstance(clock["w@h"]["clock"], int)
