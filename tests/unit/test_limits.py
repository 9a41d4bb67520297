"""The limits of tasks and calls: what is accepted, and what is sent."""

import copy
import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from liteq import Limit, LiteQ, chain, group
from liteq.exceptions import ImproperlyConfigured, InvalidTaskError
from liteq.model.limit import LimitRule, parse_rate, rate_text, uses_of
from liteq.model.options import options_of


@pytest.fixture
def app() -> LiteQ:
    return LiteQ("limits", broker="memory://")


def sent(app: LiteQ, id: str) -> list[dict[str, Any]] | None:
    """Return what the message of a task says of its limits."""
    (record,) = app.broker.fetch([id])
    assert record is not None
    found: list[dict[str, Any]] | None = options_of(record.message).get("limits")
    return found


# what is a limit


@pytest.mark.parametrize(
    ("rate", "per_second"),
    [("60/m", 1), ("2/h", 2 / 3600), ("10/s", 10), ("10", 10), ("1.5 / d", 1.5 / 86400), (3, 3)],
)
def test_a_rate_is_a_number_and_a_unit(rate: str | float, per_second: float) -> None:
    assert parse_rate(rate, "x") == pytest.approx(per_second)


@pytest.mark.parametrize(
    "rate",
    [
        "fast",
        "0/s",
        "",
        "-1/s",
        "1/w",
        "/m",
        "1/",
        0,
        -1,
        True,
        float("nan"),
        float("inf"),
        "9e9/s",
    ],
)
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    with pytest.raises(InvalidTaskError, match=r"Limit\('x'\): the rate .* is none: give a text"):
        Limit("x", rate=rate)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "limits nothing: give it rate"),
        ({"running": 0}, "running is 0, but must be a whole number > 0"),
        ({"running": 1.5}, "running is 1.5"),
        ({"running": True}, "running is True"),
        ({"rate": 1, "burst": 0}, "burst is 0"),
        ({"running": 1, "burst": 2}, "burst=2 says nothing without a rate"),
        ({"running": 2, "cost": 3}, "a task of cost 3 could never run, with running=2"),
        ({"rate": 1, "cost": 2}, "a task of cost 2 could never run, with burst=1"),
        ({"running": 1, "cost": 0}, "cost is 0"),
    ],
)
def test_numbers_that_no_task_could_pass_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidTaskError, match=why):
        Limit("x", **options)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", 7])
def test_a_key_that_is_none_is_refused(key: Any) -> None:
    with pytest.raises(InvalidTaskError, match="1 to 200 printable characters"):
        Limit(key, running=1)


def test_a_limit_is_a_value() -> None:
    limit = Limit("acct:{account}", rate="90/m", burst=3, running=2, cost=2)

    assert repr(limit) == "Limit('acct:{account}', rate='90/m', burst=3, running=2, cost=2)"
    assert limit == Limit("acct:{account}", rate=1.5, burst=3, running=2, cost=2)
    assert len({limit, pickle.loads(pickle.dumps(limit)), copy.copy(limit)}) == 1
    assert limit != Limit("acct:{user}", rate=1.5, burst=3, running=2, cost=2)
    with pytest.raises(AttributeError, match="a Limit does not change"):
        limit.cost = 3  # type: ignore[misc]


@pytest.mark.parametrize("text", ["60/m", "1/s", "2/h", "1/d", "100/s"])
def test_a_rate_is_shown_as_it_is_written(text: str) -> None:
    assert parse_rate(rate_text(parse_rate(text, "")), "") == pytest.approx(parse_rate(text, ""))


def test_the_burst_is_one_or_what_starts_in_a_tenth_of_a_second() -> None:
    assert Limit("x", rate="60/m").rule == LimitRule(None, 1.0, 1)
    assert Limit("x", rate="100/s").rule == LimitRule(None, 100.0, 10)


# the definition of a task


def test_a_key_that_names_an_unknown_parameter_is_refused_where_the_task_is_defined(
    app: LiteQ,
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"task job has no parameter 'user'.*account"):

        @app.task(name="job", limits=[Limit("acct:{user}", running=1)])
        def job(account: int) -> None: ...


def test_limits_that_contradict_one_another_are_refused_where_the_second_is_defined(
    app: LiteQ,
) -> None:
    app.task(name="one", limits=[Limit("a:{x}", running=1)])(lambda x: None)
    app.task(name="same", limits=[Limit("a:{y}", running=1)])(lambda y: None)
    with pytest.raises(
        ImproperlyConfigured, match=r"task two has Limit.*, and task one has Limit.*: as they share"
    ):
        app.task(name="two", limits=[Limit("a:{x}", running=2)])(lambda x: None)


def test_a_task_that_is_defined_anew_may_have_other_limits(app: LiteQ) -> None:
    app.limits.declare(app.task(name="one", limits=[Limit("a", running=1)])(lambda: None))
    again = app.task(name="two")(lambda: None)
    again.name, again.limits = "one", [Limit("a", running=2)]
    app.limits.declare(again)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ("openai", "must be a list of Limit"),
        ([7], "must be a Limit, such as"),
        ([Limit("a", running=1), Limit("a", rate=1)], "has two limits named 'a'"),
        ([Limit("a{x}", running=1), Limit("a{y}", rate=1)], "has two limits named 'a{y}'"),
    ],
)
def test_limits_that_are_none_are_refused(app: LiteQ, limits: Any, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=why):
        app.task(name="job", limits=limits)(lambda x, y: None)


@pytest.mark.parametrize("rate", ["fast", "0/s", -1, [1]])
def test_a_wrong_rate_limit_of_celery_s_is_refused(app: LiteQ, rate: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="task job: rate_limit="):
        app.task(name="job", rate_limit=rate)(lambda: None)


def test_a_wrong_limit_in_annotations_is_refused() -> None:
    app = LiteQ("x", broker="memory://", task_annotations={"job": {"rate_limit": "fast"}})
    app.task(name="job")(lambda: None)
    with pytest.raises(ImproperlyConfigured, match="rate_limit='fast'"):
        app.finalize()


# what is sent


def test_a_message_says_the_keys_and_the_numbers(app: LiteQ) -> None:
    @app.task(limits=[Limit("acct:{account}", running=2), Limit("api", rate="60/m", burst=5)])
    def job(account: int, more: int = 0) -> None: ...

    expected = [
        {"key": "acct:7", "name": "acct:{}", "running": 2},
        {"key": "api", "rate": 1.0, "burst": 5},
    ]
    for result in (
        job.delay(7),
        job.delay(account=7),
        job.apply_async((7,), queue="other"),
        *job.delay_many([(7,)]),
        *app.enqueue_many([job.s(7), job.s(account=7)]),
        job.s(7).delay(),
        app.send_task(job.name, (7,)),
    ):
        assert sent(app, result.id) == expected


def test_a_task_without_limits_sends_nothing_of_them(app: LiteQ) -> None:
    job = app.task(lambda: None)

    (record,) = app.broker.fetch([job.delay().id])
    assert record is not None
    assert record.message.options is None


def test_a_call_may_have_limits_of_its_own_or_none(app: LiteQ) -> None:
    @app.task(limits=[Limit("own", running=2)])
    def job(x: int) -> None: ...

    other = [{"key": "other:1", "name": "other:{}", "running": 1}]
    assert sent(app, job.apply_async((1,), limits=[Limit("other:{x}", running=1)]).id) == other
    assert sent(app, job.apply_async((1,), limits=[]).id) == []
    assert sent(app, job.s(1).set(limits=[Limit("other:{x}", running=1)]).delay().id) == other
    by_name = app.send_task("unknown", kwargs={"x": 1}, limits=[Limit("other:{x}", running=1)])
    assert sent(app, by_name.id) == other
    with pytest.raises(InvalidTaskError, match="sent without 'x'"):
        app.send_task("unknown", (1,), limits=[Limit("other:{x}", running=1)])


def test_a_call_may_cost_more(app: LiteQ) -> None:
    @app.task(limits=[Limit("a:{x}", running=5), Limit("b", running=9, cost=2)])
    def job(x: int) -> None: ...

    def costs(cost: int | Mapping[str, int]) -> list[int]:
        uses = sent(app, job.apply_async((1,), cost=cost).id)
        return [use.cost for use in uses_of({"limits": uses})]

    assert costs(3) == [3, 3]
    assert costs({"a:{x}": 4}) == [4, 2]
    assert costs({"b": 9}) == [1, 9]
    with pytest.raises(InvalidTaskError, match="a task of cost 6 could never run"):
        costs(6)
    with pytest.raises(InvalidTaskError, match="cost names the limit 'c', which it has not"):
        costs({"c": 1})
    with pytest.raises(InvalidTaskError, match="has no limits"):
        app.task(lambda: None).apply_async(cost=2)


@pytest.mark.parametrize("value", ["x" * 200, "a\nb", [1], object()])
def test_a_call_whose_key_is_none_is_refused(app: LiteQ, value: Any) -> None:
    @app.task(limits=[Limit("acct:{account}", running=2)], serializer="pickle")
    def job(account: Any) -> None: ...

    with pytest.raises(InvalidTaskError):
        job.delay(value)
    assert app.broker.counts() == []


def test_a_key_that_names_what_another_task_gives_is_made_by_the_worker(app: LiteQ) -> None:
    @app.task(limits=[Limit("acct:{account}", running=2)])
    def job(account: int, other: int = 0) -> int:
        return account

    result = chain(job.s(7), job.s(8)).delay()
    assert sent(app, result.id) is None
    assert sent(app, result.parent.id) == [{"key": "acct:7", "name": "acct:{}", "running": 2}]
    with pytest.raises(InvalidTaskError, match="its key is not known yet"):
        chain(job.s(7), job.s().set(limits=[Limit("x:{account}", running=1)])).delay()


def test_members_of_a_group_have_keys_of_their_own(app: LiteQ) -> None:
    @app.task(limits=[Limit("acct:{account}", running=2)])
    def job(account: int) -> None: ...

    result = group(job.s(n) for n in range(3)).delay()
    keys = [(sent(app, each.id) or [{}])[0].get("key") for each in result]
    assert keys == ["acct:0", "acct:1", "acct:2"]


def test_rate_limit_of_celery_is_a_limit_of_the_task_s_name(app: LiteQ) -> None:
    @app.task(name="job", rate_limit="30/m")
    def job() -> None: ...

    assert sent(app, job.delay().id) == [{"key": "job", "rate": 0.5, "burst": 1}]
    job.rate_limit = None
    assert sent(app, job.delay().id) is None


def test_the_default_rate_limit_is_for_tasks_that_have_none() -> None:
    app = LiteQ("x", broker="memory://", task_default_rate_limit="60/m")
    job = app.task(name="job")(lambda: None)
    other = app.task(name="other", rate_limit="30/m")(lambda: None)
    app.finalize()

    assert sent(app, job.delay().id) == [{"key": "job", "rate": 1.0, "burst": 1}]
    assert sent(app, other.delay().id) == [{"key": "other", "rate": 0.5, "burst": 1}]
    assert all(not task.rate_limit for name, task in app.tasks.items() if "celery." in name)


def test_periodic_tasks_send_their_limits(app: LiteQ) -> None:
    @app.task(limits=[Limit("acct:{account}", running=2)])
    def job(account: int) -> None: ...

    entry = app.schedules.add("every", 30, job, (7,))
    assert json.loads(entry.message.options or "{}")["limits"][0]["key"] == "acct:7"


def test_a_task_that_is_run_at_once_does_not_wait(app: LiteQ) -> None:
    @app.task(limits=[Limit("a", running=1)])
    def job() -> int:
        return 1

    assert job.apply().get() == 1
    assert job() == 1


# app.limits


def test_what_is_set_changes_only_what_is_given(app: LiteQ) -> None:
    @app.task(limits=[Limit("api", rate="60/m", burst=5, running=3)])
    def job() -> None: ...

    assert app.limits.set("api", rate="30/m") == LimitRule(3, 0.5, 5)
    assert app.limits.set("api", running=None) == LimitRule(None, 0.5, 5)
    assert app.limits.set("api", rate=None, running=1) == LimitRule(1, None, None)
    found = app.limits.get("api")
    assert found is not None
    assert found.fixed
    app.limits.reset("api")
    assert app.limits.get("api") is None  # no task uses it
    job.delay()
    found = app.limits.get("api")
    assert found is not None
    assert found.rule == LimitRule(3, 1.0, 5)


def test_a_faster_rate_has_a_larger_burst_unless_that_was_given(app: LiteQ) -> None:
    assert app.limits.set("x", rate="60/m").burst == 1
    assert app.limits.set("x", rate="100/s").burst == 10
    assert app.limits.set("x", burst=3).burst == 3
    assert app.limits.set("x", rate="200/s").burst == 3


def test_a_limit_is_named_as_in_the_code(app: LiteQ) -> None:
    app.limits.set("acct:{account}", running=3)
    app.limits.set("acct:7", running=4)
    assert [each.key for each in app.limits.list()] == ["acct:7", "acct:{}"]
    found = app.limits.get("acct:{anything}")
    assert found is not None
    assert found.rule.running == 3


def test_one_key_is_held_and_not_all_of_a_name(app: LiteQ) -> None:
    with pytest.raises(InvalidTaskError, match=r"stands for many limits: hold one.*'acct:7'"):
        app.limits.hold("acct:{account}", 60)
    for seconds in (-1, float("nan"), float("inf"), 1e9):
        with pytest.raises(InvalidTaskError, match="cannot be held for"):
            app.limits.hold("api", seconds)


def test_the_rate_limit_of_a_task_is_changed_by_its_name(app: LiteQ) -> None:
    app.task(name="job", rate_limit="30/m")(lambda: None)
    app.task(name="free")(lambda: None)

    app.limits.rate_limit("job", "60/m")
    found = app.limits.get("job")
    assert found is not None
    assert found.rule.rate == 1.0
    app.limits.rate_limit("job", None)
    assert app.limits.get("job") is None
    app.limits.rate_limit("of another program", "60/m")
    with pytest.raises(InvalidTaskError, match="task free has no rate_limit in its code"):
        app.limits.rate_limit("free", "60/m")


# messages that others have written


@pytest.mark.parametrize(
    "limits",
    [
        "x",
        {"key": "x"},
        [7],
        [{}],
        [{"key": ""}],
        [{"key": "x", "cost": 0}],
        [{"key": "x", "running": "1"}],
        [{"key": "x", "rate": "0/s"}],
        [{"key": "x", "rate": 1, "burst": -1}],
        [{"key": "x", "name": "\n", "running": 1}],
    ],
)
def test_what_is_no_list_of_limits_is_refused(limits: Any) -> None:
    with pytest.raises(InvalidTaskError):
        uses_of({"limits": limits})


def test_of_two_limits_with_one_key_the_first_counts() -> None:
    uses = uses_of({"limits": [{"key": "x", "running": 1}, {"key": "x", "running": 2}]})
    assert [use.rule.running for use in uses] == [1]
