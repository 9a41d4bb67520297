"""`liteq move`: move everything from one store to another.

Each batch is written to the new store before it is deleted from the old one. The new store
remembers what has arrived until that is done, also when a task has ended there and is forgotten.
So an interrupted move is completed by running it again.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from ..brokers import Broker, connect
from ..brokers.base import check_trust
from ..brokers.transfer import Left, Movable, Transfer
from ..exceptions import BrokerTooOld, ConfigurationError
from ..sending.formats import result_serializer
from ..serializers import get
from ..support.printable import counted
from ..worker.decide import policy_of
from ..worker.rescue import rescue
from .apps import app_of
from .exits import FAILED, OK
from .options import add_json
from .output import complain, say, say_json

_BATCH = 500
_NAMED = 5  # ids in a line about tasks that stay


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
    if source.is_same_store(target):
        raise ConfigurationError(f"{source.url} is both: give two stores")
    with suppress(BrokerTooOld):  # it is opened to write, and upgraded
        source.check_exists()
    # First, so that tasks held by dead workers are moved as well.
    rescue(source, policy_of(conf), result_serializer(conf, source))
    if there := source.workers():
        names = ", ".join(worker.name for worker in there)
        complain(f"stop the workers of {source.url} first: {names}")
        return FAILED
    move = _Move(source, target)
    move.run()
    left = sum(count.tasks for count in source.counts())
    if args.json:
        urls = {"source": source.url, "target": target.url}
        counts = {"moved": dict(move.moved), "schedules": move.schedules, "left": left}
        say_json({**urls, **counts, "refused": move.left, "refused_schedules": move.left_schedules})
    else:
        moved = ", ".join(f"{n} {phase}" for phase, n in sorted(move.moved.items())) or "no tasks"
        say(f"moved {moved} and {move.schedules} schedules from {source.url} to {target.url}")
    _complain_of_tasks(move.left, source)
    for name, why in move.left_schedules.items():
        complain(f"the schedule {name} stays in {source.url}: {why}")
    if (others := left - len(move.left)) > 0:
        complain(
            f"{_tasks_stay(others)} in {source.url}: running there, or in a workflow of which a "
            "task is"
        )
    return FAILED if left or move.left or move.left_schedules else OK


class _Move:
    """A move from `source` to `target`, and what has come of it."""

    def __init__(self, source: Movable, target: Movable) -> None:
        self._source = source
        self._target = target
        self.moved: Counter[str] = Counter()  # by phase
        self.schedules: int = 0
        self.left: dict[str, str] = {}  # why a task stays, by id
        self.left_schedules: dict[str, str] = {}  # the same, by name

    def run(self) -> None:
        # What a move that was interrupted has brought may have ended there, and be forgotten.
        self._target.confirm(self._source.discard(self._target.arrived()))
        self._move_schedules()
        while self._move_tasks():  # until there are none: programs may be sending
            pass
        self._copy_events()

    def _copy_events(self) -> None:
        """Emit what was emitted in the source. It stays there until it expires."""
        for event in self._source.pack_events():
            if not self._distrust(event.serializer):
                self._target.emit(event)

    def _move_tasks(self) -> int:
        """Move all tasks that are there and can be moved; return how many."""
        moved = 0
        for packed in self._source.pack(_BATCH):
            batch = packed.leaving([*packed.left, *self._distrusted(packed.transfers)])
            self.left |= {each.id: each.why for each in batch.left}
            if not batch.transfers:
                continue
            arrivals = batch.arrivals
            self._target.unpack(batch)
            self._source.discard(arrivals)
            self._target.confirm(arrivals)
            self.moved.update(each.record.phase.name.lower() for each in batch.transfers)
            moved += len(batch.transfers)
        return moved

    def _move_schedules(self) -> None:
        packed, entries = self._source.pack_schedules(), []
        self.left_schedules |= packed.left
        for entry in packed.entries:
            if why := self._distrust(entry.message.serializer):
                self.left_schedules[entry.name] = why
            else:
                entries.append(entry)
        self._target.schedule([entry._replace(version=0) for entry in entries])
        self._source.unschedule([entry.name for entry in entries])
        self.schedules = len(entries)

    def _distrusted(self, transfers: Iterable[Transfer]) -> Iterable[Left]:
        for record, place, _, steps, _ in transfers:
            why = self._distrust(record.message.serializer)
            for name in (record.result_serializer, *(step.serializer for step in steps)):
                why = why or (name and self._distrust(name))
            if why:
                yield Left(record.message.id, why, place)

    def _distrust(self, serializer: str) -> str | None:
        """Return why workers of one of the stores would not decode what `serializer` has encoded.

        What those of the source refuse is not trusted more in the target, where it may run as code.
        """
        try:
            for store in (self._source, self._target):
                check_trust(get(serializer), store)
        except ConfigurationError as exc:
            return str(exc)
        return None


def _store(url: str, secret_key: str | bytes | None) -> Movable:
    broker = connect(url, secret_key=secret_key)
    if not isinstance(broker, Movable):
        raise ConfigurationError(f"tasks cannot be moved from or to {broker.url}")
    return broker


def _complain_of_tasks(left: dict[str, str], source: Broker) -> None:
    """Print why tasks stay: a line for each reason."""
    ids: dict[str, list[str]] = {}
    for id, why in left.items():
        ids.setdefault(why, []).append(id)
    for why, those in ids.items():
        more = ", …" if len(those) > _NAMED else ""
        named = ", ".join(those[:_NAMED]) + more
        complain(f"{_tasks_stay(len(those))} in {source.url} ({named}): {why}")


def _tasks_stay(count: int) -> str:
    return f"{counted(count, 'task')} {'stays' if count == 1 else 'stay'}"
