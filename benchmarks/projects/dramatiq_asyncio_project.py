"""Dramatiq with coroutines: each is awaited by a thread of its own."""

import asyncio
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications
from dramatiq.middleware.asyncio import AsyncIO
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

REDIS = os.environ["BENCH_REDIS"]

middleware = [AgeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries(), AsyncIO()]
broker = RedisBroker(url=f"{REDIS}/0", middleware=middleware)
broker.add_middleware(Results(backend=RedisBackend(url=f"{REDIS}/1"), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
async def add(x, y):
    return x + y


@dramatiq.actor
async def nap():
    await asyncio.sleep(1)
