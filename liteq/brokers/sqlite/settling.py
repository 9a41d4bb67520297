"""Settlements: the outcomes of claimed tasks, and what follows from them."""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

from ...model.message import Receipt
from ...model.outcome import Settlement
from .rows import attempt_row, end_row, plain_end_rows, retry_row
from .statements import SQL
from .workflows import cancel_revoked, insert, propagate_ends, replace


class ClaimLostError(Exception):
    """A receipt of a batch is void, so the transaction is to be rolled back."""


class Written(NamedTuple):
    """The result of a batch of settlements."""

    refused: list[Receipt]  # of claims that were lost
    wakes: bool  # other tasks may be ready now, or the same ones again


def settle_all(db: Connection, settlements: Sequence[Settlement], now: float) -> Written:
    """Write all settlements. Raises ClaimLostError when one of the claims was lost."""
    plain, others = plain_end_rows(settlements)
    written = db.executemany(SQL["finish_plain"], plain).rowcount if plain else 0
    if others:
        written += _finish(db, [each for each in others if each.retry is None])
        written += _retry(db, [each for each in others if each.retry is not None])
    if written != len(settlements):
        raise ClaimLostError
    return Written([], _propagate(db, others, now))


def settle_each(db: Connection, settlements: Sequence[Settlement], now: float) -> Written:
    """Write the settlements whose claims still hold."""
    written: list[Settlement] = []
    refused: list[Settlement] = []
    for each in settlements:
        (written if _settle_one(db, each) else refused).append(each)
    return Written([each.receipt for each in refused], _propagate(db, written, now))


def _finish(db: Connection, finals: Sequence[Settlement]) -> int:
    """Write the settlements of tasks that have ended; return how many claims still held."""
    return db.executemany(SQL["finish"], map(end_row, finals)).rowcount if finals else 0


def _retry(db: Connection, retries: Sequence[Settlement]) -> int:
    """Write the settlements of tasks that run again; return how many claims still held."""
    if not retries:
        return 0
    db.executemany(SQL["remember"], map(attempt_row, retries))
    return db.executemany(SQL["retry"], map(retry_row, retries)).rowcount


def _settle_one(db: Connection, settlement: Settlement) -> bool:
    if settlement.retry is None:
        return db.execute(SQL["finish"], end_row(settlement)).rowcount > 0
    db.execute(SQL["remember"], attempt_row(settlement))
    return db.execute(SQL["retry"], retry_row(settlement)).rowcount > 0


def _propagate(db: Connection, written: Sequence[Settlement], now: float) -> bool:
    """Write what follows from settlements for other tasks; return whether some may be ready now."""
    for each in written:
        if each.graph is not None:
            _replace(db, each, now)
    tied = [int(each.receipt.key) for each in written if each.tied and each.retry is None]
    if tied:
        propagate_ends(db, tied, now)
    retried = any(each.retry is not None for each in written)
    if retried:
        cancel_revoked(db, now)
    return bool(tied) or retried


def _replace(db: Connection, settlement: Settlement, now: float) -> None:
    """Store the tasks that replace one; it ends when they have ended."""
    assert settlement.graph is not None
    assert settlement.retry is not None
    insert(db, settlement.graph, now)
    if settlement.place is not None:
        replace(db, settlement.retry.id, settlement.place)
