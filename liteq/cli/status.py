"""`liteq status`: show workers and queues."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator

from ..brokers.serving import tasks_wait_unserved, unserved_queues
from .apps import app_that_exists
from .exits import OK, UNAVAILABLE
from .options import add_json, add_limit, names
from .output import show, table
from .views import PHASES, View, bounded, queue_views, worker_view


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "-d", "--destination", type=names, metavar="NAMES", help="only these workers"
    )
    add_json(parser)
    add_limit(parser, 100, "workers and queues to show")


def run(args: Namespace) -> int:
    """Print workers and queues; return UNAVAILABLE, as Celery does, when no worker is alive."""
    broker = app_that_exists(args).broker
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
    }
    shown = bounded(document, args.limit)
    show(shown, _lines(shown), as_json=args.json)
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
