"""Settlements: the outcomes of claimed tasks, and what follows from them."""

from collections.abc import Sequence
from sqlite3 import Connection

from ...model.message import Receipt
from ...model.outcome import Settlement
from .news import News
from .rows import attempt_row, end_row, is_minimal_end, minimal_end_row, retry_row
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
    retries = [each for each in settlements if each.retry is not None]
    written = _finish(db, [each for each in settlements if each.retry is None])
    if retries:
        db.executemany(SQL["remember"], map(attempt_row, retries))
        written += db.executemany(SQL["retry"], map(retry_row, retries)).rowcount
    if written != len(settlements):
        raise ClaimLostError
    _propagate(db, settlements, now, news)
    return []


def report(db: Connection, id: str, state: str, meta: bytes, serializer: str, news: News) -> bool:
    """Write the state that a task reports; return False if it does not exist, or has ended."""
    news.ids.append(id)
    return db.execute(SQL["report"], (state, meta, serializer, id)).rowcount > 0


def settle_each(
    db: Connection, settlements: Sequence[Settlement], now: float, news: News
) -> list[Receipt]:
    """Write the settlements whose claims still hold; return the receipts of the others."""
    written: list[Settlement] = []
    refused: list[Settlement] = []
    for each in settlements:
        (written if _settle_one(db, each) else refused).append(each)
    _propagate(db, written, now, news)
    return [each.receipt for each in refused]


def _finish(db: Connection, finals: Sequence[Settlement]) -> int:
    """Write the settlements of tasks that have ended; return how many claims still held."""
    minimal = [minimal_end_row(each) for each in finals if is_minimal_end(each)]
    written = db.executemany(SQL["finish_minimal"], minimal).rowcount if minimal else 0
    if len(minimal) < len(finals):
        full = [end_row(each) for each in finals if not is_minimal_end(each)]
        written += db.executemany(SQL["finish"], full).rowcount
    return written


def _settle_one(db: Connection, settlement: Settlement) -> bool:
    if settlement.retry is None:
        return db.execute(SQL["finish"], end_row(settlement)).rowcount > 0
    db.execute(SQL["remember"], attempt_row(settlement))
    return db.execute(SQL["retry"], retry_row(settlement)).rowcount > 0


def _propagate(db: Connection, written: Sequence[Settlement], now: float, news: News) -> None:
    """Write what follows from settlements for other tasks."""
    news.settled.append(written)
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
