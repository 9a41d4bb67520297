"""JSON, extended by types that JSON lacks.

Plain values go through the C encoder and decoder as they are. Only for others `rich` walks the
value, and writes what JSON lacks as `{"__liteq__": [type, body]}`.
"""

import json
import re
from typing import Any, Never

from .base import TAG, guarded


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _untag(value: dict[str, Any]) -> Any:
    from .rich import untagged

    return untagged(value)


# No check for values that contain themselves: these end in a RecursionError.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
_decode_plain = json.JSONDecoder(parse_constant=_refuse_constant).decode
_decode_rich = json.JSONDecoder(parse_constant=_refuse_constant, object_hook=_untag).decode

# The encoder turns the keys 1, 1.5, True and None into text. JSON that may have come from such
# keys, or that has our tag as a key of the user's, is written again by way of `rich`.
_suspect = re.compile(rf'"(?:-?[0-9][0-9.e+-]*|true|false|null|{TAG})":').search


def dumps(value: Any) -> bytes:
    """Return `value` as JSON in UTF-8."""
    try:
        text = _encode(value)
    except (TypeError, ValueError):  # a type that JSON lacks, or a float such as nan
        text = None
    if text is None or _suspect(text):
        from .rich import tagged

        text = _encode(tagged(value))
    return text.encode()


def loads(data: bytes) -> Any:
    """Return the value of JSON in UTF-8, written by `dumps` or by any other program."""
    text = data.decode()
    return _decode_rich(text) if TAG in text else _decode_plain(text)


SERIALIZER = guarded("json", dumps, loads)
