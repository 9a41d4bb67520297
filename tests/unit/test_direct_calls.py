"""Tasks that a test of their code calls itself: `task(...)`, `push_request`."""

from typing import Any
from unittest.mock import patch

import pytest

from liteq import LiteQ
from liteq.exceptions import MaxRetriesExceededError, Reject, Retry
from liteq.testing import drain
from tests.unit.conftest import make_task


@pytest.fixture
def attempt(app: LiteQ) -> Any:
    """Make a bound task that retries, with the number of its attempt as the reason."""

    def attempt(self: Any, x: int) -> None:
        raise self.retry(args=(x + 1,), countdown=5)

    return make_task(app, attempt, bind=True, max_retries=3)


def test_a_pushed_request_is_that_of_the_task_until_it_is_popped(attempt: Any) -> None:
    attempt.push_request(id="outer", correlation_id="c")
    attempt.push_request(id="inner", retries=2, args=(1,), kwargs={}, headers={"a": 1}, tenant="x")

    request = attempt.request
    assert (request.id, request.retries, request.headers, request.tenant) == (
        *("inner", 2, {"a": 1}),
        "x",
    )
    assert request.called_directly
    attempt.pop_request()
    assert (attempt.request.id, attempt.request.correlation_id) == ("outer", "c")
    attempt.pop_request()
    assert attempt.request.id is None
    attempt.pop_request()
    assert attempt.request.id is None


def test_the_code_of_a_task_retries_in_a_pushed_request_as_in_a_worker(attempt: Any) -> None:
    attempt.push_request(id="x", called_directly=False, args=(1,), kwargs={}, retries=2)
    try:
        with pytest.raises(Retry) as retried:
            attempt.run(1)
        attempt.request.update(retries=3)
        with pytest.raises(MaxRetriesExceededError):
            attempt.run(1)
    finally:
        attempt.pop_request()

    assert retried.value.when == 5
    assert retried.value.sig.args == (2,)


def test_a_request_that_cannot_be_is_refused(attempt: Any) -> None:
    with pytest.raises(AttributeError, match="task_id"):
        attempt.push_request(task_id="x")

    assert attempt.request.id is None


def test_popping_in_a_running_task_leaves_its_own_request(app: LiteQ) -> None:
    def ids(self: Any) -> list[str | None]:
        self.push_request(id="other")
        other = self.request.id
        self.pop_request()
        self.pop_request()
        return [other, self.request.id]

    result = make_task(app, ids, bind=True).delay()
    drain(app)

    assert result.get() == ["other", result.id]


def test_a_direct_call_goes_through_retry_for_errors_in_autoretry_for(app: LiteQ) -> None:
    def read(error: Exception) -> None:
        raise error

    task = make_task(
        app, read, autoretry_for=(Exception,), dont_autoretry_for=(KeyError,), retry_backoff=True
    )

    with patch.object(task, "retry", side_effect=Retry("later")) as retry:
        with pytest.raises(Retry, match="later"):
            task(error := OSError("gone"))
        with pytest.raises(KeyError):
            task(KeyError("x"))
        with pytest.raises(Reject):
            task(Reject("x"))
    retry.assert_called_once()
    assert retry.call_args.kwargs["exc"] is error
    with pytest.raises(OSError, match="gone"):
        task(error)
