"""Orders to workers by `app.control`, and what these answer; all in one process."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import ConfigurationError, InvalidTaskError, SoftTimeLimitExceeded
from liteq.model.order import Order
from liteq.worker.control import Panel, control_command, inspect_command, nok, ok
from liteq.worker.worker import Worker
from tests.e2e.project import wait_for


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the commands that a test defines to that test."""
    monkeypatch.setattr(Panel, "data", {})


@pytest.fixture
def app() -> Iterator[LiteQ]:
    app = LiteQ("told", broker="memory://", set_as_current=False)
    app.task(name="add")(lambda x, y: x + y)
    with app:
        yield app


@pytest.fixture
def workers(app: LiteQ) -> Iterator[list[Worker]]:
    options: Any = {"pool": "threads", "concurrency": 2}
    with (
        app.Worker(hostname="w1@h", **options) as first,
        app.Worker(hostname="w2@h", **options) as second,
    ):
        yield [first, second]


def answers(app: LiteQ, command: str, **options: Any) -> dict[str, Any]:
    """The answers to an order, by the name of the worker."""
    found = app.control.broadcast(command, reply=True, timeout=10.0, **options) or []
    return {name: answer for each in found for name, answer in each.items()}


def size(app: LiteQ, name: str = "w1@h") -> int:
    stats = app.control.inspect([name], timeout=10.0).stats() or {}
    found: int = stats[name]["pool"]["max-concurrency"]
    return found


def test_a_pool_grows_and_shrinks(app: LiteQ, workers: list[Worker]) -> None:
    grown = app.control.pool_grow(2, destination=["w1@h"], reply=True)
    assert grown == [{"w1@h": {"ok": "pool will grow"}}]
    assert (size(app), size(app, "w2@h")) == (4, 2)
    assert workers[0].concurrency == 4

    app.control.pool_shrink(3, destination="w1@h", reply=True)
    assert size(app) == 1


def test_an_order_without_a_reply_is_obeyed_all_the_same(app: LiteQ, workers: list[Worker]) -> None:
    assert app.control.pool_grow(1) is None

    wait_for(lambda: size(app) == size(app, "w2@h") == 3)


def test_slots_that_were_added_run_tasks(app: LiteQ, workers: list[Worker]) -> None:
    barrier = threading.Barrier(3)
    meet = app.task(name="meet")(lambda: barrier.wait(20))
    app.control.cancel_consumer("celery", destination="w2@h", reply=True, timeout=10.0)
    app.control.pool_grow(1, reply=True, timeout=10.0)

    results = [meet.delay() for _ in range(3)]

    assert sorted(each.get(timeout=20) for each in results) == [0, 1, 2]


def test_the_store_knows_how_many_tasks_may_run_while_slots_leave(
    app: LiteQ, workers: list[Worker]
) -> None:
    """Whoever rescues them elsewhere has to know, see `Trace.slots`."""
    begun, go = threading.Semaphore(0), threading.Event()

    @app.task(name="hold")
    def hold() -> None:
        begun.release()
        go.wait(20)

    def slots() -> tuple[int, int]:
        info = json.loads(app.broker.workers()[0].info)
        return info["concurrency"], info["slots"]

    answers(app, "shutdown", destination="w2@h")
    answers(app, "pool_grow", destination="w1@h")
    results = [hold.delay() for _ in range(3)]
    for _ in results:
        assert begun.acquire(timeout=20)
    assert slots() == (3, 3)

    answers(app, "pool_shrink", destination="w1@h", arguments={"n": 2})
    assert slots() == (1, 3)
    answers(app, "autoscale", destination="w1@h", arguments={"max": 9, "min": 1})
    assert slots() == (1, 9)
    go.set()
    for each in results:
        each.get(timeout=20)


@pytest.mark.parametrize(
    ("command", "arguments", "error"),
    [
        ("pool_grow", {"n": 0}, "n is a whole number from 1 on, not 0"),
        ("pool_grow", {"n": "2"}, "n is a whole number from 1 on, not '2'"),
        ("pool_grow", {"n": True}, "n is a whole number from 1 on, not True"),
        ("pool_grow", {"m": 1}, "unexpected keyword argument 'm'"),
        ("pool_grow", {"n": 10**9}, "1 to 1024 slots now, and not 1000000002"),
        ("pool_shrink", {"n": 2}, "1 to 1024 slots now, and not 0"),
        ("autoscale", {"max": 1, "min": 2}, "not 1,2"),
        ("add_consumer", {}, "missing 1 required positional argument: 'queue'"),
        ("add_consumer", {"queue": ""}, "'' cannot be a queue name"),
        ("add_consumer", {"queue": ["x"]}, "cannot be a queue name"),
        ("time_limit", {"task_name": "ad", "soft": 5}, "did you mean 'add'"),
        ("time_limit", {"task_name": "add", "soft": "5"}, "soft is a number of seconds above 0"),
        ("time_limit", {"task_name": "add", "soft": -1}, "soft is a number of seconds above 0"),
        ("time_limit", {"task_name": "add", "hard": 5}, "this pool cannot end a running task"),
        ("rate_limit", {"task_name": "add", "rate_limit": "1/m"}, "no rate limits"),
        ("revoke", {"task_id": 5}, "task_id is an id or a list of ids, not 5"),
        ("revoke_by_stamped_headers", {"headers": [1]}, "headers is an object"),
        ("registered", {"taskinfoitems": "name"}, "taskinfoitems is a list"),
        ("pool_grwo", {}, "there is no command 'pool_grwo'; did you mean 'pool_grow'"),
        ("active", {}, "the store has what tasks there are"),
    ],
)
def test_a_wrong_order_is_answered_with_an_error(
    app: LiteQ, workers: list[Worker], command: str, arguments: dict[str, Any], error: str
) -> None:
    found = answers(app, command, arguments=arguments)

    assert set(found) == {"w1@h", "w2@h"}
    assert error in found["w1@h"]["error"]
    assert size(app) == 2
    assert app.send_task("add", (2, 3)).get(timeout=10) == 5


@pytest.mark.parametrize(
    "arguments",
    ["", "no JSON", "[1]", "null", '"text"', "1e999", "[" * 5000, '{"n": 1}{"n": 1}', "{'n': 1}"],
)
def test_an_order_that_is_no_json_object_harms_nothing(
    app: LiteQ, workers: list[Worker], arguments: str
) -> None:
    (first, _), now = app.broker.workers(), app.broker.clock()
    app.broker.order([Order("call", first.id, "pool_grow", arguments, now, now + 60)])

    (answer,) = wait_for(lambda: app.broker.answers("call"))
    assert "JSON" in json.loads(answer.text)["error"]
    assert size(app) == 2


def test_an_order_is_obeyed_once(app: LiteQ, workers: list[Worker]) -> None:
    (first, _), now = app.broker.workers(), app.broker.clock()
    order = Order("call", first.id, "pool_grow", '{"n": 1}', now, now + 60)
    for _ in range(3):
        app.broker.order([order])
        wait_for(lambda: app.broker.answers("call"))

    assert size(app) == 3


def test_an_order_that_has_expired_is_not_obeyed(app: LiteQ, workers: list[Worker]) -> None:
    (first, _), now = app.broker.workers(), app.broker.clock()
    app.broker.order([Order("call", first.id, "pool_grow", "{}", now - 9, now - 1)])

    assert size(app) == 2
    assert app.broker.answers("call") == []


def test_what_no_order_can_hold_is_refused_where_it_is_given(app: LiteQ) -> None:
    broadcast = app.control.broadcast
    with pytest.raises(InvalidTaskError, match=r"arguments of 'x' must be JSON: .*object"):
        broadcast("x", {"y": object()})
    with pytest.raises(InvalidTaskError, match=r"characters as JSON, and may have 65536"):
        broadcast("x", {"y": "y" * 70_000})
    with pytest.raises(InvalidTaskError, match="cannot be a command"):
        broadcast("")
    with pytest.raises(InvalidTaskError, match="cannot be a worker name"):
        broadcast("x", destination=[""])
    with pytest.raises(InvalidTaskError, match="'glob' or 'pcre', not 'regex'"):
        broadcast("x", pattern="x", matcher="regex")
    with pytest.raises(InvalidTaskError, match=r"the pattern '\(' is none"):
        broadcast("x", pattern="(", matcher="pcre")
    for timeout in (0, -1, "1", None, float("nan")):
        with pytest.raises(InvalidTaskError, match="the timeout is a number of seconds above 0"):
            broadcast("x", reply=True, timeout=timeout)  # type: ignore[arg-type]


def test_without_workers_nobody_answers(app: LiteQ) -> None:
    assert app.control.ping() == []
    assert app.control.shutdown() is None
    assert app.control.shutdown(reply=True) == []


def test_a_worker_may_be_set_to_take_no_orders(app: LiteQ, workers: list[Worker]) -> None:
    app.conf.update(worker_enable_remote_control=False)

    found = answers(app, "pool_grow", destination="w1@h")

    assert found == {"w1@h": {"error": "this worker takes no orders: worker_enable_remote_control"}}
    app.conf.update(worker_enable_remote_control=True)
    assert size(app) == 2


def test_a_pattern_chooses_workers(app: LiteQ, workers: list[Worker]) -> None:
    assert set(answers(app, "ping", pattern="w[2-9]@*")) == {"w2@h"}
    assert set(answers(app, "ping", pattern=r"w\d@h$", matcher="pcre")) == {"w1@h", "w2@h"}
    assert set(answers(app, "ping", pattern="*", destination="w1@h")) == {"w1@h"}
    assert answers(app, "ping", pattern="nobody*") == {}


def test_answers_may_be_limited_and_called_back(app: LiteQ, workers: list[Worker]) -> None:
    seen: list[dict[str, Any]] = []

    found = app.control.broadcast("ping", reply=True, timeout=10.0, limit=1, callback=seen.append)

    assert found is not None
    assert seen == found
    assert len(found) in (1, 2)


def test_a_worker_takes_tasks_of_other_queues_at_once(app: LiteQ, workers: list[Worker]) -> None:
    result = app.send_task("add", (2, 3), queue="mail")
    app.control.add_consumer("mail", destination=["w2@h"], reply=True, timeout=10.0)

    assert result.get(timeout=10) == 5
    assert app.control.inspect(timeout=10.0).active_queues() == {
        "w1@h": [{"name": "celery", "routing_key": "celery"}],
        "w2@h": [
            {"name": "celery", "routing_key": "celery"},
            {"name": "mail", "routing_key": "mail"},
        ],
    }
    assert workers[1].queues == ("celery", "mail")
    again = app.control.add_consumer("mail", destination="w2@h", reply=True, timeout=10.0)
    assert again == [{"w2@h": {"ok": "already consuming from mail"}}]


def test_a_worker_may_serve_no_queue(app: LiteQ, workers: list[Worker]) -> None:
    answers(app, "cancel_consumer", queue="celery")
    result = app.send_task("add", (2, 3))
    assert not result.ready()
    assert app.broker.oldest(["celery"]) is not None

    answers(app, "add_consumer", queue="celery", destination="w1@h")

    assert result.get(timeout=10) == 5


def test_the_store_shows_what_was_changed_when_the_answer_is_there(
    app: LiteQ, workers: list[Worker]
) -> None:
    answers(app, "add_consumer", queue="mail", destination="w1@h")
    answers(app, "pool_grow", destination="w1@h")

    info = json.loads(app.broker.workers()[0].info)
    assert (info["queues"], info["concurrency"]) == (["celery", "mail"], 3)


def test_soft_time_limits_are_changed_at_run_time(app: LiteQ, workers: list[Worker]) -> None:
    limits: list[float | None] = []
    look = app.task(name="look", bind=True, soft_time_limit=40)(
        lambda self: limits.append(self.request.soft_limit)
    )
    spin = app.task(name="spin")(spinning)
    told = app.control.time_limit("spin", soft=0.05, reply=True, timeout=10.0)
    assert told is not None
    assert {"w1@h": {"ok": "time limits set successfully"}} in told

    with pytest.raises(SoftTimeLimitExceeded):
        spin.delay().get(timeout=20)
    for soft in (60, 70, None):
        app.control.time_limit("look", soft=soft, reply=True, timeout=10.0)
        look.delay().get(timeout=10)
    look.apply_async(soft_time_limit=50).get(timeout=10)

    assert limits == [60, 70, None, 50]


def spinning() -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass


def test_an_ordered_limit_does_not_stay_with_the_task(app: LiteQ, workers: list[Worker]) -> None:
    """A task that runs again is stored as it was sent."""
    app.task(name="again", bind=True)(
        lambda self: self.retry(args=(), countdown=0) if not self.request.retries else None
    )
    app.control.time_limit("again", soft=30, reply=True, timeout=10.0)
    result = app.send_task("again", expires=60)
    result.get(timeout=10)

    (record,) = app.broker.fetch([result.id])
    assert record is not None
    assert "ordered" not in (record.message.options or "")


def test_a_rate_limit_is_refused_as_long_as_there_are_none(app: LiteQ) -> None:
    with pytest.raises(ConfigurationError, match=r"add cannot be limited: .* no rate limits"):
        app.control.rate_limit("add", "1/m")


def test_a_rate_limit_is_one_of_the_application(
    app: LiteQ, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    class Limits:
        def set(self, name: str, rate: str | None) -> None:
            calls.append((name, rate))

    monkeypatch.setattr(LiteQ, "limits", Limits(), raising=False)
    found = app.control.rate_limit("add", "10/m", destination="w1@h", reply=True, timeout=10.0)

    assert found == [{"w1@h": {"ok": "new rate limit set successfully"}}]
    assert calls == [("add", "10/m")]


def test_workers_revoke_as_well(app: LiteQ, workers: list[Worker]) -> None:
    later = [app.send_task("add", (1, 2), countdown=60) for _ in range(2)]

    answers(app, "revoke", task_id=later[0].id)
    answers(app, "terminate", task_id=[later[1].id], signal="SIGKILL")

    assert [each.state for each in later] == ["REVOKED", "REVOKED"]


def test_a_worker_that_is_told_to_shut_down_ends_its_tasks(
    app: LiteQ, workers: list[Worker]
) -> None:
    begun, go = threading.Event(), threading.Event()

    @app.task(name="hold")
    def hold() -> str:
        begun.set()
        assert go.wait(20)
        return "held"

    answers(app, "shutdown", destination="w2@h")
    wait_for(lambda: not workers[1].is_alive())
    result = hold.delay()
    assert begun.wait(20)

    assert answers(app, "shutdown") == {"w1@h": {"ok": "shutting down"}}
    assert workers[0].is_alive()
    assert "stopping" in answers(app, "pool_grow")["w1@h"]["error"]
    go.set()
    assert result.get(timeout=20) == "held"
    wait_for(lambda: not workers[0].is_alive())


def test_new_tasks_are_served_at_once_where_no_process_has_to_load_them(
    app: LiteQ, workers: list[Worker]
) -> None:
    app.task(name="new")(lambda: 1)
    wait_for(lambda: "new" in (app.control.inspect("w1@h").registered() or {})["w1@h"])

    assert answers(app, "pool_restart", modules=["x"])["w1@h"] == {"ok": "reload started"}


@pytest.mark.usefixtures("panel")
def test_a_program_defines_commands_of_its_own(app: LiteQ, workers: list[Worker]) -> None:
    threads = set()

    @control_command(args=[("n", int)], signature="[N=1]", alias="more")
    def increase(state: Any, n: int = 1) -> Any:
        """Increase it.

        As often as you like.
        """
        threads.add(threading.current_thread())
        return ok(f"{state.hostname} {state.worker.pool_name} {state.app.main} {n}")

    @inspect_command
    def level(state: Any) -> Any:
        return {"level": {1, 2}}

    assert answers(app, "increase", n=3) == {
        "w1@h": {"ok": "w1@h threads told 3"},
        "w2@h": {"ok": "w2@h threads told 3"},
    }
    assert answers(app, "more", destination="w1@h") == {"w1@h": {"ok": "w1@h threads told 1"}}
    assert answers(app, "level", destination="w1@h") == {"w1@h": {"level": "{1, 2}"}}
    assert {thread.name for thread in threads} == {"liteq-orders"}
    found = Panel.data["increase"]
    assert (found.kind, found.help, found.signature) == ("control", "Increase it.", "[N=1]")
    assert Panel.data["level"].kind == "inspect"


@pytest.mark.usefixtures("panel")
def test_a_command_that_fails_is_answered_with_its_error(app: LiteQ, workers: list[Worker]) -> None:
    @control_command
    def fail(state: Any) -> Any:
        raise KeyError("x")

    @control_command(name="refuse")
    def other_name(state: Any) -> Any:
        return nok("not today")

    @control_command
    def consume(state: Any) -> Any:
        return state.consumer.qos

    @control_command
    def endless(state: Any) -> Any:
        value: list[Any] = []
        value.append(value)
        return value

    def error(command: str) -> str:
        text: str = answers(app, command, destination="w1@h")["w1@h"]["error"]
        return text

    assert error("fail") == "KeyError('x')"
    assert error("refuse") == "not today"
    assert "a worker has no consumer of messages" in error("consume")
    assert "JSON cannot hold" in error("endless")
    assert size(app) == 2


@pytest.mark.usefixtures("panel")
def test_a_command_that_takes_long_delays_no_task_and_no_other_order(
    app: LiteQ, workers: list[Worker]
) -> None:
    go = threading.Event()
    control_command(name="hang")(lambda state: go.wait(20))
    app.control.broadcast("hang")

    try:
        assert app.send_task("add", (2, 3)).get(timeout=10) == 5
        assert size(app) == 2
        with pytest.warns(UserWarning, match=r"hang: no answer within 0.1 s from w1@h, w2@h"):
            assert app.control.broadcast("hang", reply=True, timeout=0.1) == []
    finally:
        go.set()


def test_a_busy_solo_worker_is_told_to_be_one(app: LiteQ) -> None:
    begun, go = threading.Event(), threading.Event()

    @app.task(name="hold")
    def hold() -> None:
        begun.set()
        go.wait(20)

    with app.Worker(hostname="s@h", pool="solo"):
        result = hold.delay()
        assert begun.wait(20)
        with pytest.warns(UserWarning, match=r"from s@h \(its pool is solo: it answers between"):
            assert app.control.ping(timeout=0.1) == []
        go.set()
        result.get(timeout=10)
        assert app.control.ping(timeout=10.0) == [{"s@h": {"ok": "pong"}}]
        grown = app.control.pool_grow(1, reply=True, timeout=10.0) or []
        assert "in the worker's own thread" in grown[0]["s@h"]["error"]


def test_a_pool_is_scaled_between_its_bounds(app: LiteQ) -> None:
    go = threading.Event()
    hold = app.task(name="hold")(lambda: go.wait(20))
    with app.Worker(hostname="w1@h", pool="threads", autoscale=(3, 1)) as worker:
        assert worker.concurrency == 1
        results = [hold.delay() for _ in range(5)]
        try:
            wait_for(lambda: size(app) == 3)
            stats = (app.control.inspect(timeout=10.0).stats() or {})["w1@h"]
            assert stats["autoscaler"] == {"max": 3, "min": 1, "current": 3}

            told = app.control.autoscale(2, 2, reply=True, timeout=10.0)
            assert told == [{"w1@h": {"ok": "autoscale now max=2 min=2"}}]
            assert size(app) == 2
            app.control.pool_grow(2, reply=True, timeout=10.0)
            assert size(app) == 4
        finally:
            go.set()
        for each in results:
            assert each.get(timeout=20) is True
