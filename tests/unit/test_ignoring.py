"""A task that gives itself a state, and then wants to be left as it is: `raise Ignore`."""

from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import Ignore, TaskRevokedError
from liteq.testing import drain


def ignored_after(app: LiteQ, state: str | None, meta: Any) -> Any:
    @app.task(bind=True)
    def work(self: Any) -> None:
        self.update_state(state="BEFORE", meta=1)
        if state is not None:
            self.update_state(state=state, meta=meta)
        raise Ignore

    result = work.delay()
    drain(app)
    return result


def test_an_ignored_task_keeps_the_state_that_it_gave_itself_last(app: LiteQ) -> None:
    result = ignored_after(app, "SKETCHED", {"pages": 3})

    assert (result.state, result.info, result.ready()) == ("SKETCHED", {"pages": 3}, True)
    assert (result.successful(), result.failed()) == (False, False)
    assert result.get(timeout=0) == {"pages": 3}


def test_an_ignored_task_that_said_it_succeeded_did(app: LiteQ) -> None:
    result = ignored_after(app, "SUCCESS", 42)

    assert (result.successful(), result.get(timeout=0)) == (True, 42)


@pytest.mark.parametrize(
    ("meta", "kind", "text"),
    [
        (
            {"exc_type": "OutOfInk", "exc_message": ["no", "ink"]},
            "OutOfInk",
            r"OutOfInk('no\nink')",
        ),
        (
            {"exc_type": "OutOfInk", "exc_message": "no ink", "at": 3},
            "OutOfInk",
            "OutOfInk('no ink')",
        ),
        (LookupError("no ink"), "LookupError", "no ink"),
        ("no ink", "TaskError", "no ink"),
    ],
    ids=["Celery's way", "as one text", "an exception", "a text"],
)
def test_an_ignored_task_that_said_it_failed_did(
    app: LiteQ, meta: Any, kind: str, text: str
) -> None:
    result = ignored_after(app, "FAILURE", meta)

    assert (result.state, result.failed()) == ("FAILURE", True)
    assert (type(result.info).__name__, str(result.info)) == (kind, text)
    with pytest.raises(Exception, match="ink") as caught:
        result.get(timeout=0)
    assert type(caught.value).__name__ == kind


def test_an_ignored_task_that_said_it_was_revoked_was(app: LiteQ) -> None:
    result = ignored_after(app, "REVOKED", None)

    assert result.state == "REVOKED"
    with pytest.raises(TaskRevokedError):
        result.get(timeout=0)


@pytest.mark.parametrize(("state", "after"), [("HALFWAY", "REVOKED"), ("FAILURE", "FAILURE")])
def test_what_comes_after_it_does_not_run(app: LiteQ, state: str, after: str) -> None:
    ran = []

    @app.task(bind=True)
    def work(self: Any) -> None:
        self.update_state(state=state, meta="no ink")
        raise Ignore

    @app.task
    def note(x: Any) -> None:
        ran.append(x)

    result = (work.s() | note.s()).apply_async()
    drain(app)

    assert (ran, result.state) == ([], after)


def test_a_state_that_an_earlier_attempt_reported_is_dropped(app: LiteQ) -> None:
    @app.task(bind=True)
    def work(self: Any) -> None:
        if not self.request.retries:
            self.update_state(state="FAILURE", meta=1)
            raise self.retry(countdown=0)
        raise Ignore

    result = work.delay()
    drain(app)

    assert (result.ready(), result.info, result.failed()) == (True, None, False)


def test_of_an_ignored_task_without_a_state_nothing_is_stored(app: LiteQ) -> None:
    @app.task
    def work() -> None:
        raise Ignore

    result = work.delay()
    drain(app)

    assert (result.state, result.info, result.get(timeout=0)) == ("SUCCESS", None, None)
