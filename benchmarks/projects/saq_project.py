"""SAQ on Redis. Its results are kept for ten minutes, as it comes."""

import asyncio
import os

from saq import Queue

queue = Queue.from_url(f"{os.environ['BENCH_REDIS']}/0")


async def add(ctx, *, x, y):
    return x + y


async def nap(ctx):
    await asyncio.sleep(1)


slots = int(os.environ.get("BENCH_SAQ_SLOTS", "10"))
settings = {"queue": queue, "functions": [add, nap], "concurrency": slots}
