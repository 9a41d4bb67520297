"""Huey on SQLite, with an fsync for each commit or none at all; it knows nothing between."""

import os
from pathlib import Path

from huey import SqliteHuey

path = Path(os.environ["BENCH_FOLDER"], "huey.db")
huey = SqliteHuey("bench", filename=str(path), fsync=bool(os.environ["BENCH_HUEY_FSYNC"]))


@huey.task()
def add(x, y):
    return x + y
