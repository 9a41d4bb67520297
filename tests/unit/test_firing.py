"""The decision what an entry does at a given time."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteq.beat.firing import Due, due, fire_times, merged, planned
from liteq.model.entry import Entry
from liteq.model.message import Message
from liteq.schedules import BaseSchedule, crontab, from_text, schedule, to_text

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MESSAGE = Message("", "task", b"payload", "json", "celery", options='{"headers":{"a":1}}')
EVERY_MINUTE = crontab()
HOURLY = crontab.from_string("@hourly")
DAILY = crontab.from_string("0 2 * * *")


def entry(which: BaseSchedule | float = HOURLY, now: float = NOON, **fields: Any) -> Entry:
    """Return an entry that begins `now`."""
    which = which if isinstance(which, BaseSchedule) else schedule(which)
    return planned(Entry("report", to_text(which), MESSAGE, **fields), now)


def step(entry: Entry, now: float) -> Due:
    """Return the one step that is due."""
    (found,) = due([entry], now)
    return found


def run(entry: Entry, now: float) -> tuple[Entry, list[float]]:
    """Take all steps that are due; return the entry, and the moments for which it has sent."""
    sent = []
    while steps := due([entry], now):
        (found,) = steps
        entry = found.firing.entry
        if found.firing.message is not None:
            sent.append(found.moment)
    return entry, sent


def test_it_fires_at_its_moment_and_not_before() -> None:
    hourly = entry()

    assert hourly.due == NOON + HOUR
    assert due([hourly], NOON + HOUR - 0.001) == []
    assert step(hourly, NOON + HOUR).moment == NOON + HOUR


def test_the_first_run_of_an_interval_is_one_interval_after_it_began() -> None:
    assert entry(30).due == NOON + 30


def test_what_is_sent_is_the_message_with_an_id_and_the_moment_in_its_headers() -> None:
    found = step(entry(expires=10.0), NOON + HOUR + 0.5)
    message, after = found.firing.message, found.firing.entry

    assert message is not None
    assert message._replace(id="", options=None, expires=None) == MESSAGE._replace(options=None)
    assert message.expires == NOON + HOUR + 10.5
    assert json.loads(message.options or "")["headers"] == {
        "a": 1,
        "periodic_task_name": "report",
        "periodic_task_moment": "2030-01-31T13:00:00+00:00",
    }
    assert (after.runs, after.last, after.last_id) == (1, NOON + HOUR, message.id)
    assert (after.moment, after.due, after.planned) == (
        NOON + 2 * HOUR,
        NOON + 2 * HOUR,
        NOON + HOUR + 0.5,
    )


def test_the_id_depends_on_the_moment_only() -> None:
    hourly = entry()
    early, late = step(hourly, NOON + HOUR), step(hourly, NOON + HOUR + 9)
    assert early.firing.message
    assert late.firing.message
    assert early.firing.message.id == late.firing.message.id

    ids = {early.firing.message.id}
    for other in (hourly._replace(name="other"), hourly._replace(runs=1), early.firing.entry):
        message = step(other, other.due or 0).firing.message
        assert message
        ids.add(message.id)
    assert len(ids) == 4


def test_an_interval_does_not_drift_with_the_times_of_the_turns() -> None:
    now, ticking = NOON, entry(10)
    for n in range(1, 50):
        now = NOON + 10 * n + 0.3
        found = step(ticking, now)
        assert (found.moment, found.missed) == (NOON + 10 * n, 0)
        ticking = found.firing.entry


def test_a_paused_or_ended_entry_does_not_fire() -> None:
    paused = entry(paused=True)

    assert paused.due is None
    assert due([paused, entry()._replace(moment=None, due=None)], NOON + DAY) == []
    assert planned(paused._replace(paused=False), NOON).due == NOON + HOUR


def test_several_entries_fire_in_the_order_of_their_moments() -> None:
    entries = [entry(3)._replace(name="c"), entry(2), entry(2)._replace(name="a")]

    assert [each.firing.entry.name for each in due(entries, NOON + 3)] == ["a", "report", "c"]


# moments that were missed

THREE_DAYS_ON = NOON + 3 * DAY + 90.0


def test_after_three_days_down_it_runs_once_for_the_last_moment() -> None:
    found = step(entry(), THREE_DAYS_ON)

    assert (found.moment, found.missed, found.late) == (NOON + 3 * DAY, 71, 90.0)
    assert found.firing.message is not None
    after, sent = run(entry(), THREE_DAYS_ON)
    assert sent == [NOON + 3 * DAY]
    assert after.due == NOON + 3 * DAY + HOUR


def test_after_three_days_down_it_runs_for_none_of_them() -> None:
    after, sent = run(entry(misfire="skip"), THREE_DAYS_ON)

    assert sent == []  # the last is 90 seconds late, and a minute is punctual
    assert (after.due, after.runs) == (NOON + 3 * DAY + HOUR, 0)


def test_a_punctual_moment_runs_even_if_others_were_missed_before() -> None:
    _, sent = run(entry(misfire="skip"), THREE_DAYS_ON - 60)

    assert sent == [NOON + 3 * DAY]


def test_after_three_days_down_it_runs_for_each_of_them() -> None:
    after, sent = run(entry(misfire="all"), THREE_DAYS_ON)

    assert sent == [NOON + HOUR * n for n in range(1, 73)]
    assert after.due == NOON + 3 * DAY + HOUR


@pytest.mark.parametrize(("misfire", "runs"), [("once", 1), ("all", 5)])
def test_a_moment_later_than_the_grace_does_not_run(misfire: str, runs: int) -> None:
    _, sent = run(entry(misfire=misfire, grace=5 * HOUR), THREE_DAYS_ON)
    _, none = run(entry(misfire=misfire, grace=89.0), THREE_DAYS_ON)

    assert sent == [NOON + 3 * DAY - HOUR * n for n in reversed(range(runs))]
    assert none == []


def test_an_interval_keeps_its_beat_through_a_long_pause() -> None:
    after, sent = run(entry(7.0), NOON + DAY)

    assert len(sent) == 1
    assert ((after.due or 0) - NOON) % 7 == 0
    assert (after.due or 0) - NOON - DAY <= 7


def test_many_missed_moments_are_not_all_counted() -> None:
    found = step(entry(1.0), NOON + 365 * DAY)

    assert found.missed == 1000
    assert found.moment == NOON + 365 * DAY


def test_in_the_years_ahead_too() -> None:
    for year in (2038, 2100, 2400):
        start = datetime(year, 2, 28, 12, tzinfo=UTC).timestamp()
        found = planned(entry(crontab.from_string("0 0 29 2 *")), start)
        assert found.due is not None
        following = datetime.fromtimestamp(found.due, UTC)
        assert (following.month, following.day) == (2, 29)
        assert step(found, found.due).firing.message


# jitter


def test_jitter_is_a_delay_that_differs_by_moment_and_not_by_process() -> None:
    jittery = entry(jitter=30.0)
    delays = []
    for n in range(1, 100):
        assert jittery.due is not None
        delays.append(jittery.due - NOON - n * HOUR)
        assert due([jittery], jittery.due - 0.001) == []
        jittery = step(jittery, jittery.due).firing.entry

    assert all(0 <= delay <= 30 for delay in delays)
    assert max(delays) - min(delays) > 20
    assert entry(jitter=30.0).due == entry(jitter=30.0).due
    assert planned(entry(jitter=30.0)._replace(name="other"), NOON).due != entry(jitter=30.0).due


@given(
    every=st.sampled_from([1.0, 60.0, 3600.0]),
    jitter=st.sampled_from([0.5, 60.0, 5000.0]),
    misfire=st.sampled_from(["once", "all"]),
    looks=st.lists(st.floats(0.1, 300), max_size=30),
)
def test_each_moment_fires_at_most_once_in_order_and_never_early(
    every: float, jitter: float, misfire: str, looks: list[float]
) -> None:
    now, jittery = NOON, entry(every, jitter=jitter, misfire=misfire)
    sent: list[float] = []
    for wait in looks:
        now += wait
        jittery, more = run(jittery, now)
        sent += more

    assert sent == sorted(set(sent))
    assert all(moment <= now for moment in sent)
    if misfire == "all":
        assert sent == [NOON + every * (n + 1) for n in range(len(sent))]


# a clock that is set


@pytest.mark.parametrize("which", [EVERY_MINUTE, 60.0])
def test_after_the_clock_is_set_back_a_day_entries_fire_soon(which: Any) -> None:
    ticking, _ = run(entry(which), NOON + MINUTE)
    yesterday = NOON + MINUTE - DAY
    back, sent = run(ticking, yesterday + 1)

    assert sent == []  # nothing is run again at once
    assert back.due is not None
    assert yesterday + MINUTE <= back.due <= yesterday + 2 * MINUTE + 1
    again, sent = run(back, back.due)
    assert len(sent) == 1
    assert again.last_id != ticking.last_id


def test_a_clock_that_is_set_back_ten_minutes_makes_nothing_run_twice() -> None:
    hourly, sent = run(entry(), NOON + HOUR + 300)
    assert sent == [NOON + HOUR]
    back, sent = run(hourly, NOON + HOUR - 300)

    assert sent == []
    assert back.due == NOON + 2 * HOUR


def test_a_daily_task_is_not_run_again_when_its_day_comes_again() -> None:
    daily, sent = run(entry(DAILY), NOON + DAY)
    assert len(sent) == 1
    back, sent = run(daily, NOON + DAY - 22 * HOUR)  # before two in the morning of that day

    assert sent == []
    assert back.due == daily.due


def test_a_clock_that_goes_back_again_and_again_does_not_put_a_run_off_for_ever() -> None:
    now, hourly = NOON, entry()
    for _ in range(5):
        now -= 600
        hourly, _ = run(hourly, now)

    assert hourly.due is not None
    assert hourly.due <= NOON + HOUR


def test_a_clock_that_is_set_back_less_than_a_second_is_ignored() -> None:
    ticking, _ = run(entry(1.0), NOON + 10)

    assert due([ticking], NOON + 9.2) == []


def test_a_clock_that_is_set_forward_and_back_runs_once_for_the_jump() -> None:
    ticking, sent = run(entry(60.0), NOON + DAY)
    assert len(sent) == 1
    back, sent = run(ticking, NOON + 5)

    assert sent == []
    assert NOON + 5 < (back.due or 0) <= NOON + 65


# what the code has now


def test_an_entry_that_is_declared_as_before_stays_as_it_is() -> None:
    stored = step(entry(app="shop"), NOON + HOUR).firing.entry._replace(version=7)

    assert merged(stored, Entry("report", stored.schedule, MESSAGE, app="shop"), NOON + DAY) is None


def test_an_entry_that_is_new_begins_now() -> None:
    wanted = Entry("report", to_text(HOURLY), MESSAGE)

    assert merged(None, wanted, NOON) == entry()


@pytest.mark.parametrize(
    "change",
    [{"message": MESSAGE._replace(queue="other")}, {"misfire": "all"}, {"app": "shop"}],
)
def test_a_change_that_is_not_of_the_schedule_keeps_the_moments(change: dict[str, Any]) -> None:
    stored = step(entry(), NOON + HOUR).firing.entry._replace(version=7)
    wanted = Entry("report", stored.schedule, MESSAGE)._replace(**change)

    assert merged(stored, wanted, NOON + DAY) == stored._replace(**change)


def test_a_change_of_the_schedule_changes_the_moments_and_keeps_the_history() -> None:
    stored = step(entry(), NOON + HOUR).firing.entry._replace(version=7)
    changed = merged(stored, Entry("report", to_text(DAILY), MESSAGE), NOON + DAY)

    assert changed is not None
    assert changed.due == NOON + DAY + 14 * HOUR
    assert (changed.runs, changed.last, changed.version) == (1, stored.last, 7)


def test_a_paused_entry_stays_paused() -> None:
    stored = entry(paused=True, now=NOON)._replace(version=7)
    changed = merged(stored, Entry("report", to_text(DAILY), MESSAGE), NOON)

    assert changed is not None
    assert (changed.paused, changed.due) == (True, None)


# a look ahead


def test_fire_times_are_those_at_which_it_fires() -> None:
    jittery = entry(jitter=600.0)
    ahead = list(islice(fire_times(jittery), 20))
    fired = []
    for _ in range(20):
        assert jittery.due
        fired.append(jittery.due)
        jittery = step(jittery, jittery.due).firing.entry

    assert ahead == fired
    assert list(fire_times(entry(paused=True))) == []


def test_fire_times_go_on_through_summer_time() -> None:
    paris = crontab.from_string("30 2 * * *", tz="Europe/Paris")
    start = datetime(2030, 3, 29, tzinfo=UTC)
    days = [
        datetime.fromtimestamp(each, UTC)
        for each in islice(fire_times(entry(paris, start.timestamp())), 4)
    ]

    assert [each.strftime("%d %H:%M") for each in days] == [
        "29 01:30",
        "30 01:30",
        "31 01:00",  # 02:30 is not on that day
        "01 00:30",
    ]
    assert from_text(entry(paris).schedule) == paris
    assert days[-1] - days[0] < timedelta(days=3)
