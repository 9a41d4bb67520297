"""Writes what became of claimed tasks."""

from collections.abc import Sequence
from sqlite3 import Connection

from ...model.message import Receipt
from ...model.outcome import Settlement
from .rows import attempt_row, final_row, is_minimal_end, minimal_final_row, retry_row
from .statements import SQL
from .workflows import cancel_revoked, insert, propagate_ends, replace


class ClaimLostError(Exception):
    """Some receipt of a batch fits nothing any more: the batch is rolled back."""


def settle_all(db: Connection, settlements: Sequence[Settlement], now: float) -> None:
    """Write them all. Raises ClaimLostError when one of the claims was lost."""
    others = [each for each in settlements if each.retry is not None]
    written = _finish(db, [each for each in settlements if each.retry is None])
    if others:
        db.executemany(SQL["remember"], map(attempt_row, others))
        written += db.executemany(SQL["retry"], map(retry_row, others)).rowcount
    if written != len(settlements):
        raise ClaimLostError
    _follow(db, settlements, now)


def _finish(db: Connection, finals: Sequence[Settlement]) -> int:
    """Write those that have ended; answer how many of them could be written."""
    plain = [minimal_final_row(each) for each in finals if is_minimal_end(each)]
    written = db.executemany(SQL["finish_minimal"], plain).rowcount if plain else 0
    if len(plain) < len(finals):
        full = [final_row(each) for each in finals if not is_minimal_end(each)]
        written += db.executemany(SQL["finish"], full).rowcount
    return written


def settle_each(db: Connection, settlements: Sequence[Settlement], now: float) -> list[Receipt]:
    """Write those whose claims still hold; answer the receipts of the others."""
    written = [each for each in settlements if _settle_one(db, each)]
    _follow(db, written, now)
    return [each.receipt for each in settlements if each not in written]


def _settle_one(db: Connection, each: Settlement) -> bool:
    if each.retry is None:
        return db.execute(SQL["finish"], final_row(each)).rowcount > 0
    db.execute(SQL["remember"], attempt_row(each))
    return db.execute(SQL["retry"], retry_row(each)).rowcount > 0


def _follow(db: Connection, written: Sequence[Settlement], now: float) -> None:
    """What the settlements have as a consequence, in the same transaction."""
    replaced = [each for each in written if each.graph is not None]
    for each in replaced:
        _replace(db, each, now)
    tied = [int(each.receipt.key) for each in written if each.tied and each.retry is None]
    if tied:
        propagate_ends(db, tied, now)
    if any(each.retry is not None for each in written):
        cancel_revoked(db, now)


def _replace(db: Connection, each: Settlement, now: float) -> None:
    """Other tasks go on in its place, and it ends when they have ended."""
    assert each.graph is not None
    assert each.retry is not None
    insert(db, each.graph, now)
    if each.place is not None:
        replace(db, each.retry.id, each.place)
