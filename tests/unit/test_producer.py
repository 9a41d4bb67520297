"""Messages made of calls: the order in which options count, and calls that are refused."""

import json
import pickle
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from liteq import LiteQ, signals
from liteq.exceptions import (
    BrokerUnavailable,
    ContentDisallowed,
    ImproperlyConfigured,
    InvalidTaskError,
    OperationalError,
    PayloadTooLarge,
    QueueNotFound,
    SerializationError,
)
from liteq.model.message import Message, new_ids
from liteq.sending.options import KNOWN, Named, check_name, check_options
from liteq.serializers import get, register_serializer, unregister
from liteq.states import Phase
from liteq.task import Task
from liteq.testing import ManualClock, MemoryBroker, drain

from .conftest import make_task, message_of


@pytest.fixture
def add(app: LiteQ) -> Task[..., Any]:
    @app.task(name="add")
    def add(x: Any = None, y: Any = None) -> Any:
        return x

    return app.tasks[add.name]


def sent(task: Task[..., Any], *args: Any, **options: Any) -> Message:
    """Return the message of a call, as the store has it."""
    return message_of(task.apply_async(args, **options))


def pickled(*args: Any) -> bytes:
    return get("pickle").dumps((args, {}))


def options_of(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.options or "{}")
    return found


# the message


def test_a_plain_call_is_a_plain_message(add: Task[..., Any]) -> None:
    message = sent(add, 2, 3)

    assert get("pickle").loads(message.payload) == ((2, 3), {})
    assert message._replace(id="", payload=b"") == Message("", "add", b"", "pickle", "celery")


def test_every_option_has_its_place(add: Task[..., Any], clock: ManualClock) -> None:
    message = sent(
        add,
        task_id="mine",
        serializer="json",
        queue="mail",
        priority=3,
        countdown=10,
        expires=60,
        retries=2,
        ignore_result=True,
        headers={"tenant": "blue"},
        time_limit=5,
        soft_time_limit=4.5,
        shadow="sum",
        reply_to="me",
    )

    assert message._replace(payload=b"", options=None) == Message(
        "mine",
        "add",
        b"",
        "json",
        "mail",
        priority=3,
        eta=clock.now + 10,
        expires=clock.now + 60,
        retries=2,
        ignore_result=True,
    )
    assert options_of(message) == {
        "headers": {"tenant": "blue"},
        "time_limit": 5,
        "soft_time_limit": 4.5,
        "ignore_result": True,
        "shadow": "sum",
        "reply_to": "me",
    }


def test_the_call_counts_before_the_task_then_the_route_then_the_settings(app: LiteQ) -> None:
    app.conf.update(task_default_queue="q4", task_default_priority=4)
    plain = app.task(name="plain")(lambda: None)
    fixed = app.task(name="fixed", queue="q2", priority=2)(lambda: None)

    def places(task: Task[..., Any], **options: Any) -> tuple[str, int]:
        message = sent(task, **options)
        return message.queue, message.priority

    assert places(plain) == ("q4", 4)
    app.conf.task_routes = {"*": {"queue": "q3", "priority": 3}}
    assert places(plain) == ("q3", 3)
    assert places(fixed) == ("q2", 2)
    assert places(fixed, queue="q1", priority=1) == ("q1", 1)
    assert places(plain, queue=None, priority=0) == ("q3", 0)


def test_a_route_may_set_any_option(app: LiteQ, add: Task[..., Any]) -> None:
    app.conf.task_routes = {"add": {"serializer": "json", "routing_key": "r", "exchange": "e"}}

    assert sent(add).serializer == "json"
    assert sent(add).queue == "r"


def test_a_route_with_a_wrong_option_says_so(app: LiteQ, add: Task[..., Any]) -> None:
    app.conf.task_routes = {"add": {"qeue": "x"}}

    with pytest.raises(TypeError, match="'qeue'; did you mean 'queue'"):
        add.delay()


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("task_serializer", "serializer", "json"),
        ("task_ignore_result", "ignore_result", True),
        ("task_track_started", "track_started", True),
        ("task_acks_late", "acks_late", False),
        ("task_default_priority", "priority", 9),
    ],
)
def test_settings_are_read_when_a_task_is_sent(
    app: LiteQ, add: Task[..., Any], setting: str, field: str, value: Any
) -> None:
    assert getattr(sent(add), field) != value
    app.conf[setting] = value
    assert getattr(sent(add), field) == value


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("serializer", "json"),
        ("ignore_result", True),
        ("track_started", True),
        ("acks_late", False),
        ("priority", 9),
        ("queue", "mine"),
        ("expires", 30),
    ],
)
def test_a_task_has_its_own_options(app: LiteQ, option: str, value: Any) -> None:
    task = make_task(app, lambda: None, name="own", **{option: value})
    expected = value if option != "expires" else app.broker.clock() + 30

    assert getattr(sent(task), option) == expected


def test_an_explicit_no_of_the_call_counts(app: LiteQ) -> None:
    app.conf.task_ignore_result = True
    task = app.task(name="t", expires=5)(lambda: None)

    message = sent(task, ignore_result=False, expires=None)

    assert (message.ignore_result, message.expires) == (False, None)


def test_an_eta_is_a_moment(add: Task[..., Any]) -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    assert sent(add, eta=moment).eta == moment.timestamp()
    assert sent(add, expires=moment).expires == moment.timestamp()


# sent by a task


@pytest.fixture
def family(app: LiteQ) -> list[Message]:
    """Return the messages that a child task sends: itself, and in a direct call that it makes."""
    found: list[Message] = []

    @app.task
    def child() -> None: ...

    @app.task
    def caller() -> None:
        found.append(sent(child))

    @app.task
    def parent() -> None:
        found.append(sent(child))
        caller()

    @app.task
    def root() -> None:
        parent.apply_async(task_id="parent", priority=5)

    root.apply_async(task_id="root")
    drain(app)
    return found


def test_a_task_knows_who_sent_it_and_what_it_all_began_with(family: list[Message]) -> None:
    assert [options_of(message) for message in family] == [
        {"root_id": "root", "parent_id": "parent"}
    ] * 2


def test_priority_is_inherited_only_if_the_settings_say_so(
    app: LiteQ, family: list[Message]
) -> None:
    assert [message.priority for message in family] == [0, 0]


def test_inherited_priority(app: LiteQ) -> None:
    app.conf.task_inherit_parent_priority = True
    found = []

    @app.task
    def child() -> None: ...

    @app.task
    def parent() -> None:
        found.append((sent(child).priority, sent(child, priority=1).priority))

    parent.apply_async(priority=5)
    drain(app)

    assert found == [(5, 1)]


# what is refused


def test_an_argument_that_cannot_be_sent_is_named(add: Task[..., Any], app: LiteQ) -> None:
    with pytest.raises(SerializationError, match=r"cannot send add: args\[1\]: .*generator"):
        add.delay(1, (n for n in [1]))
    with pytest.raises(SerializationError, match=r"cannot send add: kwargs\['y'\]: "):
        add.delay(1, y=lambda: None)
    assert app.broker.counts() == []


def test_arguments_that_are_only_together_too_deep_are_refused_as_well(add: Task[..., Any]) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(SerializationError, match="cannot send add"):
        add.delay(deep)


def test_a_payload_over_the_limit_is_refused(app: LiteQ, add: Task[..., Any]) -> None:
    app.conf.max_payload_size = 1000

    with pytest.raises(PayloadTooLarge, match="max_payload_size is 1000"):
        add.delay("x" * 1000)
    add.delay("x" * 900)


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00b", "\x1b[31m", "\u202e", "x" * 256, 5, None])
def test_what_is_no_name_is_refused_for_tasks_queues_and_ids(name: Any) -> None:
    with pytest.raises(InvalidTaskError, match="cannot be a task name"):
        check_name("task name", name)
    with pytest.raises(InvalidTaskError, match="cannot be a task name"):
        Named(name)


@pytest.mark.parametrize("name", ["a", "proj.täsk", "run-1:2", "with space", "x" * 255])
def test_any_printable_name_will_do(name: str) -> None:
    assert check_name("task name", name) == name


@pytest.mark.parametrize("option", ["task_id", "queue"])
def test_a_call_with_a_bad_name_is_refused(add: Task[..., Any], option: str) -> None:
    with pytest.raises(InvalidTaskError, match="printable"):
        sent(add, **{option: "a\nb"})


@pytest.mark.parametrize("priority", ["high", 1.5, 2**31])
def test_a_priority_is_an_integer(add: Task[..., Any], priority: Any) -> None:
    with pytest.raises(InvalidTaskError, match="priority"):
        add.apply_async(priority=priority)


def test_headers_must_be_json(add: Task[..., Any]) -> None:
    with pytest.raises(SerializationError, match="headers"):
        add.apply_async(headers={"x": object()})


def test_a_misspelt_option_names_the_nearest() -> None:
    with pytest.raises(TypeError, match="'countdwn'; did you mean 'countdown'"):
        check_options({"countdwn": 5})
    with pytest.raises(TypeError, match=r"'qwertz'$"):
        check_options({"qwertz": 5})
    check_options(dict.fromkeys(KNOWN))


def test_options_of_celery_without_a_meaning_are_taken(add: Task[..., Any]) -> None:
    add.apply_async(exchange="e", compression="zlib", connection=None, add_to_parent=False)


def test_an_unknown_serializer_is_named(add: Task[..., Any]) -> None:
    with pytest.raises(ImproperlyConfigured, match="yaml"):
        add.apply_async(serializer="yaml")


@pytest.mark.parametrize(
    ("accept", "serializer"),
    [
        (None, "pickle"),  # that of the store
        (["json"], "json"),
        (["application/json"], "json"),
        (["json", "pickle"], "pickle"),
    ],
)
def test_the_serializer_follows_what_is_accepted(
    app: LiteQ, add: Task[..., Any], accept: Any, serializer: str
) -> None:
    app.conf.accept_content = accept

    result = add.delay(2, 3)
    message = message_of(result)
    drain(app)

    (record,) = app.broker.fetch([result.id])
    assert record is not None
    assert (message.serializer, record.result_serializer) == (serializer, serializer)
    assert result.get(timeout=0) == 2


def test_accepted_serializers_that_are_not_there_are_left_out_with_one_warning(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf["accept_content"] = ["yaml", "application/x-msgpack", "json"]

    with pytest.warns(
        UserWarning, match=r"yaml, application/x-msgpack: left out.*register_"
    ) as seen:
        result = add.delay(2, 3)
    add.delay(3, 4)  # without another warning
    drain(app)

    assert len(seen) == 1
    assert (message_of(result).serializer, result.get(timeout=0)) == ("json", 2)


def test_a_serializer_that_is_registered_later_is_accepted(
    app: LiteQ, add: Task[..., Any], request: pytest.FixtureRequest
) -> None:
    app.conf["accept_content"] = ["late", "json"]
    with pytest.warns(UserWarning, match="late: left out"):
        add.delay(2, 3)
    request.addfinalizer(lambda: unregister("late"))

    register_serializer("late", pickle.dumps, pickle.loads)

    assert message_of(add.apply_async((2, 3), serializer="late")).serializer == "late"


def test_no_usable_serializer_among_the_accepted_is_an_error(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf["accept_content"] = ["yaml"]

    with pytest.raises(ImproperlyConfigured, match=r"no serializer 'yaml'.*register_serializer"):
        add.delay(2, 3)


def test_a_misspelt_accepted_serializer_is_an_error(app: LiteQ, add: Task[..., Any]) -> None:
    app.conf["accept_content"] = ["jsn", "pickle"]

    with pytest.raises(ImproperlyConfigured, match="no serializer 'jsn'; did you mean 'json'"):
        add.delay(2, 3)


def test_results_may_be_accepted_in_another_serializer_between_tasks_too(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf.update(accept_content=["json"], result_accept_content=["pickle"])

    result = (add.s(2, 3) | add.s(4)).delay()
    drain(app)

    assert message_of(result).serializer == "json"
    assert result.get(timeout=0) == 2


def test_what_no_worker_of_these_settings_decodes_is_refused_when_it_is_sent(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf["accept_content"] = ["json"]
    with pytest.raises(
        ContentDisallowed, match=r"cannot send add .*'pickle'.* only json\..*Add it"
    ):
        add.apply_async((1, 2), serializer="pickle")
    with pytest.raises(ContentDisallowed):
        make_task(app, lambda: None, serializer="pickle", name="job").delay()
    app.conf.task_serializer = "pickle"
    with pytest.raises(ContentDisallowed):
        app.send_task("elsewhere")
    app.conf.update(accept_content=None, task_serializer="json", result_serializer="json")
    with pytest.raises(ContentDisallowed, match="only json"):
        add.apply_async((1, 2), serializer="pickle")

    app.conf.update(accept_content=[])
    with pytest.raises(ContentDisallowed, match=r"decode nothing\. Add it"):
        add.delay(1, 2)
    app.conf.update(accept_content=[], task_serializer=None, result_serializer=None)
    with pytest.raises(ContentDisallowed, match=r"decode nothing\. Add it"):
        add.delay(1, 2)

    assert app.broker.counts() == []


def test_a_result_serializer_that_is_not_accepted_refuses_calls_and_stops_the_worker(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf.update(accept_content=["json"], result_serializer="pickle")

    with pytest.raises(ImproperlyConfigured, match=r"'pickle'.* only json in results: add it to"):
        add.delay(1, 2)
    assert app.broker.counts() == []
    with pytest.raises(ImproperlyConfigured, match=r"'pickle'.* only json in results: add it to"):
        app.Worker(pool="solo").run()


def test_without_missing_queues_only_known_ones_are_sent_to(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf.update(task_create_missing_queues=False, task_queues=["mail"])

    assert sent(add, queue="mail").queue == "mail"
    assert sent(add).queue == "celery"
    with pytest.raises(QueueNotFound, match="'other'"):
        add.apply_async(queue="other")


# what is kept from one call to the next


def test_a_changed_setting_counts_for_the_next_call(app: LiteQ, add: Task[..., Any]) -> None:
    for queue in ("first", "second"):
        app.conf.task_default_queue = queue
        assert [sent(add).queue, sent(add).queue] == [queue, queue]
    del app.conf["task_default_queue"]
    assert sent(add).queue == "celery"


def test_a_changed_option_of_the_task_counts_for_the_next_call(add: Task[..., Any]) -> None:
    for priority in (1, 2):
        add.priority = priority
        assert [sent(add).priority, sent(add).priority] == [priority, priority]
    add.expires = 60
    first, second = sent(add).expires, sent(add).expires
    assert first is not None
    assert second is not None


def test_a_serializer_of_the_same_name_counts_from_when_it_is_registered(
    app: LiteQ, add: Task[..., Any]
) -> None:
    app.conf.update(task_serializer="own", accept_content=["own", "json"])
    try:
        register_serializer("own", lambda _: b"old", bytes)
        assert [sent(add).payload, sent(add).payload] == [b"old", b"old"]
        register_serializer("own", lambda _: b"new", bytes)
        assert [sent(add).payload, sent(add).payload] == [b"new", b"new"]
    finally:
        unregister("own")


def test_a_call_from_a_task_has_its_lineage_and_the_next_from_elsewhere_has_not(
    app: LiteQ, add: Task[..., Any]
) -> None:
    @app.task
    def outer() -> None:
        add.delay(1)
        add.delay_many([(2,), (3,)])

    add.delay(0)
    outer.delay()
    drain(app)
    add.delay(4)

    messages = [each.message for each in app.broker.listing([Phase.READY, Phase.SUCCEEDED], 99)]
    from_task = {each.payload: each.options is not None for each in messages if each.task == "add"}
    expected = {0: False, 1: True, 2: True, 3: True, 4: False}
    assert from_task == {pickled(n): inside for n, inside in expected.items()}


def test_ids_that_are_made_together_are_different_and_in_order() -> None:
    ids = list(islice(new_ids(), 1000))

    assert ids == sorted(set(ids))
    assert {uuid.UUID(id).version for id in ids} == {7}
    assert set(ids).isdisjoint(islice(new_ids(), 1000))


# publishing


class Away(MemoryBroker):
    """A store that does not answer the first times."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.durable: list[bool] = []

    def enqueue(self, messages: Any, *, durable: bool = False) -> Any:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailable("away")
        self.durable.append(durable)
        return super().enqueue(messages, durable=durable)

    def enqueue_or_replace(self, message: Any, sent: float, *, durable: bool = False) -> bool:
        stored = super().enqueue_or_replace(message, sent, durable=durable)
        if self.failures:  # the reply is lost
            self.failures -= 1
            raise BrokerUnavailable("away")
        return stored


QUICK = {"max_retries": 3, "interval_start": 0, "interval_step": 0.001, "interval_max": 0.001}


def test_a_store_that_is_away_is_tried_again() -> None:
    app = LiteQ("x", broker=Away(3), set_as_current=False, task_publish_retry_policy=QUICK)

    result = app.send_task("t")

    assert result.exists()


def test_a_call_with_an_id_is_sent_once_though_a_reply_is_lost() -> None:
    app = LiteQ("x", broker=Away(1), set_as_current=False, task_publish_retry_policy=QUICK)

    result = app.send_task("t", task_id="mine")

    assert result.exists()
    assert not result.duplicate


def test_a_store_that_stays_away_is_an_error() -> None:
    store = Away(5)
    app = LiteQ("x", broker=store, set_as_current=False)

    with pytest.raises(BrokerUnavailable):
        app.send_task("t", retry_policy=QUICK)
    assert store.failures == 1


def test_without_retry_the_first_error_counts() -> None:
    store = Away(1)
    app = LiteQ("x", broker=store, set_as_current=False)

    with pytest.raises(OperationalError):  # Celery's name
        app.send_task("t", retry=False)
    app.send_task("t")


def test_durable_reaches_the_store() -> None:
    store = Away(0)
    app = LiteQ("x", broker=store, set_as_current=False)

    app.send_task("t", durable=True)
    app.send_task("t")
    app.enqueue_many([app.signature("t")], durable=True)

    assert store.durable == [True, False, True]


# signals around sending


@pytest.fixture
def received() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def before(**named: Any) -> None:
        named["headers"].setdefault("trace", "abc")
        found.append(named)

    def after(**named: Any) -> None:
        found.append(named)

    signals.before_task_publish.connect(before)
    signals.after_task_publish.connect(after)
    yield found
    signals.before_task_publish.disconnect(before)
    signals.after_task_publish.disconnect(after)


def test_both_signals_are_sent_with_the_message(
    received: list[dict[str, Any]], add: Task[..., Any]
) -> None:
    result = add.apply_async((2,), {"y": 3}, queue="mail", priority=4)

    before, after = received
    assert before["sender"] == after["sender"] == "add"
    assert before["body"] == after["body"] == ((2,), {"y": 3}, {})
    assert before["routing_key"] == after["routing_key"] == "mail"
    assert before["properties"] == {"correlation_id": result.id, "priority": 4}
    assert (after["headers"]["id"], after["headers"]["task"]) == (result.id, "add")
    assert after["headers"]["root_id"] == result.id


def test_a_header_that_a_receiver_adds_reaches_the_task(
    received: list[dict[str, Any]], app: LiteQ
) -> None:
    @app.task(bind=True)
    def look(self: Any) -> Any:
        return self.request.headers, self.request.trace

    result = look.apply_async(headers={"tenant": "blue"})
    drain(app)

    assert result.get(timeout=0) == ({"tenant": "blue", "trace": "abc"}, "abc")


@pytest.fixture
def before_publish() -> Iterator[list[Any]]:
    """Return a list of receivers of `before_task_publish`."""
    receivers: list[Any] = []

    def receive(**named: Any) -> None:
        for each in receivers:
            each(named["body"], named["headers"], named["properties"])

    signals.before_task_publish.connect(receive)
    yield receivers
    signals.before_task_publish.disconnect(receive)


def test_what_receivers_leave_of_the_body_is_sent(
    before_publish: list[Any], add: Task[..., Any]
) -> None:
    before_publish.append(lambda body, *_: body[1].update(y=[*body[1]["y"], "more"], x=5))
    kwargs = {"y": [1]}
    result = add.apply_async(kwargs=kwargs)

    assert result.kwargs == {"y": [1, "more"], "x": 5}
    assert kwargs == {"y": [1]}  # the caller's own
    before_publish.append(lambda body, *_: body[0].append(2))
    assert add.apply_async([1], {"y": []}).args == [1, 2]


def test_what_receivers_leave_of_the_headers_is_sent(
    before_publish: list[Any], add: Task[..., Any]
) -> None:
    def change(body: Any, headers: Any, properties: Any) -> None:
        del headers["gone"]
        headers["tenant"] = "red"
        headers.update(task="other", shadow=None, retries=2, ignore_result=True)
        headers.update(timelimit=[20, 10], eta="2030-01-01T00:00:00+00:00", expires=2e9)
        properties["priority"] = 7

    before_publish.append(change)
    message = sent(add, 1, shadow="dark", headers={"gone": 1, "tenant": "blue", "id": "mine"})

    assert (message.task, message.retries, message.ignore_result) == ("other", 2, True)
    assert (message.eta, message.expires, message.priority) == (1893456000.0, 2e9, 7)
    assert options_of(message) == {
        "time_limit": 20,
        "soft_time_limit": 10,
        "headers": {"tenant": "red", "id": "mine"},
    }


def test_receivers_that_change_nothing_change_nothing(
    before_publish: list[Any], add: Task[..., Any], clock: ManualClock
) -> None:
    options: dict[str, Any] = {
        "headers": {"shadow": "mine", "a": 1},
        "expires": 60,
        "priority": 3,
        "task_id": "mine",
        "time_limit": 5,
    }
    plain = add.app.producer.template(add, (1,), {}, options)
    before_publish.append(lambda *_: None)

    assert add.app.producer.message(add, (1,), {}, options) == plain


@pytest.mark.parametrize(
    ("header", "value", "words"),
    [
        ("id", "other", "changes the id of add"),
        ("eta", "soon", "eta is 'soon'"),
        ("task", "", "cannot be a task name"),
    ],
)
def test_what_a_receiver_leaves_that_cannot_be_sent_is_an_error(
    before_publish: list[Any], add: Task[..., Any], header: str, value: Any, words: str
) -> None:
    before_publish.append(lambda body, headers, properties: headers.update({header: value}))

    with pytest.raises(InvalidTaskError, match=words):
        add.delay()
