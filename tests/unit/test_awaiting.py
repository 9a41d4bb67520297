"""One attempt of a coroutine that can be interrupted and ended, with its hooks and signals."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from liteq import LiteQ, Task, signals
from liteq.brokers.base import Claim
from liteq.exceptions import Ignore, Reject, Snooze, SoftTimeLimitExceeded
from liteq.model.message import Delivery
from liteq.model.outcome import Kind, Outcome
from liteq.support.driving import Driver
from liteq.support.interruption import Interruption
from liteq.worker.looprunner import LoopRunner

SOON = 20.0


@pytest.fixture
def app() -> Iterator[LiteQ]:
    with LiteQ("awaiting", broker="memory://", set_as_current=False) as app:
        yield app


@pytest.fixture
def seen() -> Iterator[list[Any]]:
    """What receivers and hooks were told, in order."""
    seen: list[Any] = []

    def prerun(**_: Any) -> None:
        seen.append("prerun")

    def postrun(state: str, **_: Any) -> None:
        seen.append(("postrun", state))

    def failure(**_: Any) -> None:
        seen.append("failure")

    signals.task_prerun.connect(prerun)
    signals.task_postrun.connect(postrun)
    signals.task_failure.connect(failure)
    yield seen
    signals.task_prerun.disconnect(prerun)
    signals.task_postrun.disconnect(postrun)
    signals.task_failure.disconnect(failure)


def delivery_of(app: LiteQ) -> Delivery:
    worker = app.broker.register("w", "{}")
    (delivery,) = app.broker.claim(Claim(worker, ("celery",), 1))
    return delivery


def outcome_of(
    app: LiteQ, task: Any, then: Callable[[Driver], object] = lambda driver: None
) -> Outcome:
    """Return the outcome of a call of `task`; `then` gets its driver while it waits."""
    task.delay()
    delivery = delivery_of(app)
    runner = LoopRunner(app, hostname="w", describe=False, report=lambda *_: None)
    assert runner.is_async(delivery)

    async def main() -> Outcome:
        driver = Driver()
        run = asyncio.create_task(runner.run_in_loop(delivery, driver))
        await asyncio.sleep(0.02)
        then(driver)
        return await asyncio.wait_for(run, SOON)

    return asyncio.run(main())


class Hooked(Task[..., Any]):
    called: list[str]

    def on_failure(self, *_: Any) -> None:
        self.called.append("on_failure")

    def after_return(self, *_: Any) -> None:
        self.called.append("after_return")


@pytest.mark.parametrize(
    ("kind", "state"), [(Kind.OVERDUE, "FAILURE"), (Kind.TERMINATED, "REVOKED")]
)
@pytest.mark.parametrize("catches", [False, True])
def test_a_task_that_is_told_to_end_calls_no_hook_and_sends_only_postrun(
    app: LiteQ, seen: list[Any], kind: Kind, state: str, catches: bool
) -> None:
    @app.task(base=Hooked)
    async def waits() -> str:
        try:
            await asyncio.sleep(SOON)
        except asyncio.CancelledError:
            if not catches:
                raise
        return "value"

    waits.called = []  # type: ignore[attr-defined]
    outcome = outcome_of(app, waits, lambda driver: driver.end(kind.value))

    assert (outcome.kind, outcome.result) == (kind, None)
    assert waits.called == []  # type: ignore[attr-defined]
    assert seen == ["prerun", ("postrun", state)]


def test_an_error_while_it_cleans_up_changes_nothing(app: LiteQ) -> None:
    @app.task(autoretry_for=(ValueError,))
    async def waits() -> None:
        try:
            await asyncio.sleep(SOON)
        finally:
            raise ValueError("the connection is gone")

    outcome = outcome_of(app, waits, lambda driver: driver.end("overdue"))
    assert outcome.kind is Kind.OVERDUE


def test_a_cancellation_that_nobody_asked_for_is_a_failure(app: LiteQ, seen: list[Any]) -> None:
    @app.task
    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(SOON)

    outcome = outcome_of(app, cancels_itself)
    assert (outcome.kind, outcome.note) == (Kind.FAILED, "CancelledError()")
    assert seen == ["prerun", "failure", ("postrun", "FAILURE")]


def test_a_soft_limit_is_raised_where_it_waits(app: LiteQ) -> None:
    @app.task(soft_time_limit=0.05)
    async def careful() -> str:
        try:
            await asyncio.sleep(SOON)
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0.01)
        return "cleaned up"

    assert outcome_of(app, careful).kind is Kind.SUCCEEDED


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (Ignore(), Kind.IGNORED),
        (Snooze(3), Kind.SNOOZED),
        (Reject(), Kind.REJECTED),
        (Reject(requeue=True), Kind.REQUEUED),
        (SystemExit(3), Kind.FAILED),
        (KeyboardInterrupt(), Kind.FAILED),
        (GeneratorExit(), Kind.FAILED),
    ],
)
def test_what_a_coroutine_raises_ends_it_as_in_other_pools(
    app: LiteQ, exc: BaseException, kind: Kind
) -> None:
    @app.task
    async def raises() -> None:
        await asyncio.sleep(0)
        raise exc

    assert outcome_of(app, raises).kind is kind


def test_an_unknown_task_is_no_coroutine_and_set_aside(app: LiteQ) -> None:
    app.send_task("unknown")
    delivery = delivery_of(app)
    runner = LoopRunner(app, hostname="w", describe=False, report=lambda *_: None)

    assert not runner.is_async(delivery)
    assert runner.run_in_thread(delivery, Interruption(ValueError)).kind is Kind.UNKNOWN
    assert asyncio.run(runner.run_in_loop(delivery, Driver())).kind is Kind.UNKNOWN
