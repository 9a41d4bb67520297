"""Settlements: the outcomes of claimed tasks, and what follows from them."""

from collections.abc import Sequence
from sqlite3 import Connection

from ...model.message import Receipt
from ...model.outcome import Settlement
from .news import News
from .rows import attempt_row, end_row, plain_end_rows, retry_row
from .statements import SQL
from .workflows import cancel_revoked, insert, propagate_ends, replace


class ClaimLostError(Exception):
    """A receipt of a batch is void, so the transaction is to be rolled back."""


def settle_all(
    db: Connection, settlements: Sequence[Settlement], now: float, news: News
) -> list[Receipt]:
    """Write all settlements; return an empty list, as `settle_each` does when all claims hold.

    Raises ClaimLostError when one of the claims was lost.
    """
    if not settlements:
        return []
    plain, others = plain_end_rows(settlements)
    written = db.executemany(SQL["finish_plain"], plain).rowcount if plain else 0
    if others:
        written += _finish(db, [each for each in others if each.retry is None])
        written += _retry(db, [each for each in others if each.retry is not None])
    if written != len(settlements):
        raise ClaimLostError
    news.settled.append(settlements)
    _propagate(db, others, now, news)
    return []


def settle_each(
    db: Connection, settlements: Sequence[Settlement], now: float, news: News
) -> list[Receipt]:
    """Write the settlements whose claims still hold; return the receipts of the others."""
    written: list[Settlement] = []
    refused: list[Settlement] = []
    for each in settlements:
        (written if _settle_one(db, each) else refused).append(each)
    news.settled.append(written)
    _propagate(db, written, now, news)
    return [each.receipt for each in refused]


def report(db: Connection, id: str, state: str, meta: bytes, serializer: str, news: News) -> bool:
    """Write the state that a task reports; return False if it does not exist, or has ended."""
    news.ids.append(id)
    return db.execute(SQL["report"], (state, meta, serializer, id)).rowcount > 0


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


def _propagate(db: Connection, written: Sequence[Settlement], now: float, news: News) -> None:
    """Write what follows from settlements for other tasks."""
    for each in written:
        if each.graph is not None:
            _replace(db, each, now, news)
    tied = [int(each.receipt.key) for each in written if each.tied and each.retry is None]
    if tied:
        propagate_ends(db, tied, now, news)
    if any(each.retry is not None for each in written):
        news.retried(written)
        cancel_revoked(db, now, news)


def _replace(db: Connection, settlement: Settlement, now: float, news: News) -> None:
    """Store the tasks that replace one; it ends when they have ended."""
    assert settlement.graph is not None
    assert settlement.retry is not None
    insert(db, settlement.graph, now, news)
    if settlement.place is not None:
        replace(db, settlement.retry.id, settlement.place)
