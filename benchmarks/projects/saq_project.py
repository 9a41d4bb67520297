"""SAQ on Redis. Its results are kept for ten minutes, as it comes."""

import os

from saq import Queue

queue = Queue.from_url(f"{os.environ['BENCH_REDIS']}/0")


async def add(ctx, *, x, y):
    return x + y


settings = {"queue": queue, "functions": [add], "concurrency": 10}
