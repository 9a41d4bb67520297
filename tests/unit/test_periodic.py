"""Periodic tasks that code declares, `app.schedules`, and the helpers for tests."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liteq import LiteQ, group
from liteq.beat.periodic import entries_of
from liteq.exceptions import ConfigurationError, ImproperlyConfigured
from liteq.model.entry import Entry
from liteq.schedules import crontab, schedule, solar, to_text
from liteq.testing import ManualClock, MemoryBroker, drain, firings, tick, travel

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON.timestamp())


@pytest.fixture
def app(clock: ManualClock) -> Iterator[LiteQ]:
    app = LiteQ("shop", broker=MemoryBroker(clock), set_as_current=False)
    app.task(name="report")(report)
    app.task(name="mail", queue="mail", expires=7.0, priority=3)(report)
    yield app
    app.close()


def report(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def entry_of(app: LiteQ) -> Entry:
    (entry,) = entries_of(app)
    return entry


def payload_of(app: LiteQ, entry: Entry) -> Any:
    """Fire and run the entry; return the arguments that its task got."""
    tick(app)
    app.broker.clock.advance((entry_next(app, entry) or 0) - app.broker.clock())  # type: ignore[attr-defined]
    tick(app)
    drain(app)
    last = app.schedules[entry.name].last_id
    assert last is not None
    return app.AsyncResult(last).get(timeout=5)


def entry_next(app: LiteQ, entry: Entry) -> float | None:
    return app.schedules[entry.name].due


# beat_schedule


def test_an_entry_of_celerys_documentation(app: LiteQ) -> None:
    app.conf.beat_schedule = {
        "add-every-30-seconds": {"task": "report", "schedule": 30.0, "args": (16, 16)}
    }
    entry = entry_of(app)

    assert (entry.name, entry.app) == ("add-every-30-seconds", "shop")
    assert entry.schedule == '{"every": 30.0}'
    assert payload_of(app, entry) == ((16, 16), {})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (30, '{"every": 30.0}'),
        (timedelta(minutes=1), '{"every": 60.0}'),
        (schedule(5), '{"every": 5.0}'),
        (crontab(minute="*/5"), '{"crontab": "*/5 * * * *", "tz": "Europe/Paris"}'),
        (crontab(tz="Asia/Tokyo"), '{"crontab": "* * * * *", "tz": "Asia/Tokyo"}'),
        (solar("sunset", 1, 2), '{"solar": "sunset", "lat": 1, "lon": 2}'),
    ],
)
def test_schedules_are_kept_as_text_with_the_zone_of_the_app(
    app: LiteQ, given: Any, text: str
) -> None:
    app.conf.timezone = "Europe/Paris"
    app.conf.beat_schedule = {"x": {"task": "report", "schedule": given}}

    assert json.loads(entry_of(app).schedule) == json.loads(text)


def test_an_entry_may_have_a_zone_of_its_own(app: LiteQ) -> None:
    fields = {"task": "report", "schedule": crontab(), "timezone": "America/Lima"}
    app.conf.beat_schedule = {"x": fields}

    assert json.loads(entry_of(app).schedule)["tz"] == "America/Lima"


def test_the_message_has_the_options_of_the_task_and_those_of_the_entry(app: LiteQ) -> None:
    options = {"priority": 9, "headers": {"a": 1}}
    app.conf.beat_schedule = {"x": {"task": "mail", "schedule": 5, "options": options}}
    entry = entry_of(app)

    assert (entry.message.queue, entry.message.priority) == ("mail", 9)
    assert entry.expires == 7.0  # of the task: seconds from each firing
    assert (entry.message.id, entry.message.eta, entry.message.expires) == ("", None, None)
    assert json.loads(entry.message.options or "") == {"headers": {"a": 1}}


def test_expires_is_seconds_from_each_run_or_a_moment_for_all_of_them(app: LiteQ) -> None:
    app.conf.beat_schedule = {
        "seconds": {"task": "mail", "schedule": 5, "options": {"expires": timedelta(minutes=1)}},
        "moment": {"task": "mail", "schedule": 5, "options": {"expires": NOON}},
    }
    seconds, moment = entries_of(app)

    assert (seconds.expires, seconds.message.expires) == (60.0, None)
    assert (moment.expires, moment.message.expires) == (None, NOON.timestamp())


def test_an_entry_has_the_fields_that_were_given(app: LiteQ) -> None:
    app.conf.beat_schedule = {
        "x": {
            "task": "report",
            "schedule": schedule(90),
            "misfire": "all",
            "grace": timedelta(hours=1),
            "overlap": False,
            "jitter": 5,
        },
        "y": {"task": "report", "schedule": 90, "relative": True},
    }
    x, y = entries_of(app)

    assert (x.misfire, x.grace, x.overlap, x.jitter) == ("all", 3600.0, False, 5.0)
    assert (y.misfire, y.grace, y.overlap, y.jitter) == ("once", None, True, 0.0)
    assert json.loads(y.schedule)["relative"] is True


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "report"}, "needs a `schedule`"),
        ({"schedule": 5}, "needs a `task`"),
        ({"task": "report", "schedule": 0}, "above 0"),
        ({"task": "report", "schedule": "* * * * *"}, "give seconds, a timedelta, or a schedule"),
        ({"task": "report", "schedule": 5, "missfire": "all"}, "did you mean 'misfire'"),
        ({"task": "report", "schedule": 5, "misfire": "never"}, "once, skip, all"),
        ({"task": "report", "schedule": 5, "jitter": -1}, "jitter is -1"),
        ({"task": "report", "schedule": 5, "grace": "1h"}, "grace is '1h'"),
        ({"task": "report", "schedule": 5, "timezone": "Mars/North"}, "Mars/North"),
        ({"task": "report", "schedule": 5, "args": 7}, "args must be"),
        ({"task": "report", "schedule": 5, "options": {"countdown": 5}}, "'countdown' is for one"),
        ({"task": "report", "schedule": 5, "options": {"que": "x"}}, "did you mean 'queue'"),
        ({"task": "one", "schedule": 5, "args": (1, 2)}, "too many positional"),
    ],
)
def test_an_invalid_entry_is_refused_with_its_name(
    app: LiteQ, fields: dict[str, Any], message: str
) -> None:
    @app.task(name="one")
    def one(x: int) -> None: ...

    app.conf.beat_schedule = {"nightly": fields}
    with pytest.raises(ImproperlyConfigured, match="schedule 'nightly': ") as caught:
        entries_of(app)
    assert message in str(caught.value)


def test_a_task_that_is_not_known_here_may_be_sent_by_its_name(app: LiteQ) -> None:
    app.conf.beat_schedule = {"x": {"task": "elsewhere", "schedule": 5}}

    assert entry_of(app).message.task == "elsewhere"


# add_periodic_task


def test_periodic_tasks_of_a_handler_as_in_celerys_documentation(app: LiteQ) -> None:
    @app.on_after_configure.connect
    def setup_periodic_tasks(sender: LiteQ, **kwargs: Any) -> None:
        sender.add_periodic_task(10.0, test.s("hello"), name="add every 10")
        sender.add_periodic_task(30.0, test.s("world"), expires=10)
        sender.add_periodic_task(
            crontab(hour=7, minute=30, day_of_week=1), test.s("Happy Mondays!")
        )

    app.conf.timezone = "UTC"  # a look at the settings, before the task is there

    @app.task(name="test")
    def test(arg: str) -> str:
        return arg

    ten, thirty, mondays = entries_of(app)
    assert (ten.name, ten.schedule) == ("add every 10", '{"every": 10.0}')
    assert (thirty.name, thirty.expires) == ("test('world')", 10.0)
    assert json.loads(mondays.schedule)["crontab"] == "30 7 * * 1"
    assert payload_of(app, ten) == "hello"


@pytest.mark.parametrize("signal", ["on_after_configure", "on_after_finalize"])
def test_a_handler_that_is_connected_late_is_called(app: LiteQ, signal: str) -> None:
    assert app.conf.timezone is None  # settings were looked at

    def setup(sender: LiteQ, **_: Any) -> None:
        sender.add_periodic_task(10, sender.tasks["report"], name="x")

    getattr(app, signal).connect(setup)
    app.load_tasks()
    app.load_tasks()
    assert entry_of(app).name == "x"


def test_a_task_or_a_signature_with_more_arguments_can_be_given(app: LiteQ) -> None:
    task = app.tasks["report"]
    assert app.add_periodic_task(10, task, (1,), {"a": 2}, "plain") == "plain"
    name = app.add_periodic_task(10, task.s(2), (1,), jitter=5, queue="x", timezone="UTC")

    plain, signature = entries_of(app)
    assert signature.name == name == "report(1, 2)"
    assert (signature.jitter, signature.message.queue) == (5.0, "x")
    assert payload_of(app, plain) == ((1,), {"a": 2})


def test_an_added_entry_stays_when_settings_are_read_after_it(app: LiteQ) -> None:
    app.add_periodic_task(10, app.tasks["report"], name="x")
    fields = {"task": "report", "schedule": 5}
    app.config_from_object({"beat_schedule": {"y": fields}})

    assert [each.name for each in entries_of(app)] == ["y", "x"]


def test_a_canvas_is_made_anew_at_each_moment_and_its_end_is_that_of_the_run(app: LiteQ) -> None:
    ran = []

    @app.task(name="note")
    def note(n: int) -> int:
        ran.append(n)
        return n

    @app.task(name="total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    canvas = group(note.s(1), note.s(2)) | total.s()
    app.add_periodic_task(10, canvas, name="both", overlap=False)
    assert travel(app, 20) == ["both", "both"]
    assert sorted(ran) == [1, 1, 2, 2]
    last = app.schedules["both"].last_id
    assert last is not None
    assert app.AsyncResult(last).get(timeout=5) == 3

    app.broker.clock.advance(10)  # type: ignore[attr-defined]
    assert tick(app) == ["both"]
    drain(app, limit=2)  # a part of it
    app.broker.clock.advance(10)  # type: ignore[attr-defined]
    assert tick(app) == []


def test_a_call_with_a_link_is_a_canvas_too(app: LiteQ) -> None:
    ran = []

    @app.task(name="note")
    def note(n: int) -> int:
        ran.append(n)
        return n + 1

    call = note.s(1)
    call.link(note.s())
    app.add_periodic_task(10, call, name="linked")
    travel(app, 10)
    assert ran == [1, 2]


# @app.task(schedule=...)


def test_a_task_may_declare_its_schedule(app: LiteQ) -> None:
    @app.task(name="daily", schedule=crontab(30, 7))
    def daily() -> None: ...

    @app.task(name="often", schedule={"schedule": 5, "jitter": 1, "args": (1,)})
    def often(n: int) -> None: ...

    first, second = entries_of(app)
    assert (first.name, first.message.task) == ("daily", "daily")
    assert (second.name, second.jitter) == ("often", 1.0)


# app.schedules


def test_schedules_are_added_changed_and_removed_at_run_time(
    app: LiteQ, clock: ManualClock
) -> None:
    added = app.schedules.add("x", 60, "report", (1,), {"a": 2}, queue="q", misfire="skip")
    assert (added.app, added.due, added.misfire) == (None, clock() + 60, "skip")
    assert added.message.queue == "q"

    clock.advance(60)
    tick(app)
    changed = app.schedules.add("x", crontab(0, 0), app.tasks["report"].s(5))
    assert (changed.runs, changed.message.queue) == (1, "celery")
    assert app.schedules.list() == [changed] == [*app.schedules]
    assert app.schedules.add("x", crontab(0, 0), app.tasks["report"].s(5)) == changed

    assert app.schedules.remove("x", "unknown") == ["x"]
    assert app.schedules.list() == []
    with pytest.raises(KeyError):
        app.schedules["x"]


def test_a_paused_entry_waits_and_a_resumed_one_skips_what_it_missed(
    app: LiteQ, clock: ManualClock
) -> None:
    app.schedules.add("x", 60, "report", misfire="all")

    assert app.schedules.pause("x", "unknown") == ["x"]
    assert app.schedules.pause("x") == ["x"]
    clock.advance(600)
    assert tick(app) == []
    assert app.schedules.resume("x", "unknown") == ["x"]
    assert tick(app) == []
    clock.advance(60)
    assert tick(app) == ["x"]


def test_a_declared_entry_can_be_paused_but_not_removed(app: LiteQ, clock: ManualClock) -> None:
    app.conf.beat_schedule = {"x": {"task": "report", "schedule": 60}}
    tick(app)
    app.schedules.pause("x")
    clock.advance(60)

    assert tick(app) == []
    with pytest.raises(ConfigurationError, match="comes from the code of shop"):
        app.schedules.remove("x")
    with pytest.raises(ConfigurationError, match="comes from the code of shop"):
        app.schedules.add("x", 5, "report")
    assert len(app.schedules.list()) == 1


def test_an_entry_that_the_code_no_longer_declares_can_be_removed(app: LiteQ) -> None:
    app.conf.beat_schedule = {"x": {"task": "report", "schedule": 60}}
    tick(app)
    app.conf.beat_schedule = {}

    assert app.schedules.remove("x") == ["x"]


def test_a_wrong_schedule_is_refused_where_it_is_added(app: LiteQ) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'queue'"):
        app.schedules.add("x", 5, "report", que="q")


def test_the_next_moments_are_in_the_zone_of_the_app(app: LiteQ) -> None:
    app.conf.timezone = "Europe/Paris"
    app.schedules.add("hourly", crontab(minute=0), "report")
    app.schedules.add("daily", crontab(15, 14), "report")
    app.schedules.add("paused", 5, "report")
    app.schedules.pause("paused")

    coming = [(f"{when:%H:%M %Z}", name) for when, name in app.schedules.next(3)]
    assert coming == [("14:00 CET", "hourly"), ("14:15 CET", "daily"), ("15:00 CET", "hourly")]
    assert [name for _, name in app.schedules.next(2, "daily")] == ["daily", "daily"]


class Interfering(MemoryBroker):
    """A store in which another process changes an entry between a read and a write, once."""

    interfere: Callable[[], object] | None = None

    def schedule(self, entries: Any) -> list[str]:
        interfere, self.interfere = self.interfere, None
        if interfere is not None:
            interfere()
        return super().schedule(entries)


def test_changes_of_two_at_the_same_moment_are_both_kept(clock: ManualClock) -> None:
    broker = Interfering(clock)
    app = LiteQ("shop", broker=broker, set_as_current=False)
    app.schedules.add("x", 60, "report")
    broker.interfere = lambda: app.schedules.pause("x")
    app.schedules.add("x", 5, "report")

    entry = app.schedules["x"]
    assert (entry.schedule, entry.paused) == (to_text(schedule(5)), True)
    broker.interfere = lambda: app.schedules.remove("x")
    assert app.schedules.resume("x") == []


def test_a_task_that_adds_a_schedule_is_not_the_parent_of_its_runs(app: LiteQ) -> None:
    @app.task(name="adds")
    def adds() -> None:
        app.schedules.add("x", 5, "report")

    adds.delay()
    drain(app)
    assert app.schedules["x"].message.options is None


# time travel


def test_firings_are_those_between_two_times(app: LiteQ) -> None:
    app.conf.timezone = "Europe/Paris"
    app.conf.beat_schedule = {
        "nightly": {"task": "report", "schedule": crontab(30, 2)},
        "weekly": {"task": "report", "schedule": crontab(0, 9, day_of_week="mon")},
    }
    start = datetime(2030, 3, 30, tzinfo=UTC)
    coming = [(f"{when:%a %d %H:%M}", name) for when, name in firings(app, start, NOON + YEAR)][:4]

    assert coming == [
        ("Sat 30 02:30", "nightly"),
        ("Sun 31 03:00", "nightly"),  # the clocks were put on
        ("Mon 01 02:30", "nightly"),
        ("Mon 01 09:00", "weekly"),
    ]
    assert firings(app, start, start) == []
    assert len(firings(app, NOON, NOON + YEAR, "weekly")) == 52
    with pytest.raises(ValueError, match="time zone"):
        firings(app, datetime(2030, 1, 1), NOON)  # noqa: DTZ001 - that is what is refused


YEAR = timedelta(days=365)


def test_a_tick_fires_what_is_due_by_the_clock_of_the_store(app: LiteQ, clock: ManualClock) -> None:
    app.conf.beat_schedule = {
        "a": {"task": "report", "schedule": 60},
        "b": {"task": "report", "schedule": 45, "misfire": "all"},
        "c": {"task": "report", "schedule": 45, "overlap": False},
    }

    assert tick(app) == []
    clock.advance(100)
    assert tick(app) == ["b", "a", "c", "b"]  # c was due at 45 and at 90: once is enough
    assert tick(app) == []
    clock.advance(45)
    assert tick(app) == ["a", "b"]  # the last run of c still waits
    assert drain(app) == 6


def test_travelling_stops_wherever_something_is_due(app: LiteQ, clock: ManualClock) -> None:
    seen = []

    @app.task(name="look", schedule=600, bind=True)
    def look(self: Any) -> None:
        seen.append(("look", clock() - NOON.timestamp()))
        again.apply_async(countdown=30)

    @app.task(name="again", bind=True, max_retries=1)
    def again(self: Any) -> None:
        seen.append(("again", clock() - NOON.timestamp()))
        raise self.retry(countdown=45)

    assert travel(app, 1300) == ["look", "look"]
    assert clock() == NOON.timestamp() + 1300
    first = [("look", 600), ("again", 630), ("again", 675)]
    assert seen == [*first, *[(name, when + 600) for name, when in first]]


def test_travelling_needs_a_clock_that_can_be_moved() -> None:
    with pytest.raises(TypeError, match="has no ManualClock"):
        travel(LiteQ("real", broker="memory://", set_as_current=False), 5)
