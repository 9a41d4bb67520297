"""`liteq move`: move everything from one store to another.

Each batch is written to the new store before it is deleted from the old one, and a task that is
known there is left as it is. So an interrupted move is completed by running it again.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter

from ..brokers import Broker, connect
from ..brokers.base import check_trust
from ..brokers.transfer import Movable, TransferBatch
from ..exceptions import ConfigurationError
from ..result.backend import result_serializer
from ..serializers import get
from ..worker.decide import policy_of
from ..worker.rescue import rescue
from .apps import app_of
from .exits import FAILED, OK
from .options import add_json
from .output import complain, say, say_json

_BATCH = 500


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("source", metavar="SRC", help="URL of the store to empty")
    parser.add_argument("target", metavar="DST", help="URL of the store to fill")
    add_json(parser)


def run(args: Namespace) -> int:
    """Move everything, and print how much; return FAILED when something had to stay."""
    conf = app_of(args).conf
    source = _store(args.source, conf.secret_key)
    target = _store(args.target, conf.secret_key)
    if source.address == target.address:
        raise ConfigurationError(f"{source.url} is both: give two stores")
    # First, so that tasks held by dead workers are moved as well.
    rescue(source, policy_of(conf), result_serializer(conf, source))
    if there := source.workers():
        names = ", ".join(worker.name for worker in there)
        complain(f"stop the workers of {source.url} first: {names}")
        return FAILED
    moved: Counter[str] = Counter()
    schedules = _move_schedules(source, target)
    while batch := _move_tasks(source, target):  # until none is left: programs may be sending
        moved += batch
    left = sum(count.tasks for count in source.counts())
    if args.json:
        urls = {"source": source.url, "target": target.url}
        say_json({**urls, "moved": dict(moved), "schedules": schedules, "left": left})
    else:
        counts = ", ".join(f"{n} {phase}" for phase, n in sorted(moved.items())) or "no tasks"
        say(f"moved {counts} and {schedules} schedules from {source.url} to {target.url}")
    if left:
        complain(
            f"{left} tasks stay in {source.url}: some run there, or belong to a workflow that does"
        )
    return FAILED if left else OK


def _store(url: str, secret_key: str | bytes | None) -> Movable:
    broker = connect(url, secret_key=secret_key)
    if not isinstance(broker, Movable):
        raise ConfigurationError(f"tasks cannot be moved from or to {broker.url}")
    return broker


def _move_tasks(source: Movable, target: Movable) -> Counter[str]:
    moved: Counter[str] = Counter()
    for batch in source.pack(_BATCH):
        _check(batch, source)
        _check(batch, target)
        target.unpack(batch)
        source.discard(batch)
        moved.update(transfer.record.phase.name.lower() for transfer in batch.transfers)
    return moved


def _move_schedules(source: Broker, target: Broker) -> int:
    entries = source.schedules()
    for entry in entries:
        for store in (source, target):
            check_trust(get(entry.message.serializer), store)
    target.schedule([entry._replace(version=0) for entry in entries])
    source.unschedule([entry.name for entry in entries])
    return len(entries)


def _check(batch: TransferBatch, store: Broker) -> None:
    """Raise ImproperlyConfigured for a serializer that workers of `store` would not decode.

    What those of the source refuse is not trusted more in the target, where it may run as code.
    """
    used = {transfer.record.message.serializer for transfer in batch.transfers}
    used |= {transfer.record.result_serializer or "json" for transfer in batch.transfers}
    for name in used:
        check_trust(get(name), store)
