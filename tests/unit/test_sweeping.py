"""The pace of the sweeper."""

from liteq.worker.sweeping import TURN, SweepPace


def test_a_turn_takes_about_as_long_as_it_may() -> None:
    pace = SweepPace()
    for _ in range(20):
        pace.next_turn(pace.limit, pace.limit / 200_000)
    assert 0.8 * TURN <= pace.limit / 200_000 <= 1.2 * TURN


def test_one_slow_turn_halves_the_batch_at_most() -> None:
    pace = SweepPace()
    before = pace.limit
    pace.next_turn(before, 10.0)
    assert pace.limit == before // 2


def test_it_comes_back_at_once_when_something_is_left() -> None:
    pace = SweepPace()
    assert pace.next_turn(pace.limit, TURN) == TURN


def test_it_keeps_up_with_a_drain_at_full_speed() -> None:
    """60,000 tasks end in a second, of which 200,000 are deleted in one."""
    pace, clock, swept, pause, backlog = SweepPace(), 0.0, 0, 0.0, 0
    while clock < 30.0:
        clock += min(pause, 2_000 / 60_000)  # it is called, too, whenever 2,000 tasks have ended
        backlog = int(clock * 60_000) - swept
        found = min(backlog, pace.limit)
        pause = pace.next_turn(found, found / 200_000)
        swept += found
        clock += found / 200_000
    assert backlog < 10_000


def test_it_rests_for_half_a_minute_when_nothing_is_due() -> None:
    pace = SweepPace()
    pauses = [pace.next_turn(0, 0.0001) for _ in range(20)]
    assert pauses[-1] == 30.0


def test_a_trickle_is_swept_seldom() -> None:
    """One task a second."""
    pace = SweepPace()
    pauses = [0.05]
    for _ in range(40):
        pauses.append(pace.next_turn(int(pauses[-1]), 0.0001))
    assert pauses[-1] == 30.0
