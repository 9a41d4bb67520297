"""Claims: the first ready tasks of some queues are given to a worker."""

from sqlite3 import Connection

from ...model.message import Delivery
from ..base import Claim
from .inputs import with_inputs
from .rows import delivery_of
from .statements import claim_sql


def claim_ready(db: Connection, claim: Claim, now: float) -> list[Delivery]:
    """Claim ready tasks, and return them."""
    if claim.limit <= 0 or not claim.queues:
        return []
    values: dict[str, object] = {f"q{n}": name for n, name in enumerate(claim.queues)}
    values.update(worker=claim.worker, limit=claim.limit, now=now)
    look, take = claim_sql(len(claim.queues))
    rows = db.execute(look, values).fetchall()
    if rows:
        db.execute(take, values)
    deliveries = map(delivery_of, rows)
    return [with_inputs(db, each) if each.woken_by else each for each in deliveries]
