"""Set aside, or leave out, what is read from a store and cannot be used.

Any program that can write there may have written it. It costs one task, which is dead with the
reason; and what a newer version has added is left alone.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import InvalidTaskError, LiteqError
from ..execution.failure import encode_failure
from ..model.checks import FLAG, MAYBE_TEXT, UNREADABLE, WHOLE, Shape, shown
from ..model.entry import Entry
from ..model.message import LIMITED, RATED, Delivery, Message, Receipt, Record
from ..model.outcome import Policy, Settlement
from ..serializers.json import SERIALIZER as JSON
from ..states import Phase

if TYPE_CHECKING:
    from logging import Logger

RECEIPT: Shape = Shape(key=WHOLE, token=WHOLE)
REST_OF_DELIVERY: Shape = Shape(
    lost=WHOLE, reported=MAYBE_TEXT, attempts=WHOLE, tied=FLAG, woken_by=MAYBE_TEXT
)
"""The fields of a `Delivery` behind its message and its receipt, without its inputs."""

_PHASES = frozenset(map(int, Phase))
_PERHAPS = 1 | LIMITED | RATED  # what follows from the end of a task is looked for
_MOST_WARNINGS = 1000  # about schedules that are left out; each is logged once

_warned: set[tuple[str, str, str]] = set()


def _logger() -> "Logger":
    from logging import getLogger  # takes 4 ms, and who only sends logs nothing

    return getLogger("liteq.broker")


def phase_of(number: Any) -> Phase:
    """Return the phase that is stored as `number`.

    One that only a newer version has, of a task that has not ended for all we know, is shown as
    WAITING. Raises InvalidTaskError for what is no phase.
    """
    if type(number) is not int or number < 0:
        raise InvalidTaskError(f"its phase is {shown(number)}")
    return Phase(number) if number in _PHASES else Phase.WAITING


def parse_info(info: str) -> Mapping[str, Any]:
    """Return the `info` of a worker as a mapping; an empty one if it is not a JSON object."""
    try:
        parsed = json.loads(info)
    except UNREADABLE:  # any program may have written it
        return {}
    return parsed if isinstance(parsed, dict) else {}


def dead_settlement(
    receipt: Receipt,
    id: object,
    task: str,
    why: LiteqError,
    now: float,
    *,
    lost: int = 0,
    tied: int = _PERHAPS,
) -> Settlement:
    """Return the settlement of a claimed task that is not to be run, because of what is stored.

    `id`: what is stored as the id of the task, which may be anything. `task`: its name.
    It is dead, so that it can be looked at, and revived once its cause is mended. It is logged
    here, as no worker hears of it.
    """
    text = f"{task} was not run: {why}"
    _logger().error("task %s is set aside: %s", ascii(id), text)
    return Settlement(
        receipt,
        Phase.DEAD,
        now,
        encode_failure(type(why)(text), JSON),
        JSON.name,
        text,
        Policy().kept_until(Phase.DEAD, now),
        lost=lost,
        tied=tied,
    )


def dead_settlement_of(delivery: Delivery, why: LiteqError, now: float) -> Settlement:
    """Return the settlement of a claimed task that can be read, and yet is not to be run."""
    receipt, lost, tied = delivery.receipt, delivery.lost, delivery.tied
    settlement = dead_settlement(
        receipt, delivery.id, delivery.task, why, now, lost=lost, tied=tied
    )
    return settlement._replace(old_place=delivery.place)


def unreadable_record(id: str, why: Exception) -> Record:
    """Return a record in place of one that cannot be read: a task that is dead, with the reason."""
    text = f"what is stored of this task cannot be read: {why}"
    return Record(
        message=Message(id, "", b"[[],{}]", JSON.name, ""),
        phase=Phase.DEAD,
        result=encode_failure(InvalidTaskError(text), JSON),
        result_serializer=JSON.name,
        traceback=text,
    )


class StoredSchedules(NamedTuple):
    """The schedules of a store."""

    entries: list[Entry]
    left: dict[str, str]  # why others cannot be used, by name

    def readable(self, url: str) -> list[Entry]:
        """Return the entries; log, once for each of the others, that it is left out.

        These stay in the store at `url`: a newer liteq may read them.
        """
        for name, why in self.left.items():
            warning = (name, url, why)
            if warning not in _warned and len(_warned) < _MOST_WARNINGS:
                _warned.add(warning)
                _logger().warning("the schedule %s in %s is left out: %s", ascii(name), url, why)
        return self.entries
