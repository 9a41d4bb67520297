"""How many slots an autoscaled worker has: `liteq.worker.autoscale`."""

import pytest

from liteq.exceptions import ConfigurationError
from liteq.worker.autoscale import Load, Scale, check_scale, next_size, note_use

SCALE = Scale(most=5, least=2)


class Worker:
    """A worker that is looked at once a second."""

    def __init__(self, size: int = 2, scale: Scale = SCALE) -> None:
        self.size, self.scale, self.now = size, scale, 1000.0
        self.used: list[float] = []

    def look(self, busy: int, waited: float | None = None, times: int = 1) -> int:
        for _ in range(times):
            self.now += 1
            load = Load(self.size, busy, waited)
            self.used = note_use(self.used, load, self.now)
            self.size = next_size(self.scale, load, self.used, self.now)
        return self.size


def test_a_slot_a_second_is_added_while_a_task_waits_up_to_the_most() -> None:
    worker = Worker()

    assert [worker.look(worker.size, 2.0) for _ in range(5)] == [3, 4, 5, 5, 5]


def test_none_is_added_for_tasks_that_have_hardly_waited() -> None:
    assert Worker().look(2, 0.1) == 2


def test_none_is_added_while_a_slot_is_idle() -> None:
    assert Worker().look(1, 60.0) == 2


def test_none_is_added_while_no_task_waits() -> None:
    assert Worker().look(2) == 2


def test_a_slot_is_taken_away_when_it_was_idle_for_half_a_minute() -> None:
    worker = Worker(5)
    worker.look(5)
    assert worker.look(0, times=29) == 5

    assert [worker.look(0) for _ in range(5)] == [4, 3, 2, 2, 2]


def test_slots_that_were_in_use_stay() -> None:
    worker = Worker(5)
    worker.look(5)
    worker.look(3, times=60)

    assert worker.size == 3
    assert worker.look(0) == 3


def test_a_slot_that_is_used_now_and_then_stays() -> None:
    worker = Worker(5)
    for _ in range(5):
        worker.look(5)
        worker.look(0, times=20)

    assert worker.size == 5


def test_a_new_slot_counts_as_used() -> None:
    worker = Worker(2)
    worker.look(2, 5.0)
    assert worker.look(0, times=30) == 3
    assert worker.look(0) == 2


def test_a_change_of_the_bounds_counts_at_once() -> None:
    worker = Worker(5)
    worker.scale = Scale(3, 1)
    assert worker.look(5, 9.0) == 3
    worker.scale = Scale(9, 7)
    assert worker.look(0) == 7


def test_slots_that_leave_are_forgotten() -> None:
    worker = Worker(4)
    worker.look(4)
    worker.size = 2
    worker.look(1)

    assert len(worker.used) == 2


@pytest.mark.parametrize("bounds", [(2, 3), (0, 0), (3, 0), (-1, -2)])
def test_bounds_that_contradict_each_other_are_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match="such as 10,2"):
        check_scale(*bounds)
