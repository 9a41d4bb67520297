"""Many calls of one task in one transaction, on each store."""

from typing import Any

import pytest

from liteq import LiteQ, Task
from liteq.exceptions import PayloadTooLarge
from liteq.testing import drain


@pytest.fixture
def add(app: LiteQ) -> Task[..., Any]:
    @app.task
    def add(x: int, y: int = 0) -> int:
        return x + y

    return app.tasks[add.name]


def test_each_call_has_its_result_in_the_order_of_the_calls(
    app: LiteQ, add: Task[..., Any]
) -> None:
    results = add.delay_many((n, 1) if n % 2 else [n] for n in range(200))
    drain(app)

    assert [result.get(timeout=0) for result in results] == [n + n % 2 for n in range(200)]
    assert len({result.id for result in results}) == 200
    assert add.delay_many([]) == []


def test_of_many_calls_of_a_task_all_are_sent_or_none(app: LiteQ, add: Task[..., Any]) -> None:
    app.conf.max_payload_size = 100

    with pytest.raises(PayloadTooLarge):
        add.delay_many([(1,), ("x" * 200,)])
    with pytest.raises(TypeError, match="add"):
        add.delay_many([(1,), ()])
    for calls in ([(1,), 2], ["12"], [{"x": 1}]):
        with pytest.raises(TypeError, match="each call is a tuple or a list of arguments"):
            add.delay_many(calls)  # type: ignore[arg-type]
    assert app.broker.counts() == []


@pytest.mark.parametrize("wrong", [(), ("x" * 200,), "12"])
def test_an_error_says_which_of_many_calls_is_wrong(
    app: LiteQ, add: Task[..., Any], wrong: Any
) -> None:
    app.conf.max_payload_size = 100
    with pytest.raises((TypeError, PayloadTooLarge)) as one:
        add.delay_many([(1,), (2,), wrong, (3,)])
    with pytest.raises((TypeError, PayloadTooLarge)) as another:
        app.enqueue_many([add.s(1), add.s(2), wrong if wrong == "12" else add.s(*wrong)])

    note = "It is number 2 of the calls to send together, from 0."
    assert one.value.__notes__ == [note]
    if wrong != "12":
        assert another.value.__notes__ == [note]


def test_many_calls_have_the_options_of_their_task(app: LiteQ) -> None:
    @app.task(queue="slow", priority=3, ignore_result=True, time_limit=60)
    def quiet(n: int) -> None:
        pass

    many = app.broker.fetch([each.id for each in quiet.delay_many([(1,), (2,)])])
    (one,) = app.broker.fetch([quiet.delay(1).id])

    assert one is not None
    assert [each and each.message[3:] for each in many] == [one.message[3:]] * 2
    assert many[0] is not None
    assert many[0].message.payload == one.message.payload
