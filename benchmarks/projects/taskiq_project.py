"""Taskiq on Redis, results in a database of their own so that they can be counted."""

import asyncio
import os

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

REDIS = os.environ["BENCH_REDIS"]

# Without `socket_timeout`, a worker with redis-py 8 fails after five seconds without a task.
queue = ListQueueBroker(f"{REDIS}/0", socket_timeout=None)
broker = queue.with_result_backend(RedisAsyncResultBackend(f"{REDIS}/1"))


@broker.task
async def add(x, y):
    return x + y


@broker.task
async def nap():
    await asyncio.sleep(1)
