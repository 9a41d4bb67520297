"""The liteq side: embedded SQLite file."""

import asyncio
import os
import time

from liteq import LiteQ

app = LiteQ("bench", broker=os.environ["BENCH_LITEQ_URL"])

if expires := os.environ.get("BENCH_LITEQ_EXPIRES"):
    app.conf.result_expires = float(expires)


@app.task
def add(x, y):
    return x + y


@app.task
async def async_add(x, y):
    return x + y


@app.task
async def nap():
    await asyncio.sleep(1)


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def length(values):
    return len(values)


@app.task
def now():
    return time.time()
