"""A little shop: an order is charged, approved by a human, shipped, and the customer told.

All of it is one task, which takes days, and no process has to live that long. The orders and the
tasks are in one file, `shop.db`.
"""

import os
import sqlite3
from contextlib import closing
from datetime import timedelta

import world

from liteq import LiteQ
from liteq.exceptions import EventTimeoutError

FILE = os.environ.get("SHOP", "shop.db")
STORE = os.environ.get("LITEQ_BROKER_URL")  # another one than that file
app = LiteQ("shop", broker=STORE or f"sqlite:///{FILE}?shared=1")

# An order is not given up because its worker was killed a few times.
app.conf.task_max_lost = 100

APPROVAL = timedelta(seconds=float(os.environ.get("APPROVAL", "172800")))  # two days
PACKING = timedelta(seconds=float(os.environ.get("PACKING", "10")))
PATIENCE = float(os.environ.get("PATIENCE", "5"))  # seconds until a request is tried again

TABLE = """
create table if not exists orders (
  id integer primary key, amount integer, address text, state text default 'new'
)
"""


def connect():
    return sqlite3.connect(FILE, timeout=30)


if STORE:  # what is sent in a transaction of the file is relayed there
    app.outbox(connect)


def set_up():
    """Make the file, unless it is there. liteq asks for WAL mode."""
    with closing(connect()) as db:
        db.execute("pragma journal_mode = wal")
        db.execute(TABLE)


def place(order, amount, address):
    """Take an order; return the id of its task. There is a row if and only if there is a task."""
    with closing(connect()) as db, app.transaction(db):
        db.execute(
            "insert into orders (id, amount, address) values (?, ?, ?)", (order, amount, address)
        )
        return fulfil.apply_async((order, amount, address), task_id=f"order-{order}").id


@app.task(
    bind=True,
    autoretry_for=(world.Unreachable,),
    default_retry_delay=PATIENCE,
    max_retries=None,
)
def fulfil(self, order, amount, address):
    """Do all that an order needs.

    Code outside of steps runs again, each time that the task goes on: here that is only the
    making of a key, and what is decided by the values of steps.
    """
    key = f"order-{order}"
    self.step("charge", world.charge, key, amount)
    try:
        approval = self.wait_for(f"approved:{order}", timeout=APPROVAL)
    except EventTimeoutError:
        approval = {"ok": False, "by": "nobody"}
    if approval["ok"]:
        parcel = self.step("ship", world.ship, key, address)
        self.sleep("until it has left", PACKING)
        self.step("mail", world.mail, key, address, f"{parcel} is on its way")
        end(self, order, f"shipped as {parcel}")
    else:
        self.step("refund", world.refund, key)
        self.step("mail", world.mail, key, address, "we are sorry: your money comes back")
        end(self, order, f"refused by {approval['by']}")


def end(task, order, state):
    """Write how an order ended: in the transaction that ends its task, or once."""
    db = connect()
    with closing(db), task.once(db) if STORE else task.commit(db) as tx:
        db.execute("update orders set state = ? where id = ?", (state, order))
        tx.result = state
