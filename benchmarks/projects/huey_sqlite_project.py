"""Huey on SQLite. `fsync=False` (synchronous=OFF) is its quickest setting, and not durable."""

import os

from huey import SqliteHuey

huey = SqliteHuey("bench", filename=os.path.join(os.environ["BENCH_FOLDER"], "huey.db"), fsync=False)


@huey.task()
def add(x, y):
    return x + y
