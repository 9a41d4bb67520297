"""Sent tasks as jobs: listed, explained and acted on."""

from datetime import UTC, datetime
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers import batches
from liteq.brokers.base import Claim
from liteq.brokers.memory import MemoryBroker
from liteq.model.job import Job
from liteq.testing import ManualClock, drain
from tests.unit.conftest import make_task


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


@pytest.fixture
def app(clock: ManualClock) -> LiteQ:
    app = LiteQ("shop", broker=MemoryBroker(clock), set_as_current=False)

    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    @app.task(name="fail")
    def fail(text: str) -> None:
        raise ValueError(text)

    return app


def send(app: LiteQ, name: str, *args: Any, **options: Any) -> str:
    return str(app.send_task(name, args, **options).id)


def ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


def test_a_job_tells_what_was_sent_and_what_became_of_it(app: LiteQ, clock: ManualClock) -> None:
    id = send(app, "add", 1, kwargs={"y": 2}, queue="sums", priority=3)
    waiting = app.jobs.get(id)
    clock.advance(5.0)
    drain(app)
    done = app.jobs.get(id)

    assert waiting is not None
    assert done is not None
    assert waiting[:6] == (id, "add", "ready", "sums", "1, y=2", 3)
    assert (waiting.sent, waiting.started, waiting.result) == (1000.0, None, None)
    assert waiting.runtime is None
    assert (done.state, done.result, done.error, done.started) == ("succeeded", "3", None, 1005.0)
    assert done.runtime == 0.0
    assert app.jobs.get("unknown") is None


def test_an_error_is_told_in_one_line(app: LiteQ) -> None:
    id = send(app, "fail", "no money")
    drain(app)
    job = app.jobs.get(id)
    assert job is not None
    assert (job.state, job.error, job.result) == ("failed", "ValueError('no money')", None)
    assert "in fail" in (job.traceback or "")


def test_jobs_are_listed_newest_first_a_page_at_a_time(app: LiteQ) -> None:
    sent = [send(app, "add", n) for n in range(5)]
    first = app.jobs.list(limit=2)
    second = app.jobs.list(limit=2, before=first[-1])
    third = app.jobs.list(limit=2, before=second[-1].id)
    assert ids(first + second + third) == sent[::-1]


def test_a_page_begins_where_the_one_before_ended_though_its_last_job_is_gone(app: LiteQ) -> None:
    sent = [send(app, "add", n) for n in range(5)]
    last = app.jobs.list(limit=2)[-1]
    drain(app)
    app.jobs.delete([last.id])

    assert ids(app.jobs.list(before=last)) == sent[2::-1]
    with pytest.raises(LookupError, match=f"knows no job {last.id} any more"):
        app.jobs.list(before=last.id)


def test_a_list_has_what_fits_all_filters(app: LiteQ, clock: ManualClock) -> None:
    old = send(app, "add", 1)
    clock.advance(60.0)
    bad = send(app, "fail", "no money", headers={"customer": 7})
    drain(app)
    new = send(app, "add", 2, queue="mail")

    assert ids(app.jobs.list(state="failed")) == [bad]
    assert ids(app.jobs.list(state="FAILURE")) == [bad]
    assert ids(app.jobs.list(state=["succeeded", "ready"])) == [new, old]
    assert ids(app.jobs.list(state="PENDING")) == [new]
    assert ids(app.jobs.list(queue="mail")) == [new]
    assert ids(app.jobs.list(task="add")) == [new, old]
    assert ids(app.jobs.list(header={"customer": 7})) == [bad]
    assert ids(app.jobs.list(text="no money")) == [bad]
    assert ids(app.jobs.list(since=1060.0)) == [new, bad]
    assert ids(app.jobs.list(since=datetime.fromtimestamp(1060, UTC), task="add")) == [new]
    assert app.jobs.counts() == {
        "celery": {"succeeded": 1, "failed": 1},
        "mail": {"ready": 1},
    }


def test_an_unknown_state_is_refused_with_those_that_there_are(app: LiteQ) -> None:
    with pytest.raises(ValueError, match="no state 'bad'; known are waiting, scheduled"):
        app.jobs.list(state="bad")


def test_jobs_that_failed_are_retried_by_id_or_by_what_they_have_in_common(app: LiteQ) -> None:
    failed = [send(app, "fail", "x") for _ in range(3)]
    good = send(app, "add", 1)
    drain(app)

    assert app.jobs.retry([failed[0], good]) == [failed[0]]
    assert app.jobs.retry(task="fail") == failed[1:]
    assert ids(app.jobs.list(state="ready")) == failed[::-1]


def test_jobs_that_wait_are_cancelled(app: LiteQ) -> None:
    first, second = (send(app, "add", n, queue=queue) for n, queue in enumerate(("a", "b")))
    assert app.jobs.cancel(queue="b") == [second]
    assert app.jobs.cancel([first, second]) == [first]
    assert ids(app.jobs.list(state="REVOKED")) == [second, first]


def test_jobs_that_have_ended_are_deleted_and_others_stay(app: LiteQ) -> None:
    done = [send(app, "add", n) for n in range(1200)]
    drain(app)
    waiting = send(app, "add", 1)
    assert app.jobs.delete(task="add") == len(done)
    assert ids(app.jobs.list()) == [waiting]


@pytest.mark.parametrize("verb", ["retry", "cancel", "delete"])
def test_all_jobs_are_never_meant_by_nothing(app: LiteQ, verb: str) -> None:
    with pytest.raises(TypeError, match="give either the ids of jobs, or what they have in common"):
        getattr(app.jobs, verb)()


def test_why_says_what_a_job_waits_for_or_how_it_ended(app: LiteQ, clock: ManualClock) -> None:
    ready = send(app, "add", 1)
    later = send(app, "add", 1, countdown=60)
    revoked = send(app, "add", 1)
    app.control.revoke(revoked)
    steps = app.signature("fail", ("no",)) | app.signature("add", (2,), immutable=True)
    last = steps.apply_async()
    why = app.jobs.why

    assert why(ready) == "no worker serves the queue 'celery'"
    assert why(later) == "it waits for its time, 1970-01-01 00:17:40 UTC"
    assert why(revoked) == "it was revoked"
    assert why(last.id) == f"it waits for the end of the task {last.parent.id}"
    other = '{"queues": ["celery"], "tasks": ["other"], "claims": "known"}'
    number = app.broker.register("w1", other)
    assert why(ready) == "no live worker knows the task 'add'"
    app.broker.unregister(number)
    app.broker.register("w2", '{"queues": ["celery"], "tasks": ["add"]}')
    assert why(ready) == "it waits in the queue 'celery' for a free slot of w2"
    drain(app)
    assert "ran it, and it succeeded" in why(ready)
    assert why(last.parent.id) == "it failed: ValueError('no')"
    assert why(last.id) == f"the task {last.parent.id}, which it depends on, failed"
    assert why("unknown") == "memory:// knows no task unknown: never sent there, or deleted since"


def test_why_says_what_keeps_a_task_whose_time_is_over(app: LiteQ, clock: ManualClock) -> None:
    def nap(self: Any) -> None:
        if not self.request.retries:
            raise self.retry(countdown=0)
        self.sleep("nap", seconds=60)
        self.wait_for("key")

    make_task(app, nap, name="nap", bind=True)
    id = app.send_task("nap").id
    drain(app)
    until = "it sleeps until 1970-01-01 00:17:40 UTC"
    earlier = "; it was started 2 times before: an earlier attempt was to be retried"
    assert app.jobs.why(id).startswith(until + earlier)

    clock.advance(60)
    unserved = "no worker serves the queue 'celery'"
    assert app.jobs.why(id).startswith(f"{until}, which is over: {unserved}{earlier}")


def test_many_are_changed_in_batches(app: LiteQ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_BATCH", 2)
    sent = [send(app, "add", n) for n in range(5)]
    app.broker.claim(Claim(app.broker.register("w", "{}"), ("celery",), 3))

    assert app.control.revoke_by_name("add") == sent  # those that run stay in the listing
    sent += [send(app, "add", n) for n in range(5)]
    assert app.jobs.cancel(task="add") == sent[:3] + sent[5:]
    assert app.jobs.delete(state="cancelled") == 7


@pytest.mark.parametrize(
    ("retries", "said"),
    [(0, "it has no retries"), (1, "its one retry is used up"), (2, "its 2 retries are used up")],
)
def test_why_says_that_the_retries_are_used_up(app: LiteQ, retries: int, said: str) -> None:
    policy = {"autoretry_for": (ArithmeticError,), "retry_kwargs": {"countdown": 0}}
    make_task(app, lambda: 1 / 0, name="down", max_retries=retries, **policy)
    id = app.send_task("down").id
    drain(app)

    why = app.jobs.why(id)
    assert why.startswith(f"it was set aside, as {said}: ZeroDivisionError(")
    assert ("was to be retried" in why) == (retries > 0)
    assert "last attempt" not in why


def test_why_says_of_other_dead_tasks_what_their_error_says(app: LiteQ) -> None:
    id = app.send_task("unheard-of").id
    drain(app)

    assert app.jobs.why(id).startswith("it was set aside: NotRegistered(")
