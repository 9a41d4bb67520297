"""Messages as the bytes that Redis keeps of them.

A message is kept as one text that no script reads: a JSON array of what it was sent with, a line
break, and its payload. What scripts need of it is kept in fields of its own beside it.
"""

import json
from functools import lru_cache
from typing import Any

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE, check_message, check_storable
from ...model.message import Message

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_FIELDS = len(Message._fields) - 2  # without the id and the payload
_DEFAULTS = tuple(Message._field_defaults.values())


def pack_message(message: Message) -> bytes:
    """Return all of `message` but its id."""
    _, task, payload, *rest = message
    return b"%b\n%b" % (_pack_head(task, *rest), payload)


def unpack_message(id: str, data: bytes) -> Message:
    """Return the message that `pack_message` was given.

    Raises InvalidTaskError for what it has not packed.
    """
    head, _, payload = data.partition(b"\n")
    task, *rest = _unpack_head(head)
    return Message(id, task, payload, *rest)


@lru_cache(4096, typed=True)
def _pack_head(*fields: Any) -> bytes:
    """Encode `fields`, without the last ones that have their default values.

    With up to 64 bytes in each field of a hash, Redis keeps a task in half the memory.
    """
    size, required = len(fields), len(fields) - len(_DEFAULTS)
    while size > required and fields[size - 1] == _DEFAULTS[size - 1 - len(fields)]:
        size -= 1
    return _encode(fields[:size]).encode()


@lru_cache(4096)
def _unpack_head(head: bytes) -> tuple[Any, ...]:
    try:
        # A newer version may have added fields at the end: they are not for this one.
        task, *rest = json.loads(head)[:_FIELDS]
        message = Message("", task, b"", *rest)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"what it was sent with cannot be read: {exc}") from exc
    check_message(message)
    check_storable(Message._fields, message)
    return (task, *rest)
