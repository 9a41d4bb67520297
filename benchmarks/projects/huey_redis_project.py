"""Huey on Redis: blocking reads, and results that notify who waits for them."""

import os

from huey import RedisHuey

huey = RedisHuey("bench", url=f"{os.environ['BENCH_REDIS']}/0", notify_result=False)


@huey.task()
def add(x, y):
    return x + y
