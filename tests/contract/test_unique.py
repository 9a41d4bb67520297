"""Unique tasks, debounce and throttle, as applications use them."""

import asyncio
from typing import Any

import pytest

from liteq import LiteQ, Unique, chain, chord, group, signature
from liteq.exceptions import DuplicateTask
from liteq.model.entry import Firing
from liteq.states import Phase
from liteq.testing import drain


@pytest.fixture
def ran(app: LiteQ) -> list[Any]:
    """The arguments of the tasks that ran."""
    return []


@pytest.fixture
def note(app: LiteQ, ran: list[Any]) -> Any:
    @app.task
    def note(*args: Any) -> Any:
        ran.append(args)
        return args

    return app.tasks[note.name]


@pytest.fixture
def sync(app: LiteQ, ran: list[Any]) -> Any:
    """A task that is unique for each account."""

    @app.task(unique=Unique("{account}"))
    def sync(account: int, full: bool = False) -> Any:
        ran.append((account, full))
        return [account, full]

    return app.tasks[sync.name]


def test_the_second_call_has_the_result_of_the_first(app: LiteQ, sync: Any, ran: list[Any]) -> None:
    first, second, other = sync.delay(7), sync.delay(account=7, full=True), sync.delay(8)
    drain(app)

    assert [each.duplicate for each in (first, second, other)] == [False, True, False]
    assert second.id == first.id
    assert second.get(timeout=0) == first.get(timeout=0) == [7, False]
    assert ran == [(7, False), (8, False)]
    assert not sync.delay(7).duplicate


def test_a_key_belongs_to_its_task(app: LiteQ, sync: Any, note: Any) -> None:
    sync.delay(7)
    assert not note.apply_async((7,), unique=Unique("7")).duplicate
    assert note.apply_async((8,), unique=Unique("7")).duplicate


def test_a_call_may_have_another_key_or_none(app: LiteQ, sync: Any, ran: list[Any]) -> None:
    sync.delay(7)

    assert not sync.apply_async((7,), unique=Unique("{account}:{full}")).duplicate
    assert not sync.apply_async((7,), unique=False).duplicate
    assert sync.apply_async((7,), unique="{account}").duplicate
    drain(app)
    assert ran == [(7, False)] * 3


def test_all_arguments_may_be_the_key(app: LiteQ, ran: list[Any]) -> None:
    @app.task(unique=True)
    def add(x: Any, y: int = 1) -> Any:
        ran.append((x, y))

    assert [add.delay(2).duplicate, add.delay(2, 1).duplicate, add.delay(x=2).duplicate] == [
        False,
        True,
        True,
    ]
    assert not add.delay(2, 2).duplicate
    assert not add.delay({"a": [1], "b": "x" * 500}).duplicate
    assert add.delay({"b": "x" * 500, "a": [1]}).duplicate
    drain(app)
    assert len(ran) == 3


def test_a_function_may_make_the_key(app: LiteQ, ran: list[Any]) -> None:
    @app.task(unique=Unique(lambda path, **_: path.lower() if path else None))
    def index(path: str, deep: bool = False) -> None:
        ran.append(path)

    found = [index.delay(path).duplicate for path in ("/A", "/a", "", "")]
    assert found == [False, True, False, False]


def test_a_refused_call_names_the_key_and_the_task(app: LiteQ, note: Any) -> None:
    rule = Unique("once", then="raise")
    first = note.apply_async(unique=rule)
    for send in (
        lambda: note.apply_async((2,), unique=rule),
        lambda: app.send_task(note.name, (2,), unique=rule),
        lambda: app.enqueue_many([note.s(3), note.s(4).set(unique=rule)]),
        lambda: group(note.s(5), note.s(6).set(unique=rule)).delay(),
        lambda: asyncio.run(as_coroutine(note.aapply_async((7,), unique=rule))),
    ):
        with pytest.raises(DuplicateTask, match=f"'once'.*{first.id}|{first.id}.*'once'") as caught:
            send()
        assert (caught.value.key, caught.value.task_id) == ("once", first.id)

    assert drain(app) == 1
    assert not note.apply_async(unique=rule).duplicate


async def as_coroutine(awaitable: Any) -> Any:
    return await awaitable


def test_many_calls_tell_which_are_duplicates(app: LiteQ, sync: Any, note: Any) -> None:
    many = sync.delay_many([(7,), (8,), (7,)])
    assert [each.duplicate for each in many] == [False, False, True]
    assert many[2].id == many[0].id

    more = app.enqueue_many([sync.s(7), sync.s(9), note.s(1), sync.s(9, True)])
    assert [each.duplicate for each in more] == [True, False, False, True]
    assert (more[0].id, more[3].id) == (many[0].id, more[1].id)
    assert drain(app) == 4


def test_coroutines_tell_as_well(app: LiteQ, sync: Any) -> None:
    async def send() -> list[Any]:
        results = [await sync.adelay(7), await sync.adelay(7), await app.asend_task(sync.name, [7])]
        return [*results, *await sync.adelay_many([(7,), (8,)])]

    first, *others, eight = asyncio.run(send())
    assert [each.duplicate for each in (first, *others, eight)] == [False, *[True] * 3, False]
    assert {each.id for each in others} == {first.id}


def test_the_newest_arguments_win(app: LiteQ, note: Any, ran: list[Any]) -> None:
    rule = Unique("newest", then="replace")
    first = note.apply_async((1,), unique=rule)
    second = note.apply_async((2,), unique=rule, countdown=0)
    drain(app)

    assert (second.id, second.duplicate) == (first.id, True)
    assert ran == [(2,)]
    assert tuple(first.get(timeout=0)) == (2,)


def test_one_runs_and_one_waits(app: LiteQ, ran: list[Any]) -> None:
    sent: list[Any] = []

    @app.task(unique=Unique("all", then="coalesce"))
    def build(n: int) -> int:
        ran.append(n)
        if n == 1:
            sent.extend(build.delay(more) for more in (2, 3, 4))
        return n

    first = build.delay(1)
    drain(app)
    assert ran == [1, 4]
    assert [each.duplicate for each in sent] == [False, True, True]
    assert first.get(timeout=0) == 1
    assert {each.id for each in sent} == {sent[0].id} != {first.id}
    assert sent[2].get(timeout=0) == 4


def test_debounced_calls_add_up(app: LiteQ, note: Any, ran: list[Any]) -> None:
    first = note.apply_async((1,), debounce=60, debounce_max=61)
    second = note.apply_async((2,), debounce=0.001)
    later = note.apply_async((3,), debounce=3600, unique=Unique("another"))

    assert [first.duplicate, second.duplicate, later.duplicate] == [False, True, False]
    while not ran:
        drain(app)
    assert ran == [(2,)]
    assert not note.apply_async((4,), debounce=3600).duplicate


def test_throttled_calls_run_at_once_and_at_the_end(app: LiteQ, note: Any, ran: list[Any]) -> None:
    first = note.apply_async((1,), throttle=0.2)
    drain(app)
    second, third = note.apply_async((2,), throttle=0.2), note.apply_async((3,), throttle=0.2)
    assert [first.duplicate, second.duplicate, third.duplicate] == [False, False, True]
    assert third.id == second.id
    while len(ran) < 2:
        drain(app)

    assert ran == [(1,), (3,)]


# workflows


def test_steps_and_members_have_the_result_of_the_task_that_has_their_key(
    app: LiteQ, sync: Any, note: Any, ran: list[Any]
) -> None:
    first = sync.delay(7)
    body = chord([sync.s(7, True), sync.s(8)], note.s()).delay()
    after = chain(sync.si(7, True), note.s("after")).delay()
    members = group(sync.s(7), sync.s(9)).delay()
    drain(app)

    assert list(first.get(timeout=0)) == [7, False]
    assert [list(each) for each in body.get(timeout=0)[0]] == [[7, False], [8, False]]
    assert [list(after.get(timeout=0)[0]), after.get(timeout=0)[1]] == [[7, False], "after"]
    assert [list(each) for each in members.get(timeout=0)] == [[7, False], [9, False]]
    assert [each.duplicate for each in members.results] == [True, False]
    assert [each for each in ran if each[0] == 7] == [(7, False)]


def test_a_chain_may_have_steps_of_one_key(app: LiteQ, sync: Any, note: Any, ran: Any) -> None:
    result = chain(sync.si(7), note.si("between"), sync.si(7, True)).delay()
    drain(app)

    assert result.get(timeout=0) == [7, True]
    assert ran == [(7, False), ("between",), (7, True)]


def test_a_failure_is_that_of_the_task_that_has_the_key(app: LiteQ, note: Any) -> None:
    @app.task(unique=Unique("one"))
    def fail() -> None:
        raise LookupError("no such thing")

    fail.delay()
    result = chord([fail.s()], note.s()).delay()
    linked = fail.s().on_error(note.si("linked")).delay()
    drain(app)

    for each in (linked, result.parent.results[0]):
        with pytest.raises(LookupError, match="no such thing"):
            each.get(timeout=0)
    with pytest.raises(Exception, match="no such thing"):
        result.get(timeout=0)


def test_an_errback_is_called_for_each_failure(app: LiteQ, ran: list[Any]) -> None:
    @app.task(unique=True)
    def tell(id: str) -> None:
        ran.append(id)

    @app.task
    def fail(n: int) -> None:
        raise ValueError(n)

    for n in range(2):
        fail.s(n).on_error(tell.s("x").clone(immutable=True)).delay()
    drain(app)
    assert len(ran) == 2


def test_a_call_of_its_own_id_keeps_that(app: LiteQ, sync: Any) -> None:
    sync.delay(7)
    mine = sync.apply_async((7, True), task_id="mine")
    assert (mine.id, mine.duplicate) == ("mine", True)
    frozen = sync.s(7)
    result = frozen.freeze()
    frozen.delay()
    drain(app)

    assert mine.get(timeout=0) == result.get(timeout=0) == [7, False]
    again = sync.apply_async((7, True), task_id="mine")
    drain(app)
    assert again.get(timeout=0) == [7, True]


def test_a_replaced_task_keeps_its_key_until_the_end(app: LiteQ, ran: list[Any]) -> None:
    @app.task(bind=True, unique=Unique("{account}"))
    def page(self: Any, account: int, n: int) -> Any:
        ran.append(n)
        if n < 3:
            assert page.delay(account, 99).duplicate
            raise self.replace(page.s(account, n + 1))
        return n

    result = page.delay(7, 1)
    drain(app)
    assert result.get(timeout=0) == 3
    assert ran == [1, 2, 3]
    assert not page.delay(7, 1).duplicate


def test_a_retry_keeps_its_key(app: LiteQ, ran: list[Any]) -> None:
    @app.task(bind=True, unique=Unique("{account}"), default_retry_delay=0)
    def flaky(self: Any, account: int) -> Any:
        ran.append(account)
        if len(ran) == 1:
            raise self.retry(args=(8,))
        assert flaky.delay(7).duplicate
        return account

    result = flaky.delay(7)
    drain(app)
    assert result.get(timeout=0) == 8
    assert not flaky.delay(7).duplicate


def test_a_key_goes_through_json(app: LiteQ, sync: Any, ran: list[Any]) -> None:
    """A signature may come as the argument of a task."""

    @app.task(serializer="json")
    def start(call: Any) -> bool:
        return signature(call, app=app).delay().duplicate

    results = [
        start.delay(sync.s(1, True).set(unique=Unique("{full}", until=60, then="replace")))
        for _ in range(2)
    ]
    drain(app)
    assert [each.get(timeout=0) for each in results] == [False, True]


# periodic tasks


def test_a_periodic_task_obeys_its_key(app: LiteQ, sync: Any, ran: list[Any]) -> None:
    app.schedules.add("nightly", 60, sync.s(7))
    first = sync.delay(7)

    def fire(id: str) -> Any:
        (entry,) = app.broker.schedules()
        after = entry._replace(runs=entry.runs + 1, last_id=id)
        return app.broker.fire([Firing(after, entry.message._replace(id=id))])

    assert [each.value for each in fire("one")] == ["held"]
    drain(app)
    assert [each.value for each in fire("two")] == ["done"]
    assert sync.delay(7).id == "two" != first.id


# what ends a key


def test_a_revoked_task_frees_its_key(app: LiteQ, sync: Any) -> None:
    first = sync.apply_async((7,), countdown=3600)
    app.control.revoke(first.id)

    assert not sync.delay(7).duplicate


def test_a_forgotten_window_is_over(app: LiteQ, note: Any) -> None:
    rule = Unique("weekly", until=7 * 86400)
    first = note.apply_async(unique=rule)
    drain(app)
    (record,) = app.broker.fetch([first.id])
    assert record is not None
    assert record.keep_until is not None
    assert record.keep_until > app.broker.clock() + 7 * 86400 - 60  # not only for `result_expires`
    assert note.apply_async(unique=rule).id == first.id
    first.forget()
    assert not note.apply_async(unique=rule).duplicate


def test_a_dead_task_that_is_run_again_has_its_key(app: LiteQ, ran: list[Any]) -> None:
    @app.task(unique=Unique("{n}"), max_retries=0, autoretry_for=(ValueError,))
    def poison(n: int) -> int:
        ran.append(n)
        if len(ran) == 1:
            raise ValueError(n)
        return n

    first = poison.delay(1)
    drain(app)
    (record,) = app.broker.fetch([first.id])
    assert record is not None
    assert record.phase is Phase.DEAD
    app.dead_letters.retry()
    assert poison.delay(1).id == first.id
    drain(app)
    assert first.get(timeout=0) == 1


def test_tasks_that_run_at_once_have_no_keys(app: LiteQ, sync: Any, ran: list[Any]) -> None:
    assert sync.apply((7,), unique=Unique("{full}"), debounce=5).get() == [7, False]
    app.conf.task_always_eager = True
    assert [sync.delay(7).get(), sync.apply_async((7,), throttle=5).get()] == [[7, False]] * 2
