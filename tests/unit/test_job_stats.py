"""Statistics about how tasks fared: counted by workers, and summed up."""

import asyncio

import pytest

from liteq import LiteQ
from liteq.brokers.base import Claim
from liteq.brokers.memory import MemoryBroker
from liteq.exceptions import BrokerUnavailable
from liteq.model.message import Receipt
from liteq.model.stat import (
    HOUR,
    KEPT,
    MINUTE,
    Stat,
    bucket_of,
    histogram_of,
    quantile,
    scaled,
    upper_bound,
)
from liteq.model.summary import resolution, starts
from liteq.testing import ManualClock
from liteq.worker.runs import Runs
from liteq.worker.statistics import WorkerStatistics

START = 600_000.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def app(clock: ManualClock) -> LiteQ:
    return LiteQ("shop", broker=MemoryBroker(clock), set_as_current=False)


def runs(*seconds: float, task: str = "mail", outcome: str | None = "succeeded") -> Runs:
    return Runs("celery", task, outcome, list(seconds), Receipt("gone", 1))


# histograms


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 6e-5, 7e-5, 0.01, 0.5, 1.0, 3.0, 3600.0, 2e5])
def test_a_duration_is_below_the_bound_of_its_bucket_and_not_below_that_before(
    seconds: float,
) -> None:
    bucket = bucket_of(seconds)

    assert seconds <= upper_bound(bucket)
    assert bucket == 0 or seconds >= upper_bound(bucket - 1)


def test_what_is_longer_than_all_buckets_is_in_the_last_one() -> None:
    assert bucket_of(1e9) == bucket_of(1e300) == bucket_of(float("inf"))
    assert bucket_of(-1.0) == bucket_of(float("nan")) == 0


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_quantile_is_right_to_some_twenty_percent(share: float) -> None:
    durations = [0.001 * 1.01**n for n in range(1000)]
    exact = sorted(durations)[int(share * 1000)]

    found = quantile(histogram_of(durations), share)

    assert found == pytest.approx(exact, rel=0.2)


@pytest.mark.parametrize("seconds", [0.07, 0.09, 0.1, 0.12, 1.0, 100.0])
def test_a_quantile_of_one_duration_is_as_right(seconds: float) -> None:
    assert quantile({bucket_of(seconds): 1}, 0.95) == pytest.approx(seconds, rel=0.2)


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is quantile({3: 0}, 0.5) is None


def test_a_scaled_histogram_has_as_many_as_it_should_in_the_same_shares() -> None:
    assert scaled({1: 1, 5: 3}, 400) == {1: 100, 5: 300}
    assert sum(scaled({1: 1, 2: 1, 3: 1}, 100).values()) == 100
    assert scaled({1: 10, 2: 1}, 3) == {1: 3}
    assert scaled({}, 7) == {}


# what workers count


def test_runs_are_counted_in_memory_and_written_at_once(app: LiteQ) -> None:
    counted = WorkerStatistics(app.broker)
    counted.note([runs(1.0, 3.0), runs(2.0, outcome="retry"), runs(9.0, outcome=None)])
    counted.note([runs(2.0)])
    assert app.jobs.stats() == []
    counted.write()

    (mail,) = app.jobs.stats()
    assert mail.ended == {"succeeded": 3, "retry": 1}
    assert mail.ran.mean == 2.0
    assert mail.waited.p50 is None  # the task is not there any more


def test_how_long_tasks_waited_is_asked_of_some_and_counts_for_all(
    app: LiteQ, clock: ManualClock
) -> None:
    @app.task(name="mail")
    def mail() -> None:
        pass

    mail.delay()
    clock.advance(4.0)
    worker = app.broker.register("worker", "{}")
    (delivery,) = app.broker.claim(Claim(worker, ("celery",), 1))
    counted = WorkerStatistics(app.broker)
    counted.note([Runs("celery", "mail", "succeeded", [0.1] * 50, delivery.receipt)])
    counted.write()

    (found,) = app.jobs.stats()
    assert found.waited.mean == 4.0
    assert found.waited.histogram == {bucket_of(4.0): 50}


def test_what_a_failing_store_did_not_take_is_written_later_and_once(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    count = app.broker.count

    def count_and_fail(stats: list[Stat], call: str) -> None:
        if call not in calls:
            count(stats, call)
        calls.append(call)
        if len(calls) == 1:
            raise BrokerUnavailable("no answer came")

    monkeypatch.setattr(app.broker, "count", count_and_fail)
    counted = WorkerStatistics(app.broker)
    counted.note([runs(1.0)])
    with pytest.raises(BrokerUnavailable):
        counted.write()
    counted.note([runs(1.0)])
    counted.write()

    assert len(calls) == 3
    assert calls[0] == calls[1]
    assert app.jobs.stats()[0].number == 2


def test_thousands_of_names_and_hostile_ones_are_counted_together(app: LiteQ) -> None:
    counted = WorkerStatistics(app.broker)
    counted.note([runs(1.0, task=f"t{n}") for n in range(5000)])
    counted.note([runs(1.0, task="a\nb"), runs(1.0, task=b"\xff")])  # type: ignore[arg-type]
    counted.write()

    found = app.jobs.stats()
    assert sum(each.number for each in found) == 5002
    assert len(found) == 1001
    assert found[0].name == "(others)"


# what is told


def count(app: LiteQ, **fields: object) -> None:
    usual: dict[str, object] = {
        "seconds": MINUTE,
        "start": int(app.broker.clock()) // MINUTE * MINUTE,
        "queue": "celery",
        "task": "mail",
        "outcome": "succeeded",
        "number": 1,
        "ran": 1.0,
        "runs": {29: 1},
        "waited": 0.0,
        "waits": {0: 1},
    }
    app.broker.count([Stat(**{**usual, **fields})], repr(fields))  # type: ignore[arg-type]


def test_statistics_are_by_task_by_queue_or_of_all(app: LiteQ) -> None:
    count(app, number=2)
    count(app, task="clean", queue="slow", number=3)
    count(app, task="mail", queue="slow", outcome="failed", number=4)

    by_task = {each.name: each.ended for each in app.jobs.stats()}
    by_queue = {each.name: each.ended for each in app.jobs.stats(by="queue")}
    (whole,) = app.jobs.stats(by="all")
    assert by_task == {"mail": {"succeeded": 2, "failed": 4}, "clean": {"succeeded": 3}}
    assert by_queue == {"celery": {"succeeded": 2}, "slow": {"succeeded": 3, "failed": 4}}
    assert (whole.name, whole.number) == ("all", 9)
    assert [each.name for each in app.jobs.stats()] == ["mail", "clean"], "what ended most first"


def test_periods_follow_one_another_also_those_in_which_nothing_ended(
    app: LiteQ, clock: ManualClock
) -> None:
    count(app)
    clock.advance(3 * MINUTE)
    count(app, number=5)

    (found,) = app.jobs.stats(minutes=5)
    numbers = [sum(period.ended.values()) for period in found.periods]
    begun = [period.start for period in found.periods]
    assert numbers == [0, 1, 0, 0, 5]
    assert begun == [START + n * MINUTE for n in range(-1, 4)]
    (last,) = app.jobs.stats(minutes=1)
    assert (last.number, len(last.periods)) == (5, 1)


def test_more_than_six_hours_are_told_by_the_hour(app: LiteQ, clock: ManualClock) -> None:
    count(app)
    clock.advance(10 * HOUR)
    count(app)

    (found,) = app.jobs.stats(minutes=12 * 60)
    assert found.number == 2
    assert {each.seconds for each in found.periods} == {HOUR}
    assert len(found.periods) == 12


def test_the_present_period_is_always_among_those_that_are_told() -> None:
    for minutes in (1, 59, 60, 360, 361, 1440, KEPT[HOUR] / MINUTE):
        for now in (START, START + 1, START + 59.9, START + 3599.9):
            periods, seconds = starts(minutes, now), resolution(minutes)
            assert periods[-1] <= now < periods[-1] + seconds
            assert len(periods) == max(round(minutes * MINUTE / seconds), 1)


@pytest.mark.parametrize("minutes", [0, -1, 0.5, 14 * 1440 + 1, float("inf"), float("nan")])
def test_times_that_are_not_kept_are_refused(app: LiteQ, minutes: float) -> None:
    with pytest.raises(ValueError, match="kept for 20160 minutes"):
        app.jobs.stats(minutes=minutes)


def test_what_statistics_are_not_kept_by_is_refused(app: LiteQ) -> None:
    with pytest.raises(ValueError, match="by task, by queue, by all: by='worker' is none"):
        app.jobs.stats(by="worker")  # type: ignore[arg-type]


def test_coroutines_look_at_jobs_as_well(app: LiteQ) -> None:
    @app.task(name="mail")
    def mail() -> None:
        pass

    async def look() -> list[object]:
        id = mail.delay().id
        job = await app.jobs.aget(id)
        assert job is not None
        listed = await app.jobs.alist(state="ready")
        counts, stats = await app.jobs.acounts(), await app.jobs.astats()
        why = await app.jobs.awhy(id)
        done = [await app.jobs.acancel([id]), await app.jobs.arun_again([id])]
        again = [await app.jobs.aretry([id]), await app.jobs.adelete([id])]
        return [
            job.id == id,
            len(listed),
            counts,
            stats,
            "no worker" in why,
            len(done[1]),
            again[1],
        ]

    found = asyncio.run(look())
    assert found == [True, 1, {"celery": {"ready": 1}}, [], True, 1, 0]


# once more


def test_a_job_is_run_again_as_a_new_one(app: LiteQ) -> None:
    @app.task(name="mail")
    def mail(to: str) -> str:
        return to

    first = mail.apply_async(("ann",), queue="slow", priority=4, headers={"a": "b"})
    assert app.jobs.run_again([first.id]) == [], "it has not ended"
    app.jobs.cancel([first.id])
    (id,) = app.jobs.run_again(task="mail")

    job = app.jobs.get(id)
    assert job is not None
    assert id != first.id
    assert (job.args, job.queue, job.priority, job.state) == ("'ann'", "slow", 4, "ready")
    assert app.jobs.list(header={"a": "b"})[0].id == id


def test_a_job_that_took_results_of_others_is_not_run_again(app: LiteQ) -> None:
    @app.task(name="mail")
    def mail(to: str = "", more: str = "") -> str:
        return to

    last = (mail.s("ann") | mail.s("b")).delay()
    app.control.revoke(last.id, workflow=True)
    with pytest.raises(ValueError, match="takes its place in a workflow"):
        app.jobs.run_again([last.id])
