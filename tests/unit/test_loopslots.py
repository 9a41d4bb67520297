"""The slots of an asyncio pool, of which each belongs to a process."""

import pytest

from liteq.exceptions import InvalidTaskError
from liteq.model.message import Delivery, Message, Receipt
from liteq.pools.base import Slot
from liteq.pools.loopslots import LoopSlots


def delivery(n: int = 1) -> Delivery:
    return Delivery(Message(str(n), "t", b"", "json", "celery"), Receipt(n, 1))


def slots(count: int) -> tuple[list[Slot], LoopSlots[str]]:
    made = [Slot(n) for n in range(count)]
    found = LoopSlots[str](made, 10)
    for slot in made:
        slot.up = True
        found.note(slot)
    return made, found


def test_a_ticket_tells_its_slot_and_tickets_grow() -> None:
    made, found = slots(3)
    tickets = [found.give(made[n], delivery(n), "a") for n in (2, 0, 1, 1, 2, 0)]

    assert [ticket % 10 for ticket in tickets] == [2, 0, 1, 1, 2, 0]
    assert tickets == sorted(tickets)
    assert [found.named("a", ticket).number for ticket in tickets] == [2, 0, 1, 1, 2, 0]
    assert max(tickets) <= found.last_ticket < found.give(made[0], delivery(), "a")


def test_what_is_free_and_who_has_what() -> None:
    made, found = slots(3)
    assert [slot.number for slot in found.free()] == [0, 1, 2]
    assert not found.busy

    ticket = found.give(made[0], delivery(), "a")
    assert [slot.number for slot in found.free()] == [1, 2]
    assert found.busy
    assert (found.owner(made[0]), found.of("a"), found.of("b")) == ("a", [made[0]], [])

    made[0].holding.pop(ticket)
    found.note(made[0])
    assert [slot.number for slot in found.free()] == [1, 2, 0]  # the longest free comes first
    assert not found.busy


def test_a_slot_that_is_down_or_recalled_is_not_free() -> None:
    made, found = slots(2)
    made[0].up, made[1].recalled = False, True
    found.note_all(made)
    assert list(found.free()) == []

    made[1].recalled = False
    found.note(made[1])
    assert list(found.free()) == [made[1]]


def test_a_slot_that_has_left_is_nobodys_until_its_number_is_given_again() -> None:
    made, found = slots(2)
    ticket = found.give(made[1], delivery(), "a")
    made[1].holding.clear()
    found.note(made[1])
    found.remove(made[1])
    assert found.of_ticket(ticket) is None
    assert list(found.free()) == [made[0]]

    again = Slot(1)
    again.up = True
    found.add(again)
    assert found.of_ticket(ticket) is again
    assert list(found.free()) == [made[0], again]


@pytest.mark.parametrize("ticket", [10, -1, 3])
def test_a_process_names_only_what_it_was_given(ticket: int) -> None:
    made, found = slots(2)
    found.give(made[1], delivery(), "a")

    with pytest.raises(InvalidTaskError, match="of another process"):
        found.named("b", ticket)


@pytest.mark.parametrize("ticket", ["x", None, 1.5, ()])
def test_what_is_no_ticket_is_refused(ticket: object) -> None:
    _, found = slots(2)

    with pytest.raises((InvalidTaskError, TypeError, LookupError)):
        found.named("a", ticket)
