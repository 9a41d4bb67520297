"""Unique keys of calls: what they are made of, and what is refused."""

import enum
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liteq import LiteQ, Unique, chain, group
from liteq.app.options import apply_settings
from liteq.brokers.uniquekeys import waits_for
from liteq.exceptions import ImproperlyConfigured, InvalidTaskError
from liteq.model.message import Message
from liteq.model.options import options_of
from liteq.model.unique import UniqueKey, key_of
from liteq.sending.unique import as_unique


@pytest.fixture
def app() -> LiteQ:
    return LiteQ("project", broker="memory://")


@pytest.fixture
def sync(app: LiteQ) -> Any:
    @app.task(unique=Unique("{account}"))
    def sync(account: Any, full: bool = False) -> None:
        pass

    return app.tasks[sync.name]


def key_in(message: Message) -> UniqueKey | None:
    return key_of(message)


def sent(app: LiteQ, result: Any) -> UniqueKey | None:
    (record,) = app.broker.fetch([result.id])
    assert record is not None
    return key_of(record.message)


# at definition


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("", "1 to 200 printable"),
        ("x" * 201, "1 to 200 printable"),
        ("a\nb", "1 to 200 printable"),
        ("{", "in braces stands the name"),
        ("{a.b}", "in braces stands the name"),
        (7, "no text such as"),
        (["account"], "no text such as"),
    ],
)
def test_what_is_no_key_is_refused(key: Any, text: str) -> None:
    with pytest.raises(InvalidTaskError, match=text):
        Unique(key)


@pytest.mark.parametrize("until", ["ended", 0, -1, float("nan"), float("inf"), True, None, 1e10])
def test_what_is_no_time_is_refused(until: Any) -> None:
    with pytest.raises(InvalidTaskError, match="'finished', 'started' or a number of seconds"):
        Unique("k", until=until)


def test_what_is_no_policy_is_refused() -> None:
    given: list[Any] = ["drop", None, 7, "throttle"]
    for then in given:
        with pytest.raises(InvalidTaskError, match="give one of 'skip', 'replace', 'coalesce'"):
            Unique("k", then=then)


@pytest.mark.parametrize("until", ["started", 60])
def test_coalescing_needs_the_end_of_the_task(until: Any) -> None:
    with pytest.raises(InvalidTaskError, match="needs until='finished'"):
        Unique("k", until=until, then="coalesce")


def test_a_key_names_parameters_of_its_task(app: LiteQ) -> None:
    with pytest.raises(InvalidTaskError, match=r"no parameter 'user'.*account"):

        @app.task(unique=Unique("{user}"))
        def sync(account: int) -> None:
            pass

    class Sync(app.Task):  # type: ignore[name-defined,misc]
        name = "other"
        unique = Unique("{user}")

        def run(self, account: int) -> None:
            pass

    with pytest.raises(InvalidTaskError, match="no parameter 'user'"):
        app.register_task(Sync)


def test_a_key_may_be_set_by_the_settings(app: LiteQ, sync: Any) -> None:
    app.conf.task_annotations = {sync.name: {"unique": "{full}"}}
    apply_settings(sync, app.conf)
    assert key_in(app.producer.message(sync, (7,), {})) == UniqueKey(f"{sync.name} False")

    app.conf.task_annotations = {sync.name: {"unique": "{nothing}"}}
    with pytest.raises(InvalidTaskError, match="no parameter 'nothing'"):
        apply_settings(sync, app.conf)


def test_an_option_that_is_no_rule_is_refused(app: LiteQ) -> None:
    for given in (7, 1.5, ["a"], {"keys": ["a"]}):
        with pytest.raises(InvalidTaskError, match="unique is"):

            @app.task(name=f"task {given!r}", unique=given)
            def task() -> None:
                pass


def test_an_entry_that_is_debounced_is_refused(app: LiteQ, sync: Any) -> None:
    for option in ("debounce", "throttle"):
        with pytest.raises(ImproperlyConfigured, match="is for one call"):
            app.schedules.add("e", 60, sync.s(1).set(**{option: 5}))


# the rule as a value


def test_rules_are_values() -> None:
    rule = Unique("{a}", until=60, then="replace")

    assert rule == Unique("{a}", until=timedelta(minutes=1), then="replace")
    assert rule != Unique("{a}", until=60)
    assert hash(rule) == hash(pickle.loads(pickle.dumps(rule)))
    assert pickle.loads(pickle.dumps(rule)) == rule == eval(repr(rule))
    assert as_unique(rule.__json__(), "here") == rule
    assert repr(Unique()) == "Unique()"
    assert Unique().key is None
    assert as_unique(True, "here") == Unique()
    assert as_unique(False, "here") is as_unique(None, "here") is None
    with pytest.raises(TypeError, match="cannot be JSON"):
        Unique(str).__json__()


# the key of a call


@pytest.mark.parametrize(
    ("args", "kwargs"), [((7,), {}), ((), {"account": 7}), ((7, True), {}), (("7",), {})]
)
def test_the_key_is_the_same_however_the_arguments_are_passed(
    app: LiteQ, sync: Any, args: Any, kwargs: Any
) -> None:
    message = app.producer.message(sync, args, kwargs)

    assert key_in(message) == UniqueKey(f"{sync.name} 7")
    assert options_of(message) == {"unique": {"key": f"{sync.name} 7"}}


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2, 3}, frozenset((3, 2, 1))),
        (Colour.RED, "red"),
        (Point(1, 2), Point(1, 2)),
        (Decimal("1.50"), Decimal("1.50")),
        (date(2026, 1, 2), date(2026, 1, 2)),
        (b"x", bytearray(b"x")),
        ([[{"a": (1,)}]], ([{"a": [1]}],)),
    ],
)
def test_equal_arguments_make_one_key(app: LiteQ, one: Any, other: Any) -> None:
    @app.task(unique=True)
    def take(value: Any) -> None:
        pass

    keys = {key_in(app.producer.message(take, (each,), {})) for each in (one, other)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (None, "None"), ([1], [[1]]), ({}, []), (1, 1.0), (True, 1), ("a", b"a")],
)
def test_different_arguments_make_different_keys(app: LiteQ, one: Any, other: Any) -> None:
    @app.task(unique=True)
    def take(value: Any) -> None:
        pass

    keys = {key_in(app.producer.message(take, (each,), {})) for each in (one, other)}
    assert len(keys) == 2


def test_a_long_key_of_all_arguments_is_a_digest(app: LiteQ) -> None:
    @app.task(unique=True)
    def take(value: Any, more: int = 1) -> None:
        pass

    short, long = (app.producer.message(take, (each,), {}) for each in ("x", "x" * 300))
    assert options_of(short)["unique"]["key"] == f"{take.name} value='x', more=1"
    assert options_of(long)["unique"]["key"].startswith(f"{take.name} sha256:")


def test_arguments_that_cannot_be_compared_are_refused(app: LiteQ) -> None:
    @app.task(unique=True)
    def take(value: Any, other: Any = None) -> None:
        pass

    with pytest.raises(InvalidTaskError, match=r"other has a object.*Name the parameters"):
        take.delay(1, [object()])
    assert app.broker.counts() == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1], "such values are not compared"),
        ("x" * 201, "1 to 200 printable"),
        ("a\x00", "1 to 200 printable"),
    ],
)
def test_a_call_whose_key_is_none_is_not_sent(app: LiteQ, sync: Any, value: Any, text: str) -> None:
    for send in (
        sync.delay,
        lambda value: app.send_task(sync.name, (value,)),
        lambda value: app.enqueue_many([sync.s(1), sync.s(value)]),
        lambda value: group(sync.s(1), sync.s(value)).delay(),
    ):
        with pytest.raises(InvalidTaskError, match=text):
            send(value)
    assert app.broker.counts() == []


@pytest.mark.parametrize("made", [7, "", "x" * 201, b"x"])
def test_what_a_function_makes_has_to_be_a_key(app: LiteQ, sync: Any, made: Any) -> None:
    with pytest.raises(InvalidTaskError, match="1 to 200 printable"):
        sync.apply_async((7,), unique=Unique(lambda *_: made))


def test_a_task_that_is_known_by_name_has_keys_of_keywords(app: LiteQ) -> None:
    result = app.send_task("elsewhere", (), {"account": 7}, unique=Unique("{account}"))
    assert sent(app, result) == UniqueKey("elsewhere 7")
    assert sent(app, app.send_task("elsewhere", (7,), unique="fixed")) == UniqueKey(
        "elsewhere fixed"
    )
    assert sent(app, app.send_task("elsewhere", (7,), unique=True)) is not None
    with pytest.raises(InvalidTaskError, match="sent without 'account'"):
        app.send_task("elsewhere", (7,), unique=Unique("{account}"))


# debounce and throttle


def test_a_debounced_call_runs_when_no_other_comes(app: LiteQ, sync: Any) -> None:
    key = sent(app, sync.apply_async((7,), debounce=5, debounce_max=60))
    assert key == UniqueKey(f"{sync.name} 7", "finished", "coalesce", 60.0)

    @app.task
    def plain() -> None:
        pass

    assert sent(app, plain.apply_async(debounce=timedelta(seconds=5))) == UniqueKey(
        f"{plain.name} ", "started", "coalesce"
    )
    assert sent(app, plain.apply_async(throttle=5, unique=Unique("k"))) == UniqueKey(
        f"{plain.name} k", 5.0, "throttle"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"debounce": 5, "throttle": 5}, "contradict"),
        ({"debounce_max": 5}, "nothing without debounce"),
        ({"throttle": 5, "debounce_max": 5}, "contradict"),
        ({"debounce": 5, "debounce_max": 4}, "shorter than debounce"),
        ({"debounce": 5, "countdown": 1}, "no countdown"),
        ({"debounce": 5, "eta": "2026-01-01"}, "no eta"),
        ({"debounce": 0}, "seconds above 0"),
        ({"debounce": "5"}, "seconds above 0"),
        ({"debounce": True}, "seconds above 0"),
        ({"debounce": 5, "debounce_max": -1}, "seconds above 0"),
        ({"throttle": float("inf")}, "seconds above 0"),
        ({"throttle": 5, "unique": Unique("k", then="raise")}, "give one"),
        ({"debounce": 5, "unique": Unique("k", then="replace")}, "give one"),
        ({"unique": 7}, "unique is 7"),
    ],
)
def test_options_that_contradict_one_another_are_refused(
    app: LiteQ, sync: Any, options: Any, text: str
) -> None:
    with pytest.raises(InvalidTaskError, match=text):
        sync.apply_async((7,), **options)
    assert app.broker.counts() == []


def test_a_retry_keeps_its_key(sync: Any) -> None:
    sync.push_request(id="x", called_directly=False)
    try:
        for option in ("unique", "debounce", "throttle"):
            with pytest.raises(TypeError, match="keeps its key"):
                sync.retry(**{option: 5})
    finally:
        sync.pop_request()


# steps of workflows


def test_a_step_has_no_key_of_what_is_not_known_yet(app: LiteQ, sync: Any) -> None:
    @app.task
    def find() -> int:
        return 7

    @app.task(unique=True)
    def take(*values: Any) -> None:
        pass

    for canvas in (chain(find.s(), sync.s()), chain(find.s(), take.s())):
        with pytest.raises(InvalidTaskError, match=r"not known yet.*set\(unique="):
            canvas.delay()
    assert app.broker.counts() == []
    for step in (sync.s().set(unique=False), sync.s().set(unique=Unique("{full}")), sync.si(7)):
        chain(find.s(), step).delay()


@pytest.mark.parametrize("option", ["debounce", "throttle"])
def test_a_step_is_not_debounced(app: LiteQ, sync: Any, option: str) -> None:
    with pytest.raises(InvalidTaskError, match="is a step of a workflow"):
        chain(sync.si(1), sync.si(2).set(**{option: 5})).delay()
    assert app.broker.counts() == []


# cycles


def test_a_wait_is_found_through_others() -> None:
    waits: dict[str, list[str]] = {"a": ["b", "c"], "c": ["d"], "d": ["a"]}

    def look(start: str, other: str, find: Callable[[str], list[str]]) -> bool:
        return waits_for(find, start, other)

    find = lambda id: waits.get(id, [])  # noqa: E731
    assert look("a", "d", find)
    assert not look("b", "d", find)
    assert not look("a", "e", find)
    assert look("0", "none", lambda id: [str(int(id) + 1)])  # too many to look at
