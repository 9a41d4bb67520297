"""Small questions to records, and how they begin."""

from collections.abc import ItemsView
from math import inf
from typing import Any

from ...model.message import Message, Record
from ...model.options import options_of
from ...states import Phase


def new(message: Message, now: float) -> Record:
    """A message as it is first stored."""
    later = message.eta is not None and message.eta > now
    return Record(
        message=message,
        phase=Phase.SCHEDULED if later else Phase.READY,
        token=0,
        lost=0,
        worker=None,
        created=now,
        started=None,
        finished=None,
        keep_until=None,
        result=None,
        result_serializer=None,
        traceback=None,
        reported=None,
    )


def headers_of(record: Record) -> ItemsView[str, Any]:
    """The headers it was sent with."""
    headers: dict[str, Any] = options_of(record.message).get("headers") or {}
    return headers.items()


def eta(record: Record) -> float:
    """Not before."""
    return inf if record.message.eta is None else record.message.eta


def kept_until(record: Record) -> float:
    """When it may be forgotten."""
    return inf if record.keep_until is None else record.keep_until
