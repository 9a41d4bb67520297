"""Tasks that are moved from this store to another one, or to this one."""

from collections.abc import Sequence

from ...model.graph import Group, Place
from ...model.message import Attempt
from ..transfer import MovedGroup, Transfer, TransferBatch
from .arguments import Arguments, field_args, group_args, or_empty, place_fields
from .packing import pack_message
from .replies import fields_of, moment, record_of
from .signing import Signing


def transfer_of(
    id: str, reply: list[bytes], attempts: Sequence[Attempt], signing: Signing
) -> Transfer:
    """Return a task with all that is known of it, from fetch.lua."""
    record = record_of(id, reply)
    assert record is not None
    fields = fields_of(reply)
    place = Place(
        waits=record.waits,
        barrier=record.barrier,
        on_failure=record.on_failure,
        takes=b"takes" in fields,
        group=record.group,
        position=record.position,
        followed=b"tied" in fields,
        delay=float(fields[b"delay"]) if b"delay" in fields else None,
    )
    return Transfer(signing.verify_record(record), place, list(attempts))


def batch_args(batch: TransferBatch, signing: Signing) -> Arguments:
    """Return tasks and groups of another store. Read by unpack.lua."""
    args: Arguments = [len(batch.transfers)]
    for transfer in batch.transfers:
        args += transfer_args(transfer, signing)
    args.append(len(batch.groups))
    for moved in batch.groups:
        args += moved_group_args(moved)
    return args


def transfer_args(transfer: Transfer, signing: Signing) -> Arguments:
    """Return a task of another store. Read by scripts/moving.lua."""
    record, place, attempts = transfer
    message = signing.sign_message(record.message)
    result = record.result
    if result is not None:
        result = signing.sign_result(message.id, result, record.result_serializer or "")
    fields = field_args(
        queue=message.queue,
        message=pack_message(message),
        priority=message.priority or None,
        eta=message.eta,
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
    )
    fields += place_fields(place)
    args: Arguments = [message.id, int(record.phase), len(fields), *fields]
    args += (record.worker or "", len(attempts))
    for attempt in attempts:
        args += _attempt_args(attempt)
    return args


def moved_group_args(moved: MovedGroup) -> Arguments:
    """Return a group of another store. Read by scripts/moving.lua."""
    outcome = (or_empty(moved.closed), moved.blame or "", int(moved.released))
    return [*group_args(moved.group), *outcome]


def moved_group_of(id: str, reply: list[bytes]) -> MovedGroup:
    """Return a group with its state, from groups.lua."""
    fields = fields_of(reply)
    group = Group(
        id=id,
        outer=fields[b"outer"].decode() or None,
        position=int(fields[b"position"]),
        forgiving=fields[b"forgiving"] == b"1",
    )
    blame = fields.get(b"blame")
    return MovedGroup(
        group,
        closed=moment(fields.get(b"closed")),
        blame=None if blame is None else blame.decode(),
        released=b"released" in fields,
    )


def _attempt_args(attempt: Attempt) -> Arguments:
    times = (or_empty(attempt.started), or_empty(attempt.ended))
    return [*times, attempt.worker or "", attempt.outcome, attempt.error or ""]
