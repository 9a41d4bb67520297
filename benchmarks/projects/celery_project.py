"""Celery on Redis.

Each process keeps a good supply of tasks at hand (prefetch 32 instead of 4), and tasks are
acknowledged before they run, as is Celery's default: its quickest way, not its safest.
"""

import os

from celery import Celery

REDIS = os.environ["BENCH_REDIS"]

app = Celery("bench", broker=f"{REDIS}/0", backend=f"{REDIS}/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=32,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    task_send_sent_event=False,
)


@app.task
def add(x, y):
    return x + y
