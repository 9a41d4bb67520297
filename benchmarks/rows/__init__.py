"""What is measured. To add a row: its line in `ROWS`, and a function in a file here if none of
those that are there gives the figure."""

from collections.abc import Callable
from importlib import import_module

from contenders import Contender

from .base import Options, Reading, Row

ROWS = (
    Row(
        key="drain",
        title="drain no-op tasks, 2 processes",
        measure="drain:two",
        figure="rate",
        unit="/s",
        sense="at least",
        goal=60_000,
        ours="liteq-safe",
        deadline=120.0,
    ),
    Row(
        key="drain-one",
        title="drain no-op tasks, 1 process",
        measure="drain:one",
        figure="rate",
        unit="/s",
        sense="at least",
        goal=16_667,
        ours="liteq-safe",
        rivals=(),
        deadline=120.0,
    ),
    Row(
        key="delay-fast",
        title="one `delay()` per commit, `fast`",
        measure="enqueue:each",
        figure="rate",
        unit="/s",
        sense="at least",
        goal=20_000,
    ),
    Row(
        key="delay-safe",
        title="one `delay()` per commit, `safe`",
        measure="enqueue:each",
        figure="rate",
        unit="/s",
        sense="at least",
        goal=None,
        ours="liteq-safe",
        rivals=("huey-sqlite",),  # the others are not on the disk when they return
    ),
    Row(
        key="delay-raw",
        title="the same, as a share of raw FULL commits",
        measure="durable:measure",
        figure="share",
        unit="x",
        sense="at least",
        goal=0.7,
        ours="liteq-safe",
        rivals=(),
    ),
    Row(
        key="bulk",
        title="bulk enqueue",
        measure="enqueue:bulk",
        figure="rate",
        unit="/s",
        sense="at least",
        goal=100_000,
        ours="liteq-safe",
    ),
    Row(
        key="trip-fast",
        title="`delay()` to `get()`, `fast`, p50",
        measure="round_trip:warm",
        figure="p50",
        unit="ms",
        sense="at most",
        goal=0.5,
    ),
    Row(
        key="trip-fast-99",
        title="the same, p99",
        measure="round_trip:warm",
        figure="p99",
        unit="ms",
        sense="at most",
        goal=3,
    ),
    Row(
        key="trip-safe",
        title="`delay()` to `get()`, `safe`, p50",
        measure="round_trip:warm",
        figure="p50",
        unit="ms",
        sense="at most",
        goal=1,
        ours="liteq-safe",
    ),
    Row(
        key="trip-safe-99",
        title="the same, p99",
        measure="round_trip:warm",
        figure="p99",
        unit="ms",
        sense="at most",
        goal=3,
        ours="liteq-safe",
    ),
    Row(
        key="trip-cold",
        title="`delay()` to `get()` after 50 ms of silence, `fast`, p50",
        measure="round_trip:cold",
        figure="p50",
        unit="ms",
        sense="at most",
        goal=None,
    ),
    Row(
        key="crowd",
        title="16 processes, one `delay()` each 2 ms, p99.9",
        measure="crowd:measure",
        figure="p999",
        unit="ms",
        sense="at most",
        goal=8,
        rivals=(),
    ),
    Row(
        key="crowd-worst",
        title="the same, worst",
        measure="crowd:measure",
        figure="worst",
        unit="ms",
        sense="at most",
        goal=50,
        rivals=(),
    ),
    Row(
        key="import",
        title="import",
        measure="starting:importing",
        figure="ms",
        unit="ms",
        sense="at most",
        goal=40,
    ),
    Row(
        key="start",
        title="worker start to first result",
        measure="starting:worker",
        figure="ms",
        unit="ms",
        sense="at most",
        goal=250,
        ours="liteq-safe",
    ),
    Row(
        key="idle",
        title="idle worker, share of a core",
        measure="standing:idle",
        figure="percent",
        unit="%",
        sense="at most",
        goal=0.3,
        ours="liteq-safe",
        repeat=False,
    ),
    Row(
        key="memory",
        title="worker with 2 processes, PSS",
        measure="standing:memory",
        figure="mb",
        unit="MB",
        sense="at most",
        goal=30,
        ours="liteq-safe",
    ),
    Row(
        key="backlog",
        title="cost per task with a big backlog, of that with 1,000 waiting",
        measure="backlog:measure",
        figure="task",
        unit="x",
        sense="at most",
        goal=1.3,
        rivals=(),
        repeat=False,
        deadline=1_200.0,
    ),
)


def measure(name: str) -> Callable[[Contender, Options], Reading]:
    """The function that takes measurement `name` ("module:function")."""
    module, _, function = name.partition(":")
    found: Callable[[Contender, Options], Reading] = getattr(
        import_module(f".{module}", __name__), function
    )
    return found
