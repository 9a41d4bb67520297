"""The signals of a worker: what is told, in which order, and about whom."""

from collections.abc import Iterator
from typing import Any

import pytest

from liteq import LiteQ, signals
from liteq.signals import Signal
from liteq.testing import ManualClock, MemoryBroker

NAMES = (
    "celeryd_init",
    "worker_init",
    "celeryd_after_setup",
    "worker_process_init",
    "worker_ready",
    "worker_shutting_down",
    "worker_shutdown",
    "task_received",
    "task_prerun",
    "task_revoked",
    "task_rejected",
)

Heard = list[tuple[str, Any, dict[str, Any]]]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """The signals that were sent, in order, with their senders and what they provide."""
    found: Heard = []

    def note(signal: Signal, sender: Any, **named: Any) -> None:
        found.append((signal.name, sender, named))

    for name in NAMES:
        signal = getattr(signals, name)
        monkeypatch.setattr(signal, "receivers", ())
        signal.connect(note, weak=False)
    return found


@pytest.fixture
def app() -> Iterator[LiteQ]:
    app = LiteQ("told", broker="memory://", set_as_current=False)
    yield app
    app.close()


def names(heard: Heard) -> list[str]:
    return [name for name, _, _ in heard]


def about(heard: Heard, name: str) -> tuple[Any, dict[str, Any]]:
    """Sender and contents of the one signal `name`."""
    ((_, sender, named),) = [each for each in heard if each[0] == name]
    return sender, named


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_the_life_of_a_worker_is_told_in_order(app: LiteQ, heard: Heard, pool: str) -> None:
    worker = app.Worker(pool=pool, concurrency=1, hostname="w@h")
    with worker:
        app.task(name="t")(lambda: None).delay().get(timeout=20)

    assert names(heard) == [
        "celeryd_init",
        "worker_init",
        "celeryd_after_setup",
        "worker_process_init",
        "worker_ready",
        "task_received",
        "task_prerun",
        "worker_shutting_down",
        "worker_shutdown",
    ]
    assert about(heard, "celeryd_init") == (
        "w@h",
        {"instance": worker, "conf": app.conf, "options": {}},
    )
    assert about(heard, "celeryd_after_setup") == ("w@h", {"instance": worker, "conf": app.conf})
    assert about(heard, "worker_ready") == (worker, {})
    assert about(heard, "worker_shutting_down") == (
        "w@h",
        {"sig": None, "how": "Warm", "exitcode": 0},
    )


def test_a_worker_that_is_started_again_tells_it_again(app: LiteQ, heard: Heard) -> None:
    worker = app.Worker(pool="threads", concurrency=1)
    for _ in range(2):
        with worker:
            pass

    assert names(heard).count("worker_shutting_down") == 2
    assert names(heard).count("worker_shutdown") == 2


def test_settings_may_be_changed_before_they_are_read(app: LiteQ) -> None:
    def change(conf: Any, **_: Any) -> None:
        conf.worker_concurrency = 7

    signals.celeryd_init.connect(change, sender="w@h")

    assert app.Worker(pool="threads", hostname="w@h").concurrency == 7
    assert app.Worker(pool="threads", hostname="w@h", concurrency=2).concurrency == 2


def test_a_receiver_that_fails_does_not_keep_a_worker_from_working(app: LiteQ) -> None:
    def fail(**_: Any) -> None:
        raise ValueError("no")

    signals.worker_ready.connect(fail)
    double = app.task(name="double")(lambda x: 2 * x)

    with app.Worker(pool="threads", concurrency=1):
        assert double.delay(4).get(timeout=20) == 8


def test_a_task_that_was_received_is_told_with_its_request(app: LiteQ, heard: Heard) -> None:
    task = app.task(name="t")(lambda x: x)
    with app.Worker(pool="threads", concurrency=1, hostname="w@h"):
        result = task.delay(5)
        result.get(timeout=20)

    sender, told = about(heard, "task_received")
    request = told["request"]
    assert sender is task
    assert (request.id, request.task_id) == (result.id, result.id)
    assert (request.name, request.args, request.hostname) == ("t", (5,), "w@h")


def test_what_expired_is_told_as_revoked(heard: Heard) -> None:
    clock = ManualClock()
    with LiteQ("told", broker=MemoryBroker(clock), set_as_current=False) as app:
        late = app.task(name="late")(lambda: None)
        result = late.apply_async((), {}, expires=10)
        clock.advance(10)
        with app.Worker(pool="threads", concurrency=1, hostname="w@h"):
            result.get(timeout=20, propagate=False)

    sender, told = about(heard, "task_revoked")
    assert sender is late
    assert (told["expired"], told["terminated"], told["signum"]) == (True, False, None)
    assert (told["request"].id, told["request"].name) == (result.id, "late")


def test_a_message_that_cannot_be_read_is_told_as_rejected(app: LiteQ, heard: Heard) -> None:
    result = app.task(name="t")(lambda: None).delay()
    app.conf.update(accept_content=["json"], result_serializer="json")
    with app.Worker(pool="threads", concurrency=1):
        result.get(timeout=20, propagate=False)

    sender, told = about(heard, "task_rejected")
    assert (sender, told["message"].id) == (None, result.id)
    assert type(told["exc"]).__name__ == "ContentDisallowed"
    assert "task_received" not in names(heard)
