"""Dramatiq with coroutines: each is awaited by a thread of its own."""

import asyncio
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications
from dramatiq.middleware.asyncio import AsyncIO
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from redis import Redis

REDIS = os.environ["BENCH_REDIS"]

middleware = [AgeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries(), AsyncIO()]
# A thread has a connection of its own, and redis-py allows a hundred unless told otherwise.
queues, stored = (Redis.from_url(f"{REDIS}/{n}", max_connections=10_000) for n in (0, 1))
broker = RedisBroker(client=queues, middleware=middleware)
broker.add_middleware(Results(backend=RedisBackend(client=stored), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
async def add(x, y):
    return x + y


@dramatiq.actor
async def nap():
    await asyncio.sleep(1)
