"""A little shop: an order is charged, approved by a human, shipped, and the customer told.

All of it is one task, which takes days, and no process has to live that long.
"""

import os
from datetime import timedelta

import world

from liteq import LiteQ
from liteq.exceptions import EventTimeoutError

app = LiteQ("shop", broker=os.environ.get("LITEQ_BROKER_URL", "sqlite:///shop.db"))

# An order is not given up because its worker was killed a few times.
app.conf.task_max_lost = 100

APPROVAL = timedelta(seconds=float(os.environ.get("APPROVAL", "172800")))  # two days
PACKING = timedelta(seconds=float(os.environ.get("PACKING", "10")))
PATIENCE = float(os.environ.get("PATIENCE", "5"))  # seconds until a request is tried again


@app.task(
    bind=True,
    autoretry_for=(world.Unreachable,),
    default_retry_delay=PATIENCE,
    max_retries=None,
)
def fulfil(self, order, amount, address):
    """Do all that an order needs; return how it ended.

    Code outside of steps runs again, each time that the task goes on: here that is only the
    making of a key, and what is decided by the values of steps.
    """
    key = f"order-{order}"
    self.step("charge", world.charge, key, amount)
    try:
        approval = self.wait_for(f"approved:{order}", timeout=APPROVAL)
    except EventTimeoutError:
        approval = {"ok": False, "by": "nobody"}
    if not approval["ok"]:
        self.step("refund", world.refund, key)
        self.step("mail", world.mail, key, address, "we are sorry: your money comes back")
        return f"refused by {approval['by']}"
    parcel = self.step("ship", world.ship, key, address)
    self.sleep("until it has left", PACKING)
    self.step("mail", world.mail, key, address, f"{parcel} is on its way")
    return f"shipped as {parcel}"
