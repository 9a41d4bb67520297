"""The options of a message, which are JSON text, as a mapping."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from .message import Member, Message

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

NOTES = ("requeued", "gathered")
"""List the options that liteq adds when a task is to run again; no call has them.

`requeued`: it was given back to its queue. `gathered`: it waited for tasks that it had sent, and
whatever has woken it since is not its parent.
"""


def options_of(message: Message) -> Mapping[str, Any]:
    """Return the options of `message`; its many readers share one parsed copy.

    The mapping is read-only, and the values in it must not be changed either: use `parse_options`
    for what is changed or given to user code. Raises ValueError when the text is not JSON.
    """
    return _parsed(message.options) if message.options else _NO_OPTIONS


def parse_options(message: Message) -> dict[str, Any]:
    """Return the options of `message` as a new dict, which the caller may change.

    Raises ValueError when the text is not JSON.
    """
    if not message.options:
        return {}
    options: dict[str, Any] = _loads()(message.options)
    return options


@cache
def _loads() -> Callable[[str], Any]:
    import json  # takes 2 ms, and most messages have no options

    return json.loads


def with_notes(message: Message, **notes: object) -> Message:
    """Return `message` with these options added. Raises ValueError when its own are not JSON."""
    before = options_of(message)
    options = {**before, **notes}
    if options == before:
        return message
    import json

    return message._replace(options=json.dumps(options, separators=(",", ":")))


def notes_of(message: Message) -> dict[str, Any]:
    """Return those options of `message` that are notes."""
    return {name: value for name, value in options_of(message).items() if name in NOTES}


def options_of_group(text: str | None) -> Mapping[str, Any]:
    """Return the options that all members of a group have, as `options_of` those of a message."""
    return _parsed(text) if text else _NO_OPTIONS


def options_of_member(member: Member) -> dict[str, Any]:
    """Return the options that a task has as a `member` of its group, beside its own, which count
    first.

    Raises ValueError when those of the group are not JSON.
    """
    group, position, shared = member
    return {**options_of_group(shared), "group_id": group, "group_index": position}


def with_options_of_member(message: Message, member: Member | None) -> Message:
    """Return `message` with all options of a `member` in its own, for those who know no group."""
    if member is None:
        return message
    import json

    options = {**options_of_member(member), **options_of(message)}
    return message._replace(options=json.dumps(options, separators=(",", ":")))


# Small, because it is there in every process, and options may hold large headers. A worker reads
# those of one message a few times in a row; calls with the same options share one text.
@lru_cache(maxsize=256)
def _parsed(text: str) -> Mapping[str, Any]:
    return MappingProxyType(_loads()(text))


def has_one_of(headers: Mapping[str, Any], message: Message) -> bool:
    """Return whether `message` was sent with one of `headers`, or has one as a stamp.

    Of a stamp that is a list, one of its items will do.
    """
    options = options_of(message)
    sent: Mapping[str, Any] = options.get("headers") or {}
    stamps: Mapping[str, Any] = options.get("stamps") or {}
    return any(
        pair in sent.items() or _has(stamps.get(pair[0]), pair[1]) for pair in headers.items()
    )


def _has(stamp: Any, value: Any) -> bool:
    return value in stamp if isinstance(stamp, list) else stamp is not None and stamp == value
