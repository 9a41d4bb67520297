"""Procrastinate on Postgres, with the connector that its synchronous users have."""

import os

from procrastinate import App, SyncPsycopgConnector

app = App(connector=SyncPsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"]))


@app.task(name="add")
def add(x, y):
    return x + y
