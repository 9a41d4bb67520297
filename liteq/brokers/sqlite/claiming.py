"""Claims: the first ready tasks of some queues are given to a worker."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from sqlite3 import Connection
from typing import NamedTuple

from ...exceptions import BrokerError, InvalidTaskError
from ...model.checks import UNREADABLE
from ...model.message import Delivery
from ...model.outcome import Policy
from ...states import Phase
from ..base import Claim
from ..stored import dead_settlement, dead_settlement_of
from .changes import Changes
from .inputs import options_of_group, with_inputs
from .rows import Row, delivery_of, group_in, receipt_of
from .settling import settle_each
from .statements import SQL, claim_sql
from .workflows import propagate_ends

MOST = 500
"""Tasks that one transaction sets aside, for which it holds the write lock for some 70 ms."""

_MOST_QUEUES = 256  # in one statement: SQLite allows no more than 500

_woken_by, _priority, _key = map(attrgetter, ("woken_by", "priority", "key"))


class Claimed(NamedTuple):
    """The result of a claim in one transaction."""

    deliveries: list[Delivery]
    rest: Claim | None  # to be claimed in another one: behind those set aside others may be ready


def claim_ready(
    db: Connection, claim: Claim, now: float, changes: Changes, *, if_open: bool = False
) -> Claimed:
    """Claim ready tasks, and return them; `if_open`: none if there are rules for claims."""
    if claim.limit <= 0 or not claim.queues:
        return Claimed([], None)
    queues = claim.queues if len(claim.queues) <= _MOST_QUEUES else _ready_queues(db, claim)
    if not queues:
        return Claimed([], None)
    values: dict[str, object] = {f"q{n}": name for n, name in enumerate(queues)}
    values.update(worker=claim.worker, limit=claim.limit, now=now)
    sql = claim_sql(len(queues), if_open=if_open)
    claimed: list[Delivery] = []
    aside, rest = 0, None
    while rows := db.execute(sql, values).fetchall():
        found = _in_order(readable(db, rows, now, changes))
        claimed += found
        if len(found) == len(rows):
            break
        aside += len(rows) - len(found)
        left = claim._replace(limit=claim.limit - len(claimed))
        if aside >= MOST:
            rest = left
            break
        values["limit"] = left.limit
    if len(claimed) < claim.limit and _MOST_QUEUES == len(queues) < len(claim.queues):
        rest = claim._replace(limit=claim.limit - len(claimed))
    if any(map(_woken_by, claimed)):
        claimed = _with_inputs(db, claimed, now, changes)
    return Claimed(claimed, rest)


def _in_order(deliveries: list[Delivery]) -> list[Delivery]:
    """Return what one statement has claimed in the order of the port, in which it may be already.

    Two sorts by one field each take 0.1 us a task, and one by both of them 0.3 us.
    """
    deliveries.sort(key=_key)
    deliveries.sort(key=_priority, reverse=True)
    return deliveries


def claim_rest(claimed: Claimed, claim: Callable[[Claim], Claimed]) -> list[Delivery]:
    """Return what was claimed, and what `claim` does of the rest, each time in a transaction."""
    deliveries, rest = claimed
    # What was claimed before must not be lost by an error: the next claim will raise it again.
    with suppress(BrokerError):
        while rest is not None:
            found, rest = claim(rest)
            deliveries += found
    return deliveries


def _ready_queues(db: Connection, claim: Claim) -> Sequence[str]:
    """Return the queues of a claim in which its most urgent ready tasks are.

    The tasks of a claim are in no more queues than there are tasks, and the first of each queue is
    its most urgent one.
    """
    wanted, most = set(claim.queues), min(claim.limit, _MOST_QUEUES)
    ready = (name for (name,) in db.execute(SQL["ready_queues"]).fetchall() if name in wanted)
    return list(islice(ready, most))


def _with_inputs(
    db: Connection, claimed: Iterable[Delivery], now: float, changes: Changes
) -> list[Delivery]:
    """Return what was claimed, in its order, with inputs; set aside what has unreadable ones.

    A group may be in itself, for all we know.
    """
    found, unreadable = [], []
    for delivery in claimed:
        try:
            found.append(with_inputs(db, delivery) if delivery.woken_by else delivery)
        except UNREADABLE as exc:
            why = InvalidTaskError(f"what it takes from other tasks cannot be read: {exc}")
            unreadable.append(dead_settlement_of(delivery, why, now))
    if unreadable:
        settle_each(db, unreadable, now, changes)
    return found


def readable(db: Connection, rows: Sequence[Row], now: float, changes: Changes) -> list[Delivery]:
    """Return the deliveries of claimed rows; set those aside that cannot be read."""
    groups = set(map(group_in, rows))
    options = {id: options_of_group(db, id) for id in groups if id is not None}
    with suppress(InvalidTaskError):
        return [delivery_of(row, options) for row in rows]
    found, unreadable = [], []
    for row in rows:
        try:
            found.append(delivery_of(row, options))
        except InvalidTaskError as exc:
            unreadable.append(dead_settlement(receipt_of(row), row[0], _name(row), exc, now))
    if unreadable:
        settle_each(db, unreadable, now, changes)
    return found


def promote(db: Connection, changes: Changes, now: float) -> None:
    """Make the first scheduled tasks that are due ready."""
    changes.at_random = True  # some were left for other workers, see `Kind.LEFT`
    for (queue,) in db.execute(SQL["promote"], (now,)).fetchall():
        changes.woken(queue)


def set_unreadable_etas_aside(db: Connection, changes: Changes, now: float) -> None:
    """Set up to `MOST` scheduled tasks aside whose eta is no number."""
    keep_until = Policy().kept_until(Phase.DEAD, now)
    values = {"now": now, "keep_until": keep_until, "limit": MOST}
    rows = db.execute(SQL["unreadable_etas"], values).fetchall()
    changes.keys += [key for key, _ in rows]
    propagate_ends(db, [key for key, tied in rows if tied], now, changes)


def _name(row: Row) -> str:
    return row[1] if isinstance(row[1], str) else ascii(row[1])
