"""The storm of all kinds and strikes on the asyncio pool, with coroutines in the mix."""

import re
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from tests.faults import test_storm_of_all
from tests.faults.test_storm_of_all import (  # noqa: F401 - a fixture
    RedisStormOfAll,
    StormOfAll,
    server,
    survive,
)
from tests.servers import RedisServer, needs_redis

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PLAIN = "later|twin|unwanted|total"  # these stay as they are, and run in threads


def in_coroutines(source: str) -> str:
    """Make coroutines of most tasks in `source`."""
    source = source.replace("import os, signal, time", "import asyncio, os, signal, time")
    source = re.sub(rf"(@app\.task.*\n)def (?!{PLAIN})", r"\1async def ", source)
    return re.sub(r"time\.sleep\(", "await asyncio.sleep(", source)


TASKS = (
    in_coroutines(test_storm_of_all.TASKS)
    + """
@app.task
async def threaded(x, y):
    return await asyncio.to_thread(lambda: x + y)

@app.task(time_limit=0.2)
async def stuck(x, y):
    time.sleep(1000)  # so its process has to be killed

@app.task(bind=True)
async def stepped(self, x, y):
    async def count(n):
        await asyncio.sleep(0)
        return n + 1
    return await self.step("one", count, x)
"""
)

SENDER = test_storm_of_all.SENDER.replace(
    "WORKFLOWS =", "EVERY += [(2503, stuck), (31, threaded), (29, stepped)]\nWORKFLOWS ="
)


class AsyncioStorm(StormOfAll):
    """The storm on event loops."""

    tasks, sender = TASKS, SENDER
    options: ClassVar[tuple[str, ...]] = ("-P", "asyncio", "-c", "20", "--processes", "2")
    allowed: ClassVar[dict[str, set[str]]] = {
        **StormOfAll.allowed,
        "threaded": {"right"},
        "stuck": {"FAILED"},
        "stepped": {"right"},
    }

    def __init__(self, folder: Path, seed: int, stop: float) -> None:
        super().__init__(folder, seed, stop, self.tasks)


class AsyncioRedisStorm(RedisStormOfAll):
    """The same on a server."""

    tasks, sender = TASKS, SENDER
    options: ClassVar[tuple[str, ...]] = AsyncioStorm.options
    allowed: ClassVar[dict[str, set[str]]] = AsyncioStorm.allowed


def test_most_tasks_are_coroutines() -> None:
    assert len(re.findall(r"^async def", TASKS, re.MULTILINE)) >= 12
    assert len(re.findall(r"^def", TASKS, re.MULTILINE)) >= 4


def test_coroutines_survive_all_strikes_for_a_moment(tmp_path: Path) -> None:
    survive(AsyncioStorm(tmp_path, seed=1, stop=1), 6)


@needs_redis
def test_coroutines_survive_all_strikes_for_a_moment_on_redis(
    tmp_path: Path,
    server: RedisServer,  # noqa: F811
) -> None:
    survive(AsyncioRedisStorm(tmp_path, 1, 1, server), 6)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [11, 12])
def test_coroutines_survive_all_strikes_for_a_minute(tmp_path: Path, seed: int) -> None:
    survive(AsyncioStorm(tmp_path, seed, stop=10), 60)


@pytest.mark.soak
@pytest.mark.timeout(600)
@needs_redis
@pytest.mark.parametrize("seed", [11, 12])
def test_coroutines_survive_all_strikes_for_a_minute_on_redis(
    tmp_path: Path,
    seed: int,
    server: RedisServer,  # noqa: F811
) -> None:
    survive(AsyncioRedisStorm(tmp_path, seed, 10, server), 60)
