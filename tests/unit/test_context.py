"""`self.request`: the facts about a run."""

import threading
from typing import Any

import pytest

from liteq import LiteQ
from liteq.execution.context import NO_TASK, Context, current, current_run, enter, leave
from liteq.model.message import Delivery, Message, Receipt
from liteq.testing import drain

MESSAGE = Message(
    "task-1",
    "project.add",
    b"",
    "json",
    "mail",
    priority=7,
    eta=1_000_000_000.0,
    expires=1_000_000_060.5,
    retries=2,
    ignore_result=True,
    options=(
        '{"headers":{"tenant":"blue"},"root_id":"root","parent_id":"parent","time_limit":5,'
        '"shadow":"sum","reply_to":"me","argsrepr":"(...)"}'
    ),
)


def of(message: Message, lost: int = 0) -> Context:
    return Context(Delivery(message, Receipt(1, 1), lost=lost), (2, 3), {"z": 4}, "worker@host")


def test_a_request_has_what_was_sent() -> None:
    request = of(MESSAGE)

    assert (request.id, request.task, request.args, request.kwargs) == (
        "task-1",
        "project.add",
        (2, 3),
        {"z": 4},
    )
    assert (request.retries, request.hostname, request.ignore_result) == (2, "worker@host", True)
    assert request.eta == "2001-09-09T01:46:40+00:00"
    assert request.expires == "2001-09-09T01:47:40.500000+00:00"
    assert (request.root_id, request.parent_id, request.shadow) == ("root", "parent", "sum")
    assert (request.reply_to, request.argsrepr, request.kwargsrepr) == ("me", "(...)", None)
    assert request.headers == {"tenant": "blue"}
    assert not request.called_directly


def test_delivery_info_has_the_keys_of_celery() -> None:
    assert of(MESSAGE).delivery_info == {
        "exchange": "",
        "routing_key": "mail",
        "priority": 7,
        "redelivered": False,
    }
    assert (of(MESSAGE, lost=1).delivery_info or {})["redelivered"]


def test_a_task_that_no_task_sent_is_its_own_root() -> None:
    request = of(MESSAGE._replace(options=None))

    assert (request.root_id, request.parent_id) == ("task-1", None)
    assert (request.headers, request.correlation_id) == (None, "task-1")


def test_limits_are_those_of_the_call_and_else_those_of_the_task() -> None:
    class Limited:
        time_limit = 60
        soft_time_limit = 50

    task: Any = Limited()
    request = of(MESSAGE)
    request.running = task

    assert request.timelimit == (5, 50)
    assert (request.time_limit, request.soft_time_limit) == (5, 50)


def test_headers_are_attributes_as_well() -> None:
    request = of(MESSAGE)

    assert request.get("tenant") == "blue"
    assert request.get("landlord", "nobody") == "nobody"
    with pytest.raises(AttributeError, match="landlord"):
        request.landlord  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "name",
    [
        *("id", "args", "kwargs", "eta", "expires", "hostname", "group", "group_index", "chord"),
        *("chain", "callbacks", "errbacks", "root_id", "parent_id", "origin", "correlation_id"),
        *("reply_to", "headers", "properties", "delivery_info", "time_limit", "soft_time_limit"),
        *("shadow", "stamped_headers", "stamps", "task", "argsrepr", "kwargsrepr"),
    ],
)
def test_outside_a_task_an_attribute_is_none(name: str) -> None:
    assert getattr(Context(), name) is None


def test_outside_a_task_the_rest_has_its_default() -> None:
    request = Context()

    assert request.called_directly
    assert not request.is_eager
    assert (request.retries, request.replaced_task_nesting) == (0, 0)
    assert request.timelimit == (None, None)
    assert (request.children, request.ignore_result) == ([], False)


def test_a_request_may_be_written_on() -> None:
    request = of(MESSAGE)
    request.retries = 9
    request.callbacks = ["x"]

    assert (request.retries, request.callbacks) == (9, ["x"])


def test_the_current_request_is_that_of_this_thread() -> None:
    seen = []
    token = enter(of(MESSAGE))
    try:
        thread = threading.Thread(target=lambda: seen.append(current.get()))
        thread.start()
        thread.join()
        assert current.get().id == "task-1"
    finally:
        leave(token)

    assert seen == [NO_TASK]
    assert current.get() is NO_TASK


def test_a_direct_call_is_not_the_sender() -> None:
    request = of(MESSAGE)
    assert current_run() is None
    outer = enter(request)
    task: Any = "task"
    inner = enter(Context.of_direct_call(task, (), {}))
    try:
        assert current.get().called_directly
        assert current_run() is request
    finally:
        leave(inner)
        leave(outer)


def test_its_repr_names_the_task_and_the_call() -> None:
    shown = repr(of(MESSAGE))

    assert shown.startswith("<Context: {'id': 'task-1', 'task': 'project.add', 'args': (2, 3), ")
    for field in ("'retries': 2", "'hostname': 'worker@host'", "'headers': {'tenant': 'blue'}"):
        assert field in shown
    assert repr(Context()).startswith("<Context: {'id': None, ")


def test_a_state_of_no_task_is_an_error_that_tells_what_to_pass(app: LiteQ) -> None:
    errors = []

    def helper(progress: Any, id: str | None) -> None:
        try:
            progress.update_state(state="HALF", meta=50, task_id=id)
        except RuntimeError as exc:
            errors.append(str(exc))

    @app.task(bind=True, name="progress")
    def progress(self: Any, named: bool) -> None:
        id = self.request.id if named else None
        thread = threading.Thread(target=helper, args=(self, id))  # it has no context
        thread.start()
        thread.join()

    with pytest.raises(RuntimeError, match=r"progress.update_state: no task runs .* pass task_id="):
        progress.update_state(state="HALF")
    for named in (True, False):
        progress.delay(named)
    drain(app)
    assert len(errors) == 1
