"""Settlements: the outcomes of claimed tasks, and what follows from them."""

from collections.abc import Sequence
from sqlite3 import Connection

from ...model.message import Receipt
from ...model.outcome import Settlement
from ...states import Phase
from .changes import Changes
from .output import write_output
from .rows import attempt_row, end_row, plain_end_rows, retry_row, suspend_row
from .statements import SQL
from .steps import await_events, write_steps
from .workflows import cancel_revoked, insert, propagate_ends, replace


class ClaimLostError(Exception):
    """A receipt of a batch is void, so the transaction is to be rolled back."""


def settle_all(
    db: Connection, settlements: Sequence[Settlement], now: float, changes: Changes
) -> list[Receipt]:
    """Write all settlements; return an empty list, as `settle_each` does when all claims hold.

    Raises ClaimLostError when one of the claims was lost.
    """
    if not settlements:
        return []
    plain, others = plain_end_rows(settlements)
    ending: Sequence[Settlement] = others
    if any(each.steps != () or each.phase is Phase.RUNNING for each in others):
        ending = _write_all_steps(db, others)
    written = db.executemany(SQL["finish_plain"], plain).rowcount if plain else 0
    if ending:
        written += _finish(db, [each for each in ending if each.retry is None])
        written += _retry(db, [each for each in ending if each.retry is not None])
    if written != len(plain) + len(ending):
        raise ClaimLostError
    changes.settled.append(settlements)
    _propagate(db, others, now, changes)
    return []


def settle_each(
    db: Connection, settlements: Sequence[Settlement], now: float, changes: Changes
) -> list[Receipt]:
    """Write the settlements whose claims still hold; return the receipts of the others."""
    written: list[Settlement] = []
    refused: list[Settlement] = []
    for each in settlements:
        (written if _settle_one(db, each) else refused).append(each)
    changes.settled.append(written)
    _propagate(db, written, now, changes)
    return [each.receipt for each in refused]


def report(
    db: Connection, id: str, state: str, meta: bytes, serializer: str, changes: Changes
) -> bool:
    """Write the state that a task reports; return False if it does not exist, or has ended."""
    changes.ids.append(id)
    return db.execute(SQL["report"], (state, meta, serializer, id)).rowcount > 0


def _write_all_steps(db: Connection, settlements: Sequence[Settlement]) -> Sequence[Settlement]:
    """Write the steps and the output of all; return the settlements of tasks that do not go on.

    They come before the ends, as a task may end a step and then itself. Raises ClaimLostError.
    """
    ended = set()
    for each in settlements:
        if each.output is not None and not write_output(db, each.receipt, each.output):
            raise ClaimLostError
        if each.receipt in ended or (each.steps != () and not write_steps(db, each)):
            raise ClaimLostError
        if each.phase is not Phase.RUNNING:
            ended.add(each.receipt)
    return [each for each in settlements if each.phase is not Phase.RUNNING]


def _finish(db: Connection, finals: Sequence[Settlement]) -> int:
    """Write the settlements of tasks that have ended; return how many claims still held."""
    return db.executemany(SQL["finish"], map(end_row, finals)).rowcount if finals else 0


def _retry(db: Connection, retries: Sequence[Settlement]) -> int:
    """Write the settlements of tasks that run again; return how many claims still held.

    Raises ClaimLostError when one claim is settled twice: it ended by the first of these.
    """
    if not retries:
        return 0
    if len({each.receipt for each in retries}) < len(retries):
        raise ClaimLostError
    db.executemany(SQL["remember"], map(attempt_row, retries))
    fresh = [retry_row(each) for each in retries if not each.keeps_report]
    later = [suspend_row(each) for each in retries if each.keeps_report]
    written = db.executemany(SQL["retry"], fresh).rowcount if fresh else 0
    return written + (db.executemany(SQL["suspend"], later).rowcount if later else 0)


def _settle_one(db: Connection, settlement: Settlement) -> bool:
    if settlement.output is not None:
        return write_output(db, settlement.receipt, settlement.output)
    if settlement.steps != () and not write_steps(db, settlement):
        return False
    if settlement.phase is Phase.RUNNING:
        return True
    if settlement.retry is None:
        return db.execute(SQL["finish"], end_row(settlement)).rowcount > 0
    return _retry(db, [settlement]) > 0


def _propagate(db: Connection, written: Sequence[Settlement], now: float, changes: Changes) -> None:
    """Write what follows from settlements for other tasks."""
    for each in written:
        if each.graph is not None:
            _replace(db, each, now, changes)
    tied = [int(each.receipt.key) for each in written if each.tied and each.retry is None]
    if tied:
        propagate_ends(db, tied, now, changes)
    retries = [each for each in written if each.retry is not None]
    if retries:
        changes.retried(retries)
        await_events(db, retries, now, changes)
        cancel_revoked(db, now, changes)


def _replace(db: Connection, settlement: Settlement, now: float, changes: Changes) -> None:
    """Store the tasks that replace one; it ends when they have ended."""
    assert settlement.graph is not None
    assert settlement.retry is not None
    insert(db, settlement.graph, now, changes)
    if settlement.place is not None:
        replace(db, settlement.retry.id, settlement.place)
