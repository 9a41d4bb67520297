"""The runner: every delivery comes to an outcome, whatever the task and the bytes do."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ, signals
from liteq.exceptions import Ignore, Reject, Retry
from liteq.execution.failure import TEXT_LIMIT, decode_failure
from liteq.model.message import Delivery, Receipt
from liteq.model.outcome import Kind, Outcome
from liteq.serializers import get
from liteq.signals import Signal
from liteq.testing import ManualClock
from liteq.worker.runner import Runner

from .conftest import Reports, app_value, make_task, message_of

Run = Callable[..., Outcome]


class Oops(Exception):
    """A task's own."""


def outcome_of(app: LiteQ, run: Run, function: Callable[..., Any], **options: Any) -> Outcome:
    """What a run of a task with `function` comes to."""
    return run(make_task(app, function, name="t", **options).delay())


def error_of(outcome: Outcome) -> BaseException:
    """The exception that `outcome` carries."""
    assert outcome.result is not None
    assert outcome.serializer is not None
    return decode_failure(outcome.result, get(outcome.serializer))


def raising(exc: BaseException) -> Callable[[], Any]:
    def fail() -> None:
        raise exc

    return fail


# values


def test_a_value_is_encoded_and_described(app: LiteQ, run: Run) -> None:
    outcome = outcome_of(app, run, lambda: {"a": 1})

    assert (outcome.kind, outcome.serializer, outcome.note) == (
        Kind.SUCCEEDED,
        "pickle",
        "{'a': 1}",
    )
    assert app_value(outcome.result, outcome.serializer) == {"a": 1}
    assert 0 < outcome.runtime < 1
    assert outcome.traceback is None


def test_the_result_serializer_is_that_of_the_settings(app: LiteQ, run: Run) -> None:
    app.conf.result_serializer = "json"

    assert outcome_of(app, run, lambda: (1, 2))[:3] == (Kind.SUCCEEDED, b"[1,2]", "json")


def test_an_ignored_value_is_not_encoded(app: LiteQ, run: Run) -> None:
    outcome = outcome_of(app, run, threading.Lock, ignore_result=True)

    assert outcome[:3] == (Kind.SUCCEEDED, None, None)


def test_a_value_that_cannot_be_encoded_fails_the_task(app: LiteQ, run: Run) -> None:
    outcome = outcome_of(app, run, threading.Lock)

    assert outcome.kind is Kind.FAILED
    assert outcome.note.startswith("ResultNotSerializable(")
    assert "t returned a lock: " in outcome.note


def test_a_value_over_the_limit_fails_the_task(app: LiteQ, run: Run) -> None:
    app.conf.max_payload_size = 1000
    outcome = outcome_of(app, run, lambda: "x" * 1000)

    assert outcome.kind is Kind.FAILED
    assert outcome.note.startswith("PayloadTooLarge('what t returned is 10")


def test_a_result_that_is_a_result_is_stored_as_its_ids(app: LiteQ, run: Run) -> None:
    outcome = outcome_of(app, run, lambda: app.AsyncResult("other"))

    assert app_value(outcome.result, outcome.serializer) == (("other", None), None)


class Rude:
    """Cannot be described."""

    def __init__(self, how: str = "") -> None:
        self.how = how

    def __repr__(self) -> str:
        if self.how:
            return self.how
        raise Oops("no words")


def test_a_value_is_described_within_bounds_and_never_fails_the_task(app: LiteQ, run: Run) -> None:
    huge = outcome_of(app, run, lambda: Rude("x" * 10**6), ignore_result=True)
    app.tasks.clear()
    small = outcome_of(app, run, lambda: "x" * 100, resultrepr_maxsize=20)
    app.tasks.clear()
    rude = outcome_of(app, run, Rude, ignore_result=True)

    assert (huge.kind, len(huge.note)) == (Kind.SUCCEEDED, 1024)
    assert len(small.note) <= 20
    assert rude.kind is Kind.SUCCEEDED


def test_nothing_is_described_that_nobody_wants(app: LiteQ) -> None:
    result = app.task(name="t")(lambda: 5).delay()
    runner = Runner(app, hostname="h", describe=False, report=lambda *_: None)

    assert runner.run(Delivery(message_of(result), Receipt(1, 1))).note == ""


# errors


@pytest.mark.parametrize(
    "exc", [Oops("no"), KeyboardInterrupt(), SystemExit(3), GeneratorExit(), RecursionError()]
)
def test_whatever_a_task_raises_it_has_failed(app: LiteQ, run: Run, exc: BaseException) -> None:
    outcome = outcome_of(app, run, raising(exc))

    assert outcome.kind is Kind.FAILED
    assert outcome.note == repr(exc)
    assert type(error_of(outcome)).__name__ == type(exc).__name__


def test_a_traceback_begins_where_the_task_does(app: LiteQ, run: Run) -> None:
    text = outcome_of(app, run, raising(Oops("no"))).traceback

    assert text is not None
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert __file__ in lines[1]
    assert lines[-1].endswith("Oops: no")
    assert "liteq/execution/attempt.py" not in text.replace("\\", "/")


def test_a_call_that_does_not_fit_has_no_frame_of_ours_either(app: LiteQ, run: Run) -> None:
    outcome = outcome_of(app, run, lambda x: x, typing=False)

    assert outcome.note.startswith("TypeError(")
    assert "liteq" not in (outcome.traceback or "")


def test_a_traceback_is_bounded(app: LiteQ, run: Run) -> None:
    outcome = outcome_of(app, run, raising(Oops("x" * 10**6)))

    assert len(outcome.traceback or "") == TEXT_LIMIT
    assert len(outcome.note) == 1024


def test_the_error_of_an_ignored_task_is_stored_only_on_request(app: LiteQ, run: Run) -> None:
    fail = raising(Oops("no"))
    forgotten = outcome_of(app, run, fail, ignore_result=True)
    app.tasks.clear()
    kept = outcome_of(app, run, fail, ignore_result=True, store_errors_even_if_ignored=True)

    assert (forgotten.kind, forgotten.result) == (Kind.FAILED, None)
    assert "Oops" in (forgotten.traceback or "")
    assert isinstance(error_of(kept), Oops)


def test_an_error_that_the_task_throws_is_expected(app: LiteQ, run: Run) -> None:
    expected = outcome_of(app, run, raising(Oops("no")), throws=[LookupError, Oops])
    app.tasks.clear()
    unexpected = outcome_of(app, run, raising(Oops("no")), throws=(LookupError,))

    assert (expected.kind, expected.expected) == (Kind.FAILED, True)
    assert (unexpected.kind, unexpected.expected) == (Kind.FAILED, False)


# what a task says about itself


@pytest.mark.parametrize(
    ("exc", "acks_late", "kind"),
    [
        (Ignore(), True, Kind.IGNORED),
        (Reject("no"), True, Kind.REJECTED),
        (Reject("again", requeue=True), True, Kind.REQUEUED),
        (Reject("again", requeue=True), False, Kind.REJECTED),
    ],
    ids=["ignore", "reject", "requeue", "requeue without acks_late"],
)
def test_a_task_may_say_what_is_to_become_of_it(
    app: LiteQ, run: Run, exc: Exception, acks_late: bool, kind: Kind
) -> None:
    outcome = outcome_of(app, run, raising(exc), acks_late=acks_late)

    assert outcome.kind is kind
    if kind is Kind.REJECTED:
        assert isinstance(error_of(outcome), Reject)


def test_a_retry_carries_the_reason_and_the_moment(
    app: LiteQ, run: Run, clock: ManualClock
) -> None:
    outcome = outcome_of(app, run, raising(Retry(exc=Oops("later"), when=30)))

    assert (outcome.kind, outcome.eta) == (Kind.RETRY, clock.now + 30)
    assert outcome.message is None
    assert isinstance(error_of(outcome), Oops)
    assert outcome.note == "Oops('later')"


def test_a_retry_without_reason_or_moment_is_its_own_reason_and_due_at_once(
    app: LiteQ, run: Run
) -> None:
    outcome = outcome_of(app, run, raising(Retry("once more")))

    assert (outcome.kind, outcome.eta) == (Kind.RETRY, None)
    assert isinstance(error_of(outcome), Retry)


def test_a_retry_with_an_argument_that_cannot_be_sent_is_a_failure(app: LiteQ, run: Run) -> None:
    @app.task(bind=True, name="t")
    def wrong(self: Any, x: Any) -> None:
        raise self.retry(args=(lambda: 1,))

    outcome = run(wrong.delay(1))

    assert outcome.kind is Kind.FAILED
    assert "args[0]" in outcome.note


def test_reports_are_encoded_and_passed_on(app: LiteQ, run: Run, reports: Reports) -> None:
    @app.task(bind=True, name="t")
    def work(self: Any) -> None:
        self.update_state(state="PROGRESS", meta={"done": 1})
        self.update_state(meta=2)

    result = work.delay()
    run(result)

    assert reports == [(result.id, "PROGRESS", {"done": 1}), (result.id, "PROGRESS", 2)]


def test_a_report_that_cannot_be_encoded_fails_the_task(app: LiteQ, run: Run) -> None:
    @app.task(bind=True, name="t")
    def work(self: Any) -> None:
        self.update_state(meta=lambda: 1)

    assert run(work.delay()).note.startswith("SerializationError(")


def test_a_report_over_the_limit_fails_the_task(app: LiteQ, run: Run, reports: Reports) -> None:
    app.conf.max_payload_size = 1000

    @app.task(bind=True, name="t")
    def work(self: Any) -> None:
        self.update_state(meta="x" * 1000)

    assert run(work.delay()).note.startswith("PayloadTooLarge(")
    assert reports == []


def test_a_run_knows_its_worker(app: LiteQ, run: Run) -> None:
    @app.task(bind=True, name="t")
    def look(self: Any) -> Any:
        return self.request.hostname, self.request.is_eager, self.request.delivery_info

    assert app_value(*run(look.delay())[1:3]) == (
        "worker@host",
        False,
        {"exchange": "", "routing_key": "celery", "priority": 0, "redelivered": False},
    )


# bytes


def test_an_unknown_task_is_told_apart_and_named(app: LiteQ, run: Run) -> None:
    outcome = run(app.send_task("elsewhere"))

    assert outcome.kind is Kind.UNKNOWN
    assert "no task 'elsewhere' is registered here" in str(error_of(outcome))


def test_an_unknown_task_is_left_to_another_worker_that_has_it(app: LiteQ, run: Run) -> None:
    here = {"queues": ["celery"], "tasks": ["add"]}
    app.broker.register("old@here", json.dumps(here))
    app.broker.register("other@here", json.dumps({"queues": ["other"], "tasks": ["new"]}))
    assert run(app.send_task("new")).kind is Kind.UNKNOWN

    def runner(hostname: str) -> Runner:
        return Runner(app, hostname=hostname, describe=False, report=lambda *_: None)

    app.broker.register("new@here", json.dumps({**here, "tasks": ["add", "new"]}))
    delivery = Delivery(message_of(app.send_task("new")), Receipt("", 1))
    for attempts, delay in ((0, 0.5), (2, 1.125), (10, 28.8), (50, 28.8)):
        left = runner("w@here").run(delivery._replace(attempts=attempts))
        assert left.kind is Kind.LEFT
        assert left.eta == pytest.approx(app.broker.clock() + delay, abs=0.1)
        assert "with new@here" in left.note
    assert runner("new@here").run(delivery).kind is Kind.UNKNOWN  # its code was changed since


@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("payload", [b"", b"garbage", b"\x80\x05.", b"[" * 100_000])
def test_bytes_that_cannot_be_decoded_fail_the_task(
    app: LiteQ, run: Run, payload: bytes, serializer: str
) -> None:
    result = app.task(name="t")(lambda: None).delay()

    outcome = run(result, payload=payload, serializer=serializer)

    assert outcome.kind is Kind.FAILED
    assert f"{serializer} cannot decode the bytes" in outcome.note


@pytest.mark.parametrize("payload", [b"5", b"[]", b"[1,{}]", b'["ab",{}]', b"[[],[]]", b"{}"])
def test_a_payload_that_is_no_call_fails_the_task(app: LiteQ, run: Run, payload: bytes) -> None:
    result = app.task(name="t")(lambda *_: None).delay()

    outcome = run(result, payload=payload, serializer="json")

    assert outcome.kind is Kind.FAILED
    assert "must be [args, kwargs]" in outcome.note


def test_a_serializer_that_is_not_accepted_is_not_asked(app: LiteQ, run: Run) -> None:
    result = app.task(name="t")(lambda: None).delay()
    app.conf["accept_content"] = ["json"]

    outcome = run(result)

    assert outcome.kind is Kind.FAILED
    assert outcome.note.startswith("ContentDisallowed(")


def test_the_serializers_of_the_settings_are_accepted(app: LiteQ, run: Run) -> None:
    app.conf.task_serializer = "json"

    assert outcome_of(app, run, lambda: None).kind is Kind.SUCCEEDED


# threads and signals


def test_one_runner_serves_many_threads(app: LiteQ) -> None:
    barrier = threading.Barrier(4, timeout=10)

    @app.task(bind=True, name="t")
    def look(self: Any) -> Any:
        before = self.request.id
        barrier.wait()
        return before == self.request.id, before

    results = [look.delay() for _ in range(4)]
    runner = Runner(app, hostname="h", describe=False, report=lambda *_: None)
    outcomes: list[Outcome] = []

    def run(result: Any) -> None:
        outcomes.append(runner.run(Delivery(message_of(result), Receipt(1, 1))))

    threads = [threading.Thread(target=run, args=(result,)) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    values = [app_value(outcome.result, "pickle") for outcome in outcomes]
    assert {id for same, id in values if same} == {result.id for result in results}


SIGNALS = ("task_prerun", "task_success", "task_failure", "task_retry", "task_postrun")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The signals of a run, in order, with what they provide."""
    found: list[Any] = []

    def note(signal: Signal, sender: Any, **named: Any) -> None:
        found.append((signal.name, sender.name, named))

    for name in (*SIGNALS, "task_unknown"):
        signal = getattr(signals, name)
        monkeypatch.setattr(signal, "receivers", ())
        signal.connect(note, weak=False)
    return found


def test_signals_of_a_task_that_succeeds(app: LiteQ, run: Run, heard: list[Any]) -> None:
    outcome_of(app, run, lambda: 5)

    names = [name for name, _, _ in heard]
    assert names == ["task_prerun", "task_success", "task_postrun"]
    assert heard[0][2].keys() == {"task_id", "task", "args", "kwargs"}
    assert heard[1][2] == {"result": 5}
    assert (heard[2][2]["retval"], heard[2][2]["state"]) == (5, "SUCCESS")


def test_signals_of_a_task_that_fails(app: LiteQ, run: Run, heard: list[Any]) -> None:
    exc = Oops("no")
    outcome_of(app, run, raising(exc))

    assert [name for name, _, _ in heard] == ["task_prerun", "task_failure", "task_postrun"]
    told = heard[1][2]
    assert told["exception"] is exc
    assert told["traceback"] is exc.__traceback__
    assert told["einfo"].exception is exc
    assert told.keys() >= {"task_id", "args", "kwargs"}
    assert heard[2][2]["state"] == "FAILURE"


def test_signals_of_a_task_that_is_tried_again(app: LiteQ, run: Run, heard: list[Any]) -> None:
    retry = Retry(exc=Oops("later"), when=1)
    outcome_of(app, run, raising(retry))

    assert [name for name, _, _ in heard] == ["task_prerun", "task_retry", "task_postrun"]
    assert heard[1][2]["reason"] is retry
    assert heard[1][2]["request"].task == "t"
    assert heard[2][2]["state"] == "RETRY"


def test_a_task_that_is_ignored_is_told_of_once(app: LiteQ, run: Run, heard: list[Any]) -> None:
    outcome_of(app, run, raising(Ignore()))

    assert [name for name, _, _ in heard] == ["task_prerun", "task_postrun"]


def test_an_unknown_task_has_a_signal(app: LiteQ, run: Run) -> None:
    found = []

    def note(**named: Any) -> None:
        found.append((named["name"], named["id"]))

    signals.task_unknown.connect(note)
    result = app.send_task("elsewhere")
    run(result)

    assert found == [("elsewhere", result.id)]
