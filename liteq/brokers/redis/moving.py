"""Tasks of this store to another one, and of another one to this."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from ...model.graph import Group, Place
from ...model.message import Attempt
from ...states import Phase
from ..transfer import GroupState, Movable, Transfer, TransferBatch
from .listing import Listing
from .rows import Arguments, attempts_of, field_args, packed, record_of
from .seals import Seal
from .server import Server

_RESTING = [phase for phase in Phase if phase is not Phase.RUNNING]


class Moving(Movable):
    """Packs and unpacks tasks with all their fields."""

    server: Server
    _seal: Seal

    def pack(self, size: int) -> Iterator[TransferBatch]:
        queues = [count.queue for count in self.counts()]
        for ids in Listing(self.server, _RESTING, queues, None, None).pages(size):
            rows = zip(ids, self._run("fetch", *ids), strict=True)
            transfers = [self._transfer(id, flat, None) for id, flat in rows if flat is not None]
            alone = [each for each in transfers if each.place == Place()]
            if alone:
                yield TransferBatch([each for each in alone if each.record.phase in _RESTING], [])
        tasks, groups = self._run("workflows")
        if tasks:
            transfers = [self._transfer(id.decode(), flat, told) for id, flat, told in tasks]
            yield TransferBatch(transfers, [_group(id, flat) for id, flat in groups])

    def unpack(self, batch: TransferBatch) -> int:
        args: Arguments = [len(batch.transfers)]
        for transfer in batch.transfers:
            args += self._parcel_args(transfer)
        args.append(len(batch.groups))
        for state in batch.groups:
            id, outer, position, forgiving = state.group
            args += (id, outer or "", position, int(forgiving))
            closed = "" if state.closed is None else state.closed
            args += (closed, state.blame or "", int(state.released))
        return int(self._run("unpack", *args))

    def discard(self, batch: TransferBatch) -> None:
        ids = [transfer.record.message.id for transfer in batch.transfers]
        groups = [state.group.id for state in batch.groups]
        self._run("discard", len(ids), *ids, *groups)

    @abstractmethod
    def _run(self, verb: str, *args: Any) -> Any:
        """Run the script of `verb`."""

    def _transfer(self, id: str, flat: list[bytes], told: list[bytes] | None) -> Transfer:
        record = record_of(id, flat)
        assert record is not None
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        after = (record.waits, record.barrier, int(found.get(b"on_failure", 0)))
        place = Place(*after, b"takes" in found, record.group, record.position, b"tied" in found)
        if b"delay" in found:
            place = place._replace(delay=float(found[b"delay"]))
        if told is None:
            told = self._run("attempts", id) if b"attempts" in found else []
        return Transfer(self._seal.opened_record(record), place, attempts_of(told))

    def _parcel_args(self, transfer: Transfer) -> Arguments:
        record, place, attempts = transfer
        message = self._seal.message(record.message)
        result = record.result
        if result is not None:
            result = self._seal.result(message.id, result, record.result_serializer or "")
        fields = field_args(
            queue=message.queue,
            message=packed(message),
            priority=message.priority or None,
            eta=message.eta,
            once=None if message.acks_late else 1,
            created=record.created,
            started=record.started,
            finished=record.finished,
            keep=record.keep_until,
            lost=record.lost or None,
            attempts=len(attempts) or None,
            result=result,
            serializer=record.result_serializer,
            traceback=record.traceback,
            reported=record.reported,
            woken_by=record.woken_by,
            waits=place.waits,
            barrier=place.barrier or None,
            on_failure=place.on_failure or None,
            takes=place.takes or None,
            delay=place.delay,
            tied=place.followed or place.barrier or place.group is not None or None,
            group=place.group,
            position=None if place.group is None else place.position,
        )
        args: Arguments = [message.id, int(record.phase), len(fields), *fields]
        args += (record.worker or "", len(attempts))
        for each in attempts:
            args += _attempt(each)
        return args


def _attempt(each: Attempt) -> Arguments:
    times: Arguments = ["" if at is None else at for at in (each.started, each.ended)]
    return [*times, each.worker or "", each.outcome, each.error or ""]


def _group(id: bytes, flat: list[bytes]) -> GroupState:
    found = dict(zip(flat[::2], flat[1::2], strict=True))
    outer = found[b"outer"].decode() or None
    group = Group(id.decode(), outer, int(found[b"position"]), found[b"forgiving"] == b"1")
    closed, blame = found.get(b"closed"), found.get(b"blame")
    return GroupState(
        group,
        None if closed is None else float(closed),
        None if blame is None else blame.decode(),
        b"released" in found,
    )
