"""Dramatiq on Redis, results in a database of their own so that they can be counted.

The default middleware without time limits, which a no-op task has no use for.
"""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

REDIS = os.environ["BENCH_REDIS"]

broker = RedisBroker(
    url=f"{REDIS}/0",
    middleware=[AgeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries()],
)
broker.add_middleware(Results(backend=RedisBackend(url=f"{REDIS}/1"), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
def add(x, y):
    return x + y
