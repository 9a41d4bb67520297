"""What happens to workers on Redis, as far as their store knows."""

import time

from liteq.brokers.base import Broker
from liteq.brokers.owners import Owner, this_process
from liteq.brokers.redis import RedisBroker


def kill(broker: Broker, worker: int) -> None:
    """Let `worker` be of a process that had the pid of this one, and has exited."""
    _set_owner(broker, worker, this_process()._replace(start="1"))
    # Where processes cannot be seen, the lease is all there is.
    _execute(broker, "ZADD", "{liteq}:leases", "XX", 0, worker)


def miss_heartbeats(broker: Broker, worker: int) -> None:
    """Let no heartbeat of `worker` have come for long, while others sent theirs."""
    _execute(broker, "ZADD", "{liteq}:leases", "XX", 1, worker)  # one that left has no lease
    _execute(broker, "SET", "{liteq}:beat", time.time())


def end_lease(broker: Broker, worker: int) -> Owner:
    """Let `worker` be of another machine, and miss its heartbeats; return its process."""
    owner = this_process()._replace(host="elsewhere", boot="another")
    _set_owner(broker, worker, owner)
    miss_heartbeats(broker, worker)
    return owner


def restart_machine(broker: Broker, worker: int) -> None:
    """Let `worker` be of this machine before it was restarted."""
    _set_owner(broker, worker, this_process()._replace(boot="another boot"))
    miss_heartbeats(broker, worker)


def _set_owner(broker: Broker, worker: int, owner: Owner) -> None:
    key = f"{{liteq}}:worker:{worker}"
    _execute(broker, "HSET", key, "owner", str(owner), "boot", owner.boot)


def _execute(broker: Broker, *command: str | float) -> None:
    assert isinstance(broker, RedisBroker)
    broker.server.execute(*command)
