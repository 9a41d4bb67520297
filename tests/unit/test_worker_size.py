"""How many tasks a worker runs at a time."""

from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import ImproperlyConfigured
from liteq.worker.autoscale import Scale
from liteq.worker.cpus import usable_cpus
from liteq.worker.size import Size


def size_of(**given: Any) -> Size:
    with LiteQ("size", broker="memory://", set_as_current=False) as app:
        settings = {name: given.pop(name) for name in list(given) if name.startswith("worker_")}
        app.conf.update(settings)
        return Size.of(
            app.conf, given.get("pool"), given.get("concurrency"), given.get("processes")
        )


@pytest.mark.parametrize(
    ("given", "slots", "shown"),
    [
        ({}, usable_cpus(), f"{usable_cpus()} (processes)"),
        ({"concurrency": 7, "pool": "threads"}, 7, "7 (threads)"),
        ({"concurrency": 7, "pool": "solo"}, 1, "1 (solo)"),
        ({"pool": "asyncio"}, 100, "1 x 100 (asyncio)"),
        ({"pool": "asyncio", "concurrency": 200, "processes": 3}, 600, "3 x 200 (asyncio)"),
        (
            {"worker_pool": "asyncio", "worker_concurrency": 5, "worker_processes": 2},
            10,
            "2 x 5 (asyncio)",
        ),
        ({"worker_processes": 2, "concurrency": 3}, 3, "3 (processes)"),  # of another pool
    ],
)
def test_the_slots_of_a_worker(given: dict[str, Any], slots: int, shown: str) -> None:
    size = size_of(**given)

    assert (size.slots, str(size)) == (slots, shown)


@pytest.mark.parametrize(
    ("given", "slots", "scale", "shown"),
    [
        ({"pool": "threads"}, 2, (9, 2), "2 to 9 (threads)"),
        ({"pool": "asyncio", "processes": 3}, 6, (27, 6), "3 x 2 to 9 (asyncio)"),
    ],
)
def test_a_scale_is_that_of_each_process(
    given: dict[str, Any], slots: int, scale: tuple[int, int], shown: str
) -> None:
    size = size_of(**given).scaled(Scale(9, 2))

    assert (size.slots, size.scale, str(size)) == (slots, scale, shown)


def test_a_size_that_was_changed_has_at_least_so_many_slots() -> None:
    size = size_of(pool="asyncio", processes=2, concurrency=3).resized(9)

    assert (size.concurrency, size.slots) == (5, 10)


def test_processes_are_for_the_asyncio_pool() -> None:
    with pytest.raises(ImproperlyConfigured, match="`processes` is for the pool 'asyncio'"):
        size_of(pool="processes", processes=2)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", True])
def test_what_is_no_number_of_processes_is_refused(wrong: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="must be an integer of at least 1"):
        size_of(pool="asyncio", processes=wrong)
