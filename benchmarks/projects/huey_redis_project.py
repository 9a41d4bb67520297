"""Huey on Redis. `notify_result` is left off: each task would pay for it, and who waits would
gain half a millisecond."""

import os

from huey import RedisHuey

huey = RedisHuey("bench", url=f"{os.environ['BENCH_REDIS']}/0")


@huey.task()
def add(x, y):
    return x + y
