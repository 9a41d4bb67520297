"""Pauses as the application has them, and which tasks a worker knows."""

from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers.base import Claim
from liteq.brokers.expiring import Expiry, passed_over
from liteq.brokers.knowledge import Knowledge, known_tasks
from liteq.brokers.memory import MemoryBroker
from liteq.exceptions import InvalidTaskError, TimeoutError
from liteq.model.pause import Pause, PauseKind, pause_of, stored_pause
from liteq.states import Phase
from liteq.testing import ManualClock, drain
from liteq.testing.contract.leaving import knowing
from tests.unit.conftest import make_task


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


@pytest.fixture
def app(clock: ManualClock) -> LiteQ:
    app = LiteQ("shop", broker=MemoryBroker(clock), set_as_current=False)
    make_task(app, lambda: "done", name="work")
    return app


# app.control


def test_what_is_paused_is_not_run_until_it_is_resumed(app: LiteQ) -> None:
    result = app.send_task("work", queue="mail")
    assert app.control.pause("mail")
    assert not app.control.pause("mail")
    drain(app)
    assert not result.ready()
    assert app.control.resume("mail")
    assert not app.control.resume("mail")
    drain(app)
    assert result.get() == "done"


def test_a_name_and_the_store_are_paused_apart(app: LiteQ) -> None:
    result = app.send_task("work")
    assert app.control.pause(task="work")
    assert app.control.pause()
    assert app.control.resume(task="work")
    drain(app)
    assert not result.ready()
    assert app.control.resume()
    drain(app)
    assert result.get() == "done"


def test_pauses_are_told_with_their_time_and_what_schedules_do(app: LiteQ) -> None:
    app.control.pause("mail", schedules="skip")
    app.control.pause(task="work")
    app.control.pause()

    assert app.control.paused() == [
        Pause("queue", "mail", 1000.0, "skip"),
        Pause("store", "", 1000.0, "keep"),
        Pause("task", "work", 1000.0, "keep"),
    ]
    assert [each.what for each in app.control.paused()] == [
        "the queue 'mail'",
        "the whole store",
        "the task 'work'",
    ]


@pytest.mark.parametrize("change", ["pause", "resume"])
@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[0m", "x" * 256, 7, ["mail"], b"mail"])
def test_what_can_be_no_name_is_refused(app: LiteQ, change: str, name: Any) -> None:
    method = getattr(app.control, change)
    with pytest.raises(InvalidTaskError, match="cannot be a queue name: give 1 to 255"):
        method(name)
    with pytest.raises(InvalidTaskError, match="cannot be a task name"):
        method(task=name)
    with pytest.raises(ValueError, match="a queue or a task, and not both"):
        method("mail", task="work")
    assert app.control.paused() == []


def test_other_words_about_schedules_are_refused(app: LiteQ) -> None:
    with pytest.raises(ValueError, match="schedules is 'stop': give 'keep' or 'skip'"):
        app.control.pause("mail", schedules="stop")


# what tells of them


def test_why_jobs_and_timeouts_tell_of_a_pause(app: LiteQ, clock: ManualClock) -> None:
    result = app.send_task("work", queue="mail")
    later = app.send_task("work", queue="mail", countdown=60)
    app.control.pause("mail")
    clock.advance(5)
    said = "the queue 'mail' is paused since 1970-01-01 00:16:40 UTC"

    assert app.jobs.why(result.id) == said
    assert said not in app.jobs.why(later.id)
    assert {job.id: job.paused for job in app.jobs.list()} == {result.id: 1000.0, later.id: 1000.0}
    with pytest.raises(TimeoutError) as caught:
        result.get(timeout=0.01)
    assert said in str(caught.value)
    app.control.resume("mail")
    job = app.jobs.get(result.id)
    assert job is not None
    assert job.paused is None


def test_why_and_timeouts_tell_of_a_task_that_no_worker_knows(app: LiteQ) -> None:
    info = '{"queues": ["celery"], "claims": "known", "tasks": ["work"]}'
    app.broker.register("old", info)
    result = app.send_task("newer")
    said = "no live worker knows the task 'newer'"

    assert app.jobs.why(result.id) == said
    with pytest.raises(TimeoutError, match=said):
        result.get(timeout=0.01)
    app.broker.register("any", '{"queues": ["celery"], "tasks": ["work"]}')
    assert app.jobs.why(result.id).endswith("for a free slot of any")


def test_a_job_that_runs_is_not_paused(app: LiteQ) -> None:
    result = app.send_task("work")
    app.broker.claim(Claim(app.broker.register("w", "{}"), ("celery",), 1))
    app.control.pause()

    job = app.jobs.get(result.id)
    assert job is not None
    assert (job.state, job.paused) == ("running", None)


# values


def test_the_oldest_pause_is_told_of_a_task_with_several() -> None:
    pauses = [Pause("store", "", 9.0), Pause("queue", "q", 5.0), Pause("task", "t", 7.0)]

    assert pause_of(pauses, "q", "t") == pauses[1]
    assert pause_of(pauses, "other", "t") == pauses[2]
    assert pause_of(pauses[1:], "other", "other") is None
    assert pause_of([Pause("newer kind", "q")], "q", "t") is None


@pytest.mark.parametrize("since", [None, "soon", b"1", []])
def test_a_pause_of_which_the_time_cannot_be_read_holds(since: object) -> None:
    assert stored_pause("queue", "mail", since, 7) == Pause(PauseKind.QUEUE, "mail", 0.0, "keep")


# what a worker knows


@pytest.mark.parametrize(
    ("info", "known"),
    [
        (knowing("a", "b"), frozenset("ab")),
        (knowing(), frozenset()),
        ('{"tasks": ["a"]}', None),
        ('{"claims": "all", "tasks": ["a"]}', None),
        ('{"claims": "known", "tasks": 7}', None),
        ("[]", None),
        ("{", None),
    ],
)
def test_a_worker_says_what_it_is_to_be_handed(info: str, known: frozenset[str] | None) -> None:
    assert known_tasks(info) == known


def test_a_task_that_is_left_is_logged_once_by_each_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    knowledge = Knowledge()
    for worker in (1, 1, 2):
        knowledge.log_left(worker, ["new", "new", "newer"])

    assert len(caplog.messages) == 4
    assert "unregistered task 'new'" in " ".join(caplog.messages)


def test_a_worker_says_what_it_knows(app: LiteQ) -> None:
    def known() -> frozenset[str] | None:
        with app.Worker(pool="threads", concurrency=1):
            (worker,) = app.broker.workers()
            return known_tasks(worker.info)

    assert known() == frozenset(app.tasks)
    app.conf.worker_claim_unknown = True
    assert known() is None


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_task_that_is_defined_while_the_worker_runs_is_run(
    pool: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = LiteQ("late", broker="memory://", set_as_current=False)
    make_task(app, lambda: 1, name="early")
    with app.Worker(pool=pool, concurrency=1):
        left = app.send_task("late")  # before it is defined
        assert app.send_task("early").get(timeout=20) == 1
        make_task(app, lambda: 2, name="late")
        assert left.get(timeout=20) == 2
        make_task(app, lambda: 3, name="later")
        assert app.send_task("later").get(timeout=20) == 3

    assert not [text for text in caplog.messages if "unregistered task 'later'" in text]


# looking for what has expired


def looking(queues: dict[str, list[bool]]) -> Callable[[str, int, int], tuple[int, int]]:
    """Return what looks at `queues`: of each task whether it has expired; those are taken out."""

    def look(queue: str, skip: int, size: int) -> tuple[int, int]:
        seen = queues[queue][skip : skip + size]
        queues[queue][skip : skip + size] = [each for each in seen if not each]
        return len(seen), sum(seen)

    return look


@pytest.mark.parametrize("limit", [1, 7, 500, 5000])
def test_all_tasks_are_looked_at_however_few_at_a_time(limit: int) -> None:
    queues = {"a": [True, False] * 700, "b": [], "c": [True] * 3 + [False], "d": [False] * 501}
    expiry, calls = Expiry(), 0
    for _ in range(2):  # and once more from the beginning
        while not expiry.run(queues, limit, looking(queues)):
            calls += 1

    assert {name: tasks.count(True) for name, tasks in queues.items()} == dict.fromkeys(queues, 0)
    assert calls >= (1 if limit < 5000 else 0)


def test_only_queues_of_which_claims_pass_something_over_are_looked_at() -> None:
    stored = ["celery", "mail", "celery\nnewer", b"\xff"]

    assert passed_over(stored, [Pause("queue", "mail")]) == ["mail", "celery\nnewer"]
    assert passed_over(stored, [Pause("task", "mail")]) == ["celery\nnewer"]
    assert passed_over(stored, [Pause("store", "")]) == ["celery", "mail", "celery\nnewer"]


def test_a_worker_ends_what_expires_while_it_is_paused(
    app: LiteQ, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liteq.worker.maintenance._EXPIRE_EVERY", 0.0)
    app.control.pause()
    result = app.send_task("work", expires=5)
    supervisor = app.Worker(pool="solo").prepare()
    supervisor.start()
    clock.advance(5)
    supervisor.turn()
    supervisor.finish()

    (record,) = app.broker.fetch([result.id])
    assert record is not None
    assert (record.phase, record.keep_until) == (Phase.EXPIRED, 1005.0 + 86400)
    assert result.state == "REVOKED"
