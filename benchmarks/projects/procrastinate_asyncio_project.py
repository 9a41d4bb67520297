"""Procrastinate with coroutines, and the connector that they need."""

import asyncio
import os

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"]))


@app.task(name="add")
async def add(x, y):
    return x + y


@app.task(name="nap")
async def nap():
    await asyncio.sleep(1)
