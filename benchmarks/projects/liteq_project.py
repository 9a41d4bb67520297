"""The liteq side: embedded SQLite file."""

import json
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
def total(numbers):
    return sum(numbers)


@app.task
def length(values):
    return len(values)


@app.task
def now():
    return time.time()


@app.task(bind=True)
def parse(self, count, how):
    """Parse so many lines; return the seconds of processor time that it took."""
    line = json.dumps({"id": 17, "name": "a row of a file", "price": 12.5, "tags": ["a", "b"]})
    lines = [line] * count
    began = time.process_time()
    match how:
        case "silent":
            for each in lines:
                json.loads(each)
        case "loop":
            for each in self.progress(lines, "reading"):
                json.loads(each)
        case "calls":
            for number, each in enumerate(lines):
                self.progress(number, count, "reading")
                json.loads(each)
    return time.process_time() - began
