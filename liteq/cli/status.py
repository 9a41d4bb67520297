"""`liteq status`: show workers and queues."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator

from ..brokers.serving import (
    is_paused,
    no_worker_knows,
    tasks_wait_unserved,
    unknown_everywhere,
    unserved_queues,
)
from ..support.printable import counted
from .apps import app_that_exists
from .exits import OK, UNAVAILABLE
from .options import add_json, add_limit, names
from .output import moment, show, table
from .views import PHASES, View, bounded, pause_view, queue_views, worker_view


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "-d", "--destination", type=names, metavar="NAMES", help="only these workers"
    )
    add_json(parser)
    add_limit(parser, 100, "workers and queues to show")


def run(args: Namespace) -> int:
    """Print workers and queues; return UNAVAILABLE, as Celery does, when no worker is alive."""
    app = app_that_exists(args)
    broker, zone = app.broker, app.timezone
    now, workers, counts = broker.clock(), broker.workers(), broker.counts()
    unserved = unserved_queues(counts, workers)
    document: View = {
        "store": broker.url,
        "workers": [
            worker_view(worker, now)
            for worker in workers
            if not args.destination or worker.name in args.destination
        ],
        "queues": queue_views(counts),
        "unserved": [{"name": name, "tasks": tasks} for name, tasks in unserved.items()],
        "paused": list(map(pause_view, pauses := broker.pauses())),
        "unknown": [
            {**each._asdict(), "since": moment(each.since)} for each in unknown_everywhere(broker)
        ],
    }
    shown = bounded(document, args.limit)
    paused = (is_paused(pause, zone) for pause in pauses[: args.limit])
    show(shown, [*_lines(shown), *_below(paused)], as_json=args.json)
    return OK if document["workers"] else UNAVAILABLE


def _lines(document: View) -> Iterator[str]:
    yield f"store: {document['store']}"
    yield ""
    yield from _workers(document["workers"])
    yield ""
    yield from _queues(document["queues"])
    for queue in document["unserved"] if document["workers"] else ():
        yield ""
        words = tasks_wait_unserved(queue["name"], queue["tasks"])
        yield f"{words}: start one with liteq worker -Q ..."
    for left in document["unknown"] if document["workers"] else ():
        yield ""
        yield (
            f"{no_worker_knows(left['task'])}: {counted(left['tasks'], 'task')} in the queue "
            f"{left['queue']!r} {'waits' if left['tasks'] == 1 else 'wait'} for one that does"
        )


def _below(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that stand apart from what is above, if there are any."""
    for n, line in enumerate(lines):
        if n == 0:
            yield ""
        yield line


def _workers(workers: list[View]) -> Iterable[str]:
    if not workers:
        return ["No worker is up. Start one with: liteq worker -A ..."]
    head = ("WORKER", "PID", "POOL", "CONCURRENCY", "QUEUES", "DONE", "LAST BEAT")
    return table([head, *map(_worker, workers)])


def _worker(worker: View) -> tuple[object, ...]:
    columns = (worker[key] for key in ("name", "pid", "pool", "concurrency"))
    return (*columns, ",".join(worker["queues"]), worker["done"], f"{worker['beat_age']:.0f} s ago")


def _queues(queues: list[View]) -> Iterable[str]:
    if not queues:
        return ["No tasks."]
    phases = [phase for phase in PHASES if any(queue[phase] for queue in queues)]
    rows = [[queue["name"], *(queue[phase] for phase in phases)] for queue in queues]
    return table([["QUEUE", *map(str.upper, phases)], *rows])
