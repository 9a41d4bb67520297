"""Who is handed what, and that a worker claims no more than it can hand out."""

from collections.abc import Sequence

import pytest

from liteq.model.message import LIMITED, RATED, Delivery, Message, Receipt
from liteq.pools import Slot
from liteq.worker.batching import MOST, Batching

SHORT = 1e-6  # seconds


def deliveries(count: int, first: int = 0) -> list[Delivery]:
    return [
        Delivery(Message(str(n), "short", b"", "json", "celery"), Receipt(n, 1))
        for n in range(first, first + count)
    ]


def slots(*holding: int) -> Sequence[Slot]:
    """Slots that hold so many deliveries."""
    made = [Slot(number) for number in range(len(holding))]
    for slot, count in zip(made, holding, strict=True):
        slot.up = True
        slot.holding.update(enumerate(deliveries(count)))
    return made


@pytest.fixture
def pace() -> Batching:
    """One that knows the task as a short one."""
    pace = Batching()
    pace.note("short", SHORT, 1000)
    return pace


@pytest.mark.parametrize(
    "holding", [(0, 0), (100, 200), (128, 129), (0, 200), (10, 120, 250), (1, 1, 1, MOST)]
)
def test_all_that_is_claimed_is_handed_out(pace: Batching, holding: tuple[int, ...]) -> None:
    taking = slots(*holding)
    claimed = deliveries(pace.room(taking))
    plans, left = pace.share(claimed, taking)

    assert claimed
    assert left == []
    assert sorted(each.receipt for _, batch in plans for each in batch) == sorted(
        each.receipt for each in claimed
    )
    assert all(len(slot.holding) + len(batch) <= MOST for slot, batch in plans)


def test_the_least_loaded_slot_gets_the_oldest(pace: Batching) -> None:
    busy, idle = slots(50, 0)
    plans, _ = pace.share(deliveries(20), (busy, idle))

    assert [(slot, len(batch)) for slot, batch in plans] == [(idle, 10), (busy, 10)]
    assert plans[0][1][0].message.id == "0"


def test_what_nobody_has_room_for_is_answered(pace: Batching) -> None:
    plans, left = pace.share(deliveries(100), slots(MOST, MOST - 10))

    assert [len(batch) for _, batch in plans] == [10]
    assert [each.message.id for each in left] == [str(n) for n in range(10, 100)]


def test_a_slot_that_has_not_seen_a_recall_gets_nothing(pace: Batching) -> None:
    stopped, busy = slots(0, 10)
    stopped.recalled = True
    plans, left = pace.share(deliveries(20), (stopped, busy))

    assert pace.room((stopped,)) == 0
    assert [(slot, len(batch)) for slot, batch in plans] == [(busy, 20)]
    assert not left


def test_a_new_task_travels_alone(pace: Batching) -> None:
    taking = slots(0, 0)
    unknown = [each._replace(task="new") for each in deliveries(3)]
    plans, left = pace.share(unknown, taking)

    assert [len(batch) for _, batch in plans] == [1, 1]
    assert len(left) == 1


def test_a_task_of_a_rate_is_handed_out_alone_and_to_an_idle_slot(pace: Batching) -> None:
    rated = [each._replace(tied=LIMITED | RATED) for each in deliveries(3)]

    batches, left = pace.share(rated, slots(0, 5, 0))

    assert [(slot.number, len(batch)) for slot, batch in batches] == [(0, 1), (2, 1)]
    assert left == rated[2:]
