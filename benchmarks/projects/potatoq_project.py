"""potatoq, on SQLite or Redis; results are written with the acknowledgement in both."""

import os

from potatoq import Potatoq

app = Potatoq("bench", broker=os.environ["BENCH_POTATOQ_URL"])
app.conf.update(
    result_backend="broker",
    worker_max_tasks_per_child=None,  # a fresh process each 1,000 tasks costs time
)


@app.task
def add(x, y):
    return x + y
