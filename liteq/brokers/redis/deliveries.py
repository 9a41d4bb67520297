"""Deliveries, from `delivery_of` in scripts/claiming.lua.

A reply is decoded as a whole, then what was signed of it is verified. A task of which one of these
fails costs no other.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, Union

from ...exceptions import InvalidTaskError, SecurityError
from ...model.checks import UNREADABLE, check_member
from ...model.graph import ALONE, Place
from ...model.message import Delivery, Input, Member, Message, Receipt
from ...model.options import with_options_of_member
from ...model.outcome import Settlement
from ...model.unique import key_of, same_as
from ...states import Phase
from ...support.clock import Clock
from ..stored import dead_settlement, dead_settlement_of
from .packing import unpack_message
from .replies import given_of, moment, read_text
from .signing import End, Given, Signing

ReadGroup = Callable[[str], list[Any]]
"""Returns the inputs from a group that is too large for one script, as a reply has them."""

_GROUPS = (b"group", b"pages")  # what heads the inputs from a group
_INPUT_SIZE = 8  # values of an input, see input_from in scripts/claiming.lua


class _Failed(NamedTuple):
    """The facts about a failed task that its errback gets."""

    message: Message
    place: Place
    blame: str | None
    member: Member | None
    given: Given | None = None  # arguments, while it waited


class _Ended(NamedTuple):
    """The end of a task, for one that takes its result, and what the result belongs to."""

    input: Input
    end: End
    failed: _Failed | None = None  # for an errback


class _EndedGroup(NamedTuple):
    """A group of which all members have ended; None is a member that is not known any more."""

    id: str
    members: list[Union[_Ended, "_EndedGroup", None]]


class _Followed(NamedTuple):
    """The end of the task as which one is to end, and that task."""

    ended: _Ended
    message: Message
    place: Place


_Taken: TypeAlias = _Ended | _EndedGroup | _Followed | None

_logger = logging.getLogger("liteq.broker")


def log_unusable(receipts: Iterable[Receipt]) -> None:
    """Log tasks whose outcome could not be written, see `set_aside` in scripts/settling.lua."""
    for receipt in receipts:
        _logger.warning("task %s is set aside: what is stored of it cannot be used", receipt.key)


def sort_out(
    replies: Iterable[Any],
    signing: Signing,
    clock: Clock,
    read_group: ReadGroup = lambda group: [],
    *,
    as_sent: bool = False,
) -> tuple[list[Delivery], list[Settlement]]:
    """Return the deliveries that can be run, and the settlements that set the others aside.

    `as_sent`: without the arguments that tasks were given since.
    """
    good, bad = [], []
    for reply in replies:
        try:
            delivery, taken, given = _decode(reply, read_group)
        except InvalidTaskError as exc:
            receipt = _receipt_of(reply)
            bad.append(dead_settlement(receipt, receipt.key, "a task", exc, clock()))
            continue
        try:
            good.append(_verified(delivery, taken, None if as_sent else given, signing))
        except SecurityError as exc:
            bad.append(dead_settlement_of(delivery, exc, clock()))
    return good, bad


def _receipt_of(reply: list[Any]) -> Receipt:
    """Return the receipt of a delivery that cannot be read."""
    id, token, *_ = reply
    try:
        return Receipt(id.decode(), int(token))
    except ValueError:  # the id stays as it is, because the server knows the task by it
        return Receipt(id, int(token) if token.isdigit() else 0)


# As it is stored: not verified.


def _decode(reply: list[Any], read_group: ReadGroup) -> tuple[Delivery, _Taken, Given | None]:
    """Return a delivery without its inputs, these, and the arguments that it was given.

    Raises InvalidTaskError.
    """
    try:
        return _delivery(read_group, *reply)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"what is stored of it cannot be read: {exc}") from exc


def _delivery(
    read_group: ReadGroup, id: bytes, token: bytes, data: bytes | None, details: Any
) -> tuple[Delivery, _Taken, Given | None]:
    if data is None:
        raise InvalidTaskError("its fields, or what it takes from other tasks, cannot be read")
    name = id.decode()
    receipt, message = Receipt(name, int(token)), unpack_message(name, data)
    if details is None:
        return Delivery(message, receipt), None, None
    lost, reported, attempts, tied, woken_by, inputs, values, options, *rest = details
    place = None if values is None else _place(values)
    delivery = Delivery(
        message,
        receipt,
        int(lost or 0),
        read_text(reported),
        int(attempts or 0),
        bool(tied),
        read_text(woken_by),
        _member(place, options),
        place=place,
    )
    taken = _taken(inputs, place or ALONE, read_group)
    if not rest or rest[0] is None:
        return delivery, taken, None
    message, given = _given(message, rest[0])
    return delivery.with_message(message), taken, given


def _given(message: Message, values: list[bytes | None]) -> tuple[Message, Given | None]:
    """Return a message with the times that it has by now, and the arguments that it was given, from
    `given_to` in scripts/claiming.lua."""
    eta, expires, *call = values
    return message._replace(eta=moment(eta), expires=moment(expires)), given_of(*call)


def _place(values: list[bytes | None]) -> Place:
    """Return a place, from `place_of` in scripts/claiming.lua."""
    waits, barrier, on_failure, takes, group, position = values
    after = (read_text(waits), bool(barrier), int(on_failure or 0), bool(takes))
    return Place(*after, read_text(group), int(position or 0))


def _member(place: Place | None, options: bytes | None) -> Member | None:
    """Return the task at `place` as a member of its group, which has `options`."""
    if place is None or place.group is None:
        return None
    member = (place.group, place.position, read_text(options))
    check_member(member)
    return member


def _taken(reply: list[Any] | None, place: Place, read_group: ReadGroup) -> _Taken:
    """Return what a task at `place` takes from others, from `inputs_of` in scripts/claiming.lua."""
    if reply is None:
        return None
    if reply[0] in _GROUPS:
        return _ended_group(reply, read_group)
    if reply[0] == b"same":
        _, end, data, id, values, _ = reply
        return _Followed(_ended(end), unpack_message(id.decode(), data), _place(values))
    ended = _ended(reply[:_INPUT_SIZE])
    if not place.on_failure:
        return ended
    blame, data, id, values, options, *rest = reply[_INPUT_SIZE:]
    message, failed_at = unpack_message(id.decode(), data), _place(values)
    given = None
    if rest and rest[0] is not None:
        message, given = _given(message, rest[0])
    member = _member(failed_at, options)
    return ended._replace(failed=_Failed(message, failed_at, read_text(blame), member, given))


def _ended_group(reply: list[Any], read_group: ReadGroup) -> _EndedGroup:
    kind, id, *inputs = reply
    group = _EndedGroup(id.decode(), [])
    for member in read_group(group.id) if kind == b"pages" else inputs[0]:
        if member is None:
            group.members.append(None)
        elif member[0] in _GROUPS:
            group.members.append(_ended_group(member, read_group))
        else:
            group.members.append(_ended(member))
    return group


def _ended(reply: list[Any]) -> _Ended:
    phase, serializer, result, traceback, id, reported, group, position = reply
    whose = (id.decode(), Phase(phase), read_text(reported), read_text(serializer))
    end = End(*whose, read_text(group), int(position or 0))
    return _Ended(Input(phase, end.serializer, result, read_text(traceback)), end)


# Verified. What a task takes has to be that of the tasks which its place names, and these are in
# the signatures of their results.


def _verified(delivery: Delivery, taken: _Taken, given: Given | None, signing: Signing) -> Delivery:
    """Return a delivery with its inputs. Raises SecurityError when some of it is not genuine."""
    place = delivery.place or ALONE
    sent = delivery.message
    message = signing.verify_message(sent, place)
    if taken is None and message is sent and given is None:
        return delivery  # as nearly all are where nothing is signed: 2 us less
    member = signing.verify_member(delivery.member)
    if isinstance(taken, _Followed):
        inputs: Any = _end_to_have(taken, message, signing)
    else:
        inputs = _inputs(taken, place, signing)
    if given is not None:
        message = signing.with_given(message, given, place)
    return delivery.with_message(message)._replace(member=member, inputs=inputs)


def _end_to_have(followed: _Followed, message: Message, signing: Signing) -> Any:
    """Return the end of the task as which `message` is to end: one that has the same key."""
    other = signing.verify_message(followed.message, followed.place)
    fits = _key(other) is not None and _key(other) == _key(message)
    signing.require(fits, f"the task {other.id} does not have its unique key")
    return same_as(_input(followed.ended, signing))


def _key(message: Message) -> str | None:
    key = key_of(message)
    return key and key.key


def _inputs(taken: _Ended | _EndedGroup | None, place: Place, signing: Signing) -> Any:
    """Return what a task at `place` takes: an `Input`, for a group a list of them, or None."""
    if taken is None:
        signing.require(
            not (place.takes or place.on_failure), f"what it takes from {place.waits} is missing"
        )
        return None
    if isinstance(taken, _EndedGroup):
        return _inputs_from_group(taken, signing)
    input, failed = _input(taken, signing), taken.failed
    if failed is None:
        signing.require(taken.end.id == place.waits, f"its input is the result of {taken.end.id}")
        return input
    signing.require(failed.message.id == place.waits, f"it is an errback of {place.waits}")
    message = signing.verify_message(failed.message, failed.place)
    if failed.given is not None:
        message = signing.with_given(message, failed.given, failed.place)
    message = with_options_of_member(message, signing.verify_member(failed.member))
    return input._replace(blame=failed.blame, message=tuple(message))


def _inputs_from_group(group: _EndedGroup, signing: Signing) -> list[Any]:
    found: list[Any] = []
    last = -1
    for member in group.members:
        if member is None:
            found.append(None)
        elif isinstance(member, _EndedGroup):
            found.append(_inputs_from_group(member, signing))
        else:
            found.append(_input(member, signing))
            end = member.end
            if end.phase is not Phase.SKIPPED:  # else it is the error of a task that is elsewhere
                fits = end.group == group.id and end.position >= last
                signing.require(fits, f"{end.id} has no such place in the group that it waits for")
                last = end.position
    return found


def _input(ended: _Ended, signing: Signing) -> Input:
    input, end, _ = ended
    absent = input.result is None and end.phase is Phase.SUCCEEDED
    signing.require(not absent, f"the result of {end.id} is missing")
    try:
        result = signing.verify_result(input.result, end)
    except SecurityError as exc:
        raise SecurityError(f"of the result of {end.id}, which it takes: {exc}") from exc
    if end.kind == "report":
        result = None  # it was revoked after that, and has no result
    return input._replace(result=result)
